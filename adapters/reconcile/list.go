package reconcile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
)

// Bounds of a receiver's list.
const (
	maxListBytes = 2 << 30
	maxListIDs   = 20_000_000
	maxListLine  = 64 << 10
	maxSent      = 5 * maxListIDs // of what it is compared with: about 8 GiB of files
)

// The content types of a list.
const (
	CSV    = "text/csv"
	NDJSON = "application/x-ndjson"
)

// listError is what is wrong with a list, without any of it.
func listError(line int64, format string, args ...any) error {
	return domain.Invalid("body", "line %d: %s", line, fmt.Sprintf(format, args...))
}

// readList calls add with each id of a list and its line, from 1.
func readList(contentType string, r io.Reader, add func(line int64, id string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxListLine)
	parse := parseNDJSON
	n := int64(0)
	if contentType == CSV {
		column := -1
		for column < 0 && lines.Scan() {
			n++
			header, err := splitCSV(bytes.TrimPrefix(lines.Bytes(), []byte("\xef\xbb\xbf")))
			if err != nil {
				return listError(n, "%s", err)
			}
			if column = idColumn(header); column < 0 {
				return listError(n, "must be a header with a column id or event_id")
			}
		}
		parse = func(line []byte) (string, error) {
			fields, err := splitCSV(line)
			if err == nil && len(fields) <= column {
				err = errors.New("has fewer columns than the header")
			}
			if err != nil {
				return "", err
			}
			return fields[column], nil
		}
	}
	for ids := 0; lines.Scan(); {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		id, err := parse(lines.Bytes())
		if err == nil && domain.ValidateEventID("", id) != nil {
			err = errors.New("the id must be 1 to 256 visible ASCII characters")
		}
		if err != nil {
			return listError(n, "%s", err)
		}
		if ids++; ids > maxListIDs {
			return listError(n, "a list has at most %d ids: reconcile shorter periods", maxListIDs)
		}
		if err := add(n, id); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return listError(n+1, "must have at most %d bytes", maxListLine)
	}
	return lines.Err()
}

func idColumn(header []string) int {
	for _, name := range []string{"id", "event_id"} {
		if i := slices.Index(header, name); i >= 0 {
			return i
		}
	}
	return -1
}

// parseNDJSON reads a line: the id as a string, or an object with the member id or event_id.
func parseNDJSON(line []byte) (string, error) {
	var object struct {
		ID      *string `json:"id"`
		EventID *string `json:"event_id"`
	}
	var text string
	switch {
	case domain.CheckJSON("", line) != nil: // a member given twice could mean either
	case json.Unmarshal(line, &text) == nil:
		return text, nil
	case json.Unmarshal(line, &object) != nil:
	case object.ID != nil:
		return *object.ID, nil
	case object.EventID != nil:
		return *object.EventID, nil
	}
	return "", errors.New("must be a JSON string, or an object with a string in id or event_id")
}

// splitCSV splits a line of RFC 4180. Fields that go over several lines aren't supported: no id does.
func splitCSV(line []byte) (fields []string, err error) {
	for {
		if len(line) == 0 || line[0] != '"' {
			field, rest, more := bytes.Cut(line, []byte{','})
			fields = append(fields, string(field))
			if !more {
				return fields, nil
			}
			line = rest
			continue
		}
		var field []byte
		for line = line[1:]; ; {
			end := bytes.IndexByte(line, '"')
			if end < 0 {
				return nil, errors.New("a quoted field must end in its line")
			}
			field = append(field, line[:end]...)
			if line = line[end+1:]; len(line) == 0 || line[0] != '"' {
				break
			}
			field, line = append(field, '"'), line[1:]
		}
		fields = append(fields, string(field))
		if len(line) == 0 {
			return fields, nil
		}
		if line[0] != ',' {
			return nil, errors.New("a comma must follow a quoted field")
		}
		line = line[1:]
	}
}
