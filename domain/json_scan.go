package domain

// jsonScanner walks a JSON text once. Its methods say false when they have set fault.
type jsonScanner struct {
	data  []byte
	at    int
	depth int // levels that may still be opened
	names jsonNames
	fault JSONError
}

// failed copies the fault, so that a scanner that found none stays on the stack.
func (s *jsonScanner) failed(field string) error {
	fault := s.fault
	fault.Field = field
	return &fault
}

func (s *jsonScanner) malformed(problem string) bool {
	if s.at >= len(s.data) {
		problem = "the JSON text ends too early"
	}
	s.fault = JSONError{Malformed: true, Offset: s.at, Problem: problem}
	return false
}

func (s *jsonScanner) invalid(at int, problem string) bool {
	s.fault = JSONError{Offset: at, Problem: problem}
	return false
}

// peek returns the next byte, 0 at the end (which valid JSON never contains).
func (s *jsonScanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// end takes the space behind the value, after which nothing may follow.
func (s *jsonScanner) end() bool {
	if s.space(); s.at < len(s.data) {
		return s.malformed("something follows the JSON value")
	}
	return true
}

func (s *jsonScanner) value() bool {
	s.space()
	switch c := s.peek(); {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array(nil)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.malformed("a JSON value was expected")
}

func (s *jsonScanner) literal(word string) bool {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.malformed("a JSON value was expected")
		}
		s.at++
	}
	return true
}

// object takes an object and tells each, when there is one, every member's name and the bounds of its value.
func (s *jsonScanner) object(each func(name []byte, begin, end int)) bool {
	if s.depth == 0 {
		return s.invalid(s.at, "nested too deep")
	}
	s.depth--
	s.at++
	scope := s.names.open()
	s.space()
	for more := s.peek() != '}'; more; {
		begin := s.at
		name, ok := s.name()
		if !ok {
			return false
		}
		if !s.names.add(&scope, name) {
			return s.invalid(begin, "duplicate member name")
		}
		s.space()
		begin = s.at
		if !s.value() {
			return false
		}
		if each != nil {
			each(name, begin, s.at)
		}
		if more, ok = s.comma('}'); !ok {
			return false
		}
	}
	s.names.close(scope)
	s.at++
	s.depth++
	return true
}

// name takes a member's name and the colon behind it.
func (s *jsonScanner) name() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.malformed("a member name was expected")
	}
	name, ok := s.string()
	if !ok {
		return nil, false
	}
	s.space()
	if s.peek() != ':' {
		return nil, s.malformed("a colon was expected")
	}
	s.at++
	return name, true
}

// comma takes a comma and the space around it, and reports whether there was one; else the closing byte must be next.
func (s *jsonScanner) comma(closing byte) (more, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return true, true
	case closing:
		return false, true
	}
	return false, s.malformed("a comma or the end of the object or array was expected")
}

// array takes an array and tells each, when there is one, the bounds of every element.
func (s *jsonScanner) array(each func(begin, end int)) bool {
	if s.depth == 0 {
		return s.invalid(s.at, "nested too deep")
	}
	s.depth--
	s.at++
	s.space()
	for more := s.peek() != ']'; more; {
		begin := s.at
		ok := s.value()
		if !ok {
			return false
		}
		if each != nil {
			each(begin, s.at)
		}
		if more, ok = s.comma(']'); !ok {
			return false
		}
	}
	s.at++
	s.depth++
	return true
}

func (s *jsonScanner) number() bool {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *jsonScanner) digits() bool {
	begin := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > begin || s.malformed("a digit was expected")
}
