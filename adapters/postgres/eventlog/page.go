package eventlog

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// maxPage bounds a page whatever its reader asks for.
const maxPage = 50_000

// maxPageBytes bounds the leaves and contents of a page that is read from the database, by at most one entry more.
const maxPageBytes = 32 << 20

// logPageSQL reads the entries after a position: up to a number of them, which bounds the positions as well ($4), and
// up to a number of bytes, at least one entry. Their sizes are read first: that touches no content that is stored out
// of line, and doesn't carry the others through the sum.
const logPageSQL = `
	SELECT ` + entryColumnsSQL + ` FROM entries
	 WHERE position > $1 AND position <= $4 AND position <= (
	       SELECT greatest(max(position) FILTER (WHERE total <= $3), min(position))
	         FROM (SELECT position, sum(octet_length(leaf) + coalesce(octet_length(content), 0)) OVER (ORDER BY position) AS total
	                 FROM entries WHERE position > $1 AND position <= $4 ORDER BY position LIMIT $2) AS sizes)
	 ORDER BY position LIMIT $2`

// Page implements domain.Log. What this process appended lately comes from memory; else a page ends
// before maxPageBytes.
func (r *reader) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read a page of the log: %w", err)
	}
	limit = min(max(limit, 1), maxPage)
	after = max(after, 0)
	if page := r.recent.page(after, limit); len(page) > 0 {
		return page, nil
	}
	rows, err := r.vital.Query(ctx, logPageSQL, int64(after), limit, maxPageBytes, int64(after)+int64(limit))
	if err != nil {
		return nil, postgres.DomainError("read a page of the log", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, postgres.DomainError("read a page of the log", err)
	}
	size := 0
	for i := range sealed {
		size += len(sealed[i].Leaf) + len(sealed[i].content)
		if want := after + 1 + domain.Position(i); sealed[i].Position != want {
			return nil, fmt.Errorf("the log has a hole at position %d (hint: restore the database; nothing goes on behind a hole)", want)
		}
	}
	entries, err := r.openEntries(ctx, r.vital, sealed)
	if err != nil {
		return nil, fmt.Errorf("read a page of the log: %w", err)
	}
	n := len(entries)
	if n == 0 {
		return nil, nil
	}
	last := &entries[n-1]
	r.known.see(last.Position, last.Leaf)
	head := last.Position
	if n < limit && size > maxPageBytes/2 { // perhaps its bytes ended it: whoever waits for more mustn't wait for an append
		if head, err = r.Head(ctx); err != nil {
			return nil, err
		}
	}
	r.growth.grow(head)
	return entries, nil
}
