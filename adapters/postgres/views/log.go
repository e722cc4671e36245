package views

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Log is what the views ask of the log beside its entries in order. *eventlog.Log implements it.
type Log interface {
	domain.Log
	// Entries returns a tenant's entries at sequences, in order; what the log doesn't have is left out.
	Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) ([]domain.Entry, error)
	// Streams returns all entries of streams of one tenant up to a sequence, in order of sequence.
	Streams(ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence) ([]domain.Entry, error)
	// SequenceAt returns the last of a tenant's sequences up to one that was recorded at a time or before, -1 for none.
	SequenceAt(ctx context.Context, tenant domain.TenantID, upTo domain.Sequence, at time.Time) (domain.Sequence, error)
	// Claimed looks claims up: for each, in order, who made it, or nil.
	Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error)
	// Hash is a keyed hash under the tenant's own secret: equal texts under one purpose have equal hashes, which tell
	// nothing about the texts without the secret.
	Hash(ctx context.Context, tenant domain.TenantID, purpose string, texts ...string) ([32]byte, error)
}

// Purposes of keyed hashes.
const (
	purposeSubject = "subject"
	purposeRow     = "row" // the MAC of a row of configuration
)
