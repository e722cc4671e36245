package domain

import "bytes"

// linearNames is up to how many names of one object are compared one by one; beyond it they go into a map.
const linearNames = 24

// jsonNames holds the member names of all objects that are open, innermost last. The zero value is ready; it allocates
// only for many or large objects.
type jsonNames struct {
	few   [linearNames][]byte
	count int
	more  [][]byte // beyond few
}

// jsonScope is one open object.
type jsonScope struct {
	begin int
	large map[string]struct{}
}

func (n *jsonNames) open() jsonScope { return jsonScope{begin: n.count} }

// close forgets the innermost object's names.
func (n *jsonNames) close(scope jsonScope) {
	n.count = scope.begin
	n.more = n.more[:max(0, n.count-linearNames)]
}

// add reports whether the name is new to the innermost object.
func (n *jsonNames) add(scope *jsonScope, name []byte) bool {
	if scope.large != nil {
		before := len(scope.large)
		scope.large[string(name)] = struct{}{}
		return len(scope.large) > before
	}
	for i := scope.begin; i < n.count; i++ {
		if bytes.Equal(n.at(i), name) {
			return false
		}
	}
	if n.count-scope.begin < linearNames {
		n.push(name)
		return true
	}
	scope.large = make(map[string]struct{}, 4*linearNames)
	for i := scope.begin; i < n.count; i++ {
		scope.large[string(n.at(i))] = struct{}{}
	}
	scope.large[string(name)] = struct{}{}
	return true
}

func (n *jsonNames) at(i int) []byte {
	if i < linearNames {
		return n.few[i]
	}
	return n.more[i-linearNames]
}

func (n *jsonNames) push(name []byte) {
	if n.count < linearNames {
		n.few[n.count] = name
	} else {
		n.more = append(n.more, name)
	}
	n.count++
}
