package export

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Written is what Write made of an export.
type Written struct {
	domain.ExportFile
	Erased   int64
	Erasures []domain.Sequence
	Path     string
}

// Write writes an export's file in a directory, from where an earlier call left it. look is called after each page.
func Write(ctx context.Context, log Log, views projections.Views, x *domain.Export, dir string, size Steps, look func() error) (Written, error) {
	j := &job{
		log: log, views: views, export: x, dir: dir, size: size,
		allow: func(int64) error { return nil },
		look:  func(context.Context, *state, span) error { return look() },
	}
	f, s, err := j.write(ctx)
	return Written{f, s.Erased, s.Erasures, dir + "/" + partName}, err
}

// WritePaced writes an export's file at the pace of a server.
func WritePaced(ctx context.Context, log Log, views projections.Views, x *domain.Export, dir string) (domain.ExportFile, error) {
	j := &job{
		log: log, pacer: &pacer{log: log}, views: views, export: x, dir: dir, size: usual(),
		allow: func(int64) error { return nil },
		look:  func(context.Context, *state, span) error { return nil },
	}
	f, _, err := j.write(ctx)
	return f, err
}

// Steps are the sizes of what is read and written at once.
type Steps = steps

// Usual are those of a server.
var Usual = usual

// Small makes steps so small that short histories have many.
func Small(deliveries, entries, frame int) Steps {
	s := usual()
	s.deliveries, s.entries, s.frame, s.checkRows = deliveries, entries, frame, 1
	return s
}
