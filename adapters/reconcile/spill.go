package reconcile

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// spillFiles is over how many files ids are spread.
const spillFiles = 256

// spill spreads records over files by a keyed hash of their ids. It holds at most a number of bytes before it writes
// them. It belongs to one goroutine.
type spill struct {
	dir, name string
	key       []byte
	most      int
	held      int
	buffers   [spillFiles][]byte
}

func newSpill(dir, name string, key []byte, most int) *spill {
	return &spill{dir: dir, name: name, key: key, most: most}
}

// add writes a record: the id, then what is said of it.
func (s *spill) add(id string, rest []byte) error {
	h := sha256.New()
	h.Write(s.key)
	_, _ = io.WriteString(h, id) // hash.Hash never returns an error
	b := &s.buffers[h.Sum(nil)[0]]
	before := len(*b)
	*b = binary.AppendUvarint(*b, uint64(len(id)))
	*b = append(*b, id...)
	*b = binary.AppendUvarint(*b, uint64(len(rest)))
	*b = append(*b, rest...)
	if s.held += len(*b) - before; s.held < s.most {
		return nil
	}
	return s.flush()
}

// flush appends what is held to the files.
func (s *spill) flush() error {
	for i := range s.buffers {
		if len(s.buffers[i]) == 0 {
			continue
		}
		if err := appendFile(spillFile(s.dir, s.name, i), s.buffers[i]); err != nil {
			return fmt.Errorf("spill ids: %w", err)
		}
		s.buffers[i] = s.buffers[i][:0]
	}
	s.held = 0
	return nil
}

func appendFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func spillFile(dir, name string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("%s-%02x", name, n))
}

// readSpill calls f with the records of the n-th file. id and rest are valid only during the call.
func readSpill(dir, name string, n int, f func(id, rest []byte) error) error {
	file, err := os.Open(spillFile(dir, name, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read spilled ids: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	r := bufio.NewReaderSize(file, 64<<10)
	var id, rest []byte
	for {
		if id, err = readField(r, id); errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			rest, err = readField(r, rest)
		}
		if err != nil {
			return fmt.Errorf("read spilled ids: %w", err)
		}
		if err := f(id, rest); err != nil {
			return err
		}
	}
}

// readField reads a field into a buffer; io.EOF where there is none.
func readField(r *bufio.Reader, b []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return b, err
	}
	if n > maxListLine {
		return b, errors.New("a record is longer than any that is written")
	}
	if uint64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	if _, err = io.ReadFull(r, b); err != nil {
		return b, io.ErrUnexpectedEOF
	}
	return b, nil
}

// removeSpill removes the files of one name.
func removeSpill(dir, name string) error {
	for n := range spillFiles {
		if err := os.Remove(spillFile(dir, name, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove spilled ids: %w", err)
		}
	}
	return nil
}
