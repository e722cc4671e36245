package projections

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Export is what lists need of an export: the rest is in its stream, which domain.Export folds.
type Export struct {
	ID         domain.UUID
	Tenant     domain.TenantID
	Created    Origin    // zero in what the fold puts of an export that isn't new
	Unfinished bool      // it hasn't succeeded, failed or been cancelled
	KeptUntil  time.Time // when its file expires; zero: there is none
}

// exportOf is what an entry of an export's stream makes of the export; false: nothing. An entry whose content can't be read
// any more says it by its kind.
func exportOf(e *domain.Entry) (Export, bool) {
	row := Export{ID: e.Stream.ID, Tenant: e.Tenant}
	switch e.Kind {
	case domain.KindExportCreated:
		row.Created, row.Unfinished = OriginOf(*e), true
	case domain.KindExportFinished:
		if f, ok := e.Fact.(*domain.ExportFinished); ok {
			row.KeptUntil = f.Result.ExpiresAt
		}
	case domain.KindExportFailed, domain.KindExportCancelled, domain.KindExportExpired:
	default:
		return row, false
	}
	return row, true
}

func applyExport(s Store, e *domain.Entry) error {
	if row, ok := exportOf(e); ok {
		return s.PutExport(row)
	}
	return nil
}
