package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// writer writes pages of rows in a format. It belongs to one goroutine.
type writer interface {
	// add writes a page's rows.
	add(rows []row) error
	// pending is the text that was added and isn't in the file yet; ok reports whether another writer can go on with that.
	pending() (text []byte, ok bool)
	// close writes what remains.
	close() error
}

// state is how far a file has come. It is beside the file, and true of the file up to Bytes.
type state struct {
	Next     place             `json:"next"`
	Bytes    int64             `json:"bytes"`
	Rows     int64             `json:"rows"`
	Erased   int64             `json:"erased"`
	Damaged  int64             `json:"damaged"`
	Erasures []domain.Sequence `json:"erasures,omitempty"`
	Reached  domain.Sequence   `json:"reached"`
	Complete bool              `json:"complete"`
	Pending  []byte            `json:"pending,omitempty"` // text of the frame that isn't in the file yet
}

const (
	stateName = "state.json"
	partName  = "file"
)

// file is an export's file while it is written, in a directory of its own.
type file struct {
	dir   string
	out   *os.File
	hash  hash.Hash
	state state
	kept  state // as it was kept last
}

// openFile opens the file in a directory as far as an earlier process has come, or begins it.
func openFile(dir string, resumable bool) (*file, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f := &file{dir: dir, hash: sha256.New()}
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	if err == nil {
		err = json.Unmarshal(text, &f.state)
	}
	if err != nil || !resumable && !f.state.Complete {
		f.state = state{} // none yet, or none that can be gone on from: it is written again
	}
	if f.out, err = os.OpenFile(filepath.Join(dir, partName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if n, err := io.Copy(f.hash, io.LimitReader(f.out, f.state.Bytes)); err != nil {
		return nil, errors.Join(err, f.out.Close())
	} else if n < f.state.Bytes { // what the state promises isn't there
		f.state, f.hash = state{}, sha256.New()
	}
	if err := f.out.Truncate(f.state.Bytes); err != nil {
		return nil, errors.Join(err, f.out.Close())
	}
	if _, err := f.out.Seek(f.state.Bytes, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.out.Close())
	}
	f.kept = f.state
	return f, nil
}

// Write implements io.Writer.
func (f *file) Write(b []byte) (int, error) {
	n, err := f.out.Write(b)
	f.hash.Write(b[:n])
	f.state.Bytes += int64(n)
	return n, err
}

// keep makes what was written last, and notes how far it goes.
func (f *file) keep(pending []byte) error {
	if err := f.out.Sync(); err != nil {
		return err
	}
	s := f.state
	s.Pending = pending
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := filepath.Join(f.dir, stateName+".new")
	if err := writeSynced(temporary, text); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(f.dir, stateName)); err != nil {
		return err
	}
	f.kept = f.state
	return syncDir(f.dir)
}

func writeSynced(path string, text []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Sync(), out.Close())
}

// due reports whether enough was written since the state was kept.
func (f *file) due(size steps) bool {
	return f.state.Rows-f.kept.Rows >= size.checkRows || f.state.Bytes-f.kept.Bytes >= size.checkBytes
}

// count adds a page to the state.
func (f *file) count(p *page) {
	s := &f.state
	s.Next, s.Reached, s.Rows = p.next, p.reached, s.Rows+int64(len(p.rows))
	for i := range p.rows {
		r := &p.rows[i]
		if r.damaged {
			s.Damaged++
		}
		if !r.erased {
			continue
		}
		s.Erased++
		n := len(s.Erasures)
		if n < domain.MaxExportErasures && (n == 0 || s.Erasures[n-1] != r.sequence) {
			s.Erasures = append(s.Erasures, r.sequence)
		}
	}
}

// readState reads how far the file in a directory has come; false: there is none.
func readState(dir string) (s state, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	return s, err == nil && json.Unmarshal(text, &s) == nil
}

// textWriter is the writer of formats that write a row after the other.
type textWriter struct {
	to      *file
	table   *table
	encoder encoder
	zstd    *zstd.Encoder // nil: the file isn't compressed
	least   int           // bytes of text in a frame
	text    []byte        // of the frame that isn't written yet
	frame   []byte        // room for a compressed one
}

func newTextWriter(to *file, t *table, e encoder, c domain.ExportCompression, least int) (*textWriter, error) {
	w := &textWriter{to: to, table: t, encoder: e, least: least}
	if c == domain.CompressionZstd {
		var err error
		// One goroutine, so that the same text is always compressed to the same bytes.
		if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, err
		}
	}
	if w.text = to.state.Pending; to.state.Bytes == 0 && to.state.Rows == 0 {
		w.text = e.begin(nil)
	}
	to.state.Pending = nil
	return w, nil
}

func (w *textWriter) add(rows []row) error {
	for i := range rows {
		cells, err := w.table.of(&rows[i])
		if err != nil {
			return err
		}
		w.text = w.encoder.row(w.text, cells)
		if w.zstd != nil && len(w.text) >= w.least { // frames end with rows, however these came in pages
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	if w.zstd != nil {
		return nil
	}
	return w.flush()
}

func (w *textWriter) flush() error {
	text := w.text
	if w.zstd != nil && len(text) > 0 {
		w.frame = w.zstd.EncodeAll(text, w.frame[:0])
		text = w.frame
	}
	w.text = w.text[:0]
	_, err := w.to.Write(text)
	return err
}

func (w *textWriter) pending() ([]byte, bool) { return w.text, true }

func (w *textWriter) close() error { return w.flush() }

// newWriter makes the writer of an export's format.
func newWriter(x *domain.Export, to *file, size steps) (writer, error) {
	q := &x.Order.Query
	t, err := newTable(q)
	if err != nil {
		return nil, err
	}
	switch q.Format {
	case domain.FormatNDJSON:
		return newTextWriter(to, t, newNDJSON(t.columns), q.Compression, size.frame)
	case domain.FormatCSV:
		return newTextWriter(to, t, newCSV(t.columns), q.Compression, size.frame)
	}
	if q.Format == domain.FormatParquet {
		return newParquetWriter(to, t), nil
	}
	if q.Format == domain.FormatHTML {
		return newReportWriter(to, x), nil
	}
	return nil, fmt.Errorf("this program doesn't write %s: upgrade it", q.Format)
}

// resumable reports whether a file of a format can be gone on with. Of the others, the end has what is known only then.
func resumable(f domain.ExportFormat) bool { return f == domain.FormatNDJSON || f == domain.FormatCSV }

// job is the writing of one export.
type job struct {
	log    Log
	pacer  *pacer // nil: as fast as it goes
	views  projections.Views
	export *domain.Export
	dir    string // for the file and its state
	size   steps
	// allow refuses a file of a size for which there is no room.
	allow func(bytes int64) error
	// look is called between steps; an error ends the writing.
	look func(ctx context.Context, s *state, span span) error
}

// write writes the file, from where an earlier process left it, and returns what it came to.
func (j *job) write(ctx context.Context) (domain.ExportFile, state, error) {
	q := &j.export.Order.Query
	made := domain.ExportFile{Name: fileName(q)}
	f, err := openFile(j.dir, resumable(q.Format))
	if err != nil {
		return made, state{}, storeError(err)
	}
	if !f.state.Complete {
		err = j.fill(ctx, f)
	}
	if err = errors.Join(err, f.out.Close()); err != nil {
		return made, f.state, err
	}
	made.Bytes, made.Rows, made.SHA256 = f.state.Bytes, f.state.Rows, hex.EncodeToString(f.hash.Sum(nil))
	return made, f.state, nil
}

func (j *job) fill(ctx context.Context, f *file) error {
	order := &j.export.Order
	s, err := spanOf(ctx, j.log, j.export.Tenant, order)
	if err != nil {
		return err
	}
	src, err := newSource(j.log, j.pacer, j.views, j.export.Tenant, order, s, j.size)
	if err != nil {
		return err
	}
	w, err := newWriter(j.export, f, j.size)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer src.close()
	pages := make(chan page)
	var failed error // set before pages is closed
	go func() {
		defer close(pages)
		failed = readAhead(ctx, src, f.kept.Next, pages)
	}()
	defer func() {
		stop()
		for range pages { // until the reader has ended: it uses what the caller is about to give up
		}
	}()
	for p := range pages {
		if err := w.add(p.rows); err != nil {
			return storeError(err)
		}
		f.count(&p)
		if err := j.allow(f.state.Bytes); err != nil {
			return err
		}
		if pending, ok := w.pending(); ok && f.due(j.size) && !p.done {
			if err := f.keep(pending); err != nil {
				return storeError(err)
			}
		}
		if err := j.look(ctx, &f.state, s); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	if err := w.close(); err != nil {
		return storeError(err)
	}
	if err := j.allow(f.state.Bytes); err != nil {
		return err
	}
	f.state.Complete = true
	if err := f.keep(nil); err != nil {
		return storeError(err)
	}
	return nil
}

// readAhead reads all pages behind a place and hands them over, the next one being read meanwhile.
func readAhead(ctx context.Context, src source, at place, to chan<- page) error {
	for {
		p, err := src.next(ctx, at)
		if err != nil {
			return err
		}
		select {
		case to <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.done {
			return nil
		}
		at = p.next
	}
}

// failure is why an export can't be finished: trying again wouldn't help.
type failure struct {
	code domain.ExportProblem
	text string
}

func (e *failure) Error() string { return string(e.code) + ": " + e.text }

// storeError makes a failure of what the place for files says; what is missing there isn't for clients to read.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	var known *failure
	if errors.As(err, &known) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &failure{domain.ExportStoreFailed, "the file can't be written (the server's operator can see why): " + err.Error()}
}
