package domain

import (
	"context"
	"time"
)

// Draft is one fact on its way into the log.
type Draft struct {
	Tenant TenantID
	Stream Stream
	// Expected is the version the stream must have for the draft to be appended: 0 for a stream that doesn't exist yet,
	// AnyVersion to append whatever it is.
	Expected int
	By       Actor
	// Cause is the sequence of the entry in the same tenant's log that led to this one; 0 for none (sequence 0, the
	// tenant's creation, causes nothing).
	Cause Sequence
	// Subject is whom the personal parts are about; it chooses their key and is never stored in the clear. Empty for nobody:
	// they share the tenant's key.
	Subject string
	// SubjectKey, where it isn't zero, is the key under which the personal parts are sealed, whoever the subject is: that of
	// the event's entry, for what becomes of the event. If it was destroyed the entry is appended without those parts.
	SubjectKey UUID
	// Retention is the retention class of the content; empty: RetentionDefault for events and deliveries, and a class of
	// its own for everything else.
	Retention string
	Fact      Fact
	Reason    string          // why a person did it; optional, a part of its own
	Context   *RequestContext // of a change of configuration: from where it was asked for; optional, a part of its own
}

// RequestContext is from where a change was asked for.
type RequestContext struct {
	Address   string `json:"address,omitempty"` // of the client, as the server saw it, without the port
	UserAgent string `json:"user_agent,omitempty"`
}

// AnyVersion as a Draft's expectation appends to the stream whatever its version.
const AnyVersion = -1

// Actor is who did something. The zero value is the instance itself.
type Actor struct {
	Principal  UUID `json:"principal,omitzero"`  // the person or system behind the key
	Credential UUID `json:"credential,omitzero"` // the key that was used
}

// Group is what one caller wants appended together: all of it or nothing, contiguous, in order. Drafts may be of several
// tenants; a draft sees the stream versions that the drafts before it make.
//
// A tenant's log begins with tenant.created, and only with it; a second one is refused with ErrConflict, also when the
// tenant is deleted.
type Group struct {
	Drafts []Draft
	Claims []Claim
	// Fences: the append is refused with ErrFenced unless each holds at commit (Lease.Holds): its Owner has its lease at its
	// Epoch. There are several where a group starts first attempts of several shards.
	Fences []Fence
	// Takes are leases that the append takes over; see Take.
	Takes []Take
	// Basis: the append is refused with ErrStale unless the drafts were decided by the newest configuration; nil: they
	// don't depend on it.
	Basis *Basis
}

// Basis says by which configuration of a tenant a group was decided.
type Basis struct {
	Tenant TenantID
	// Configuration is the sequence of the tenant's last entry that configures routing (Kind.Configures) among those that
	// the decision knew.
	Configuration Sequence
	// Decide, where it isn't nil, decides a stale group again, under the append lock, instead of having it refused. newer are
	// the tenant's entries that configure routing after Configuration, in order, at least one. It returns what replaces the
	// group's drafts, fences and basis; claims keep their meaning. It must not block: all appends wait for it.
	Decide func(newer []Entry) (drafts []Draft, fences []Fence, err error)
}

// Claim reserves a key for ever: an idempotency key of a caller, or an event id chosen by a producer. The second append
// with the same key is refused with a *ClaimedError that says where the first one's entries are.
type Claim struct {
	Tenant TenantID
	Scope  string   // what the key is unique in, such as "idempotency/<credential>/<operation>" or "event/<source>"
	Key    string   // as the client sent it; only a keyed hash of scope and key is stored
	Digest [32]byte // of the request: tells a repetition from a reuse
	First  int      // index of the first draft that answers the claim; all that do are of the claim's tenant
	Count  int      // how many drafts do; at least one
}

// Fence names a lease under which a group is appended.
type Fence struct {
	Lease string // "shard/07"
	Owner UUID   // the node
	Epoch int64
	// Ending: of deliveries the group says only that attempts have ended. So it is also accepted from a node that has given
	// the lease away, until the time that its Parting names.
	Ending bool
}

// Take is one lease taken over by the append that carries it. The append is refused with ErrFenced unless the lease's
// epoch is Epoch-1 (0 and no owner: never taken) and its owner's heartbeat is older than Expiry (or there is none), or the
// owner is in Displaced.
type Take struct {
	Lease     string
	Owner     UUID
	Epoch     int64
	Expiry    time.Duration
	Displaced []UUID // owners known to be dead, such as this node before its restart
	// Partings are all that hold from then on: that of the former owner, where it gives the lease away with attempts under
	// way, and those before it whose time isn't over.
	Partings []Parting
}

// Entry is a fact as kept in the log.
type Entry struct {
	Position      Position
	Tenant        TenantID
	Sequence      Sequence
	Stream        Stream
	StreamVersion int // from 1
	Kind          Kind
	KindVersion   int
	By            Actor
	Cause         Sequence
	RecordedAt    time.Time // UTC, whole microseconds, strictly increasing with Position
	// Leaf holds the exact bytes that went into the tenant's Merkle tree. They are not to be changed.
	Leaf []byte
	// Fact is nil when nothing of the content can be opened any more (see Erased and Damaged) or the kind is unknown to this
	// program. Facts are shared between readers and must not be changed.
	Fact    Fact
	Reason  string
	Context *RequestContext
	// SubjectKey is the key that seals the entry's personal parts; zero: it has none, or they are the tenant's.
	SubjectKey UUID
	// Critical reports that a program which doesn't know the kind must not pass over the entry.
	Critical bool
	// Erased reports that the subject's parts were destroyed: they have their zero values in Fact. Where the tenant's were
	// destroyed as well, Fact is nil.
	Erased bool
	// Damaged reports that the content, or some of it, doesn't open although its keys exist: Fact is nil.
	Damaged bool
}

// EventSequence returns the sequence of the event that an event.appended or event.routed entry is about. Entries that
// continue an event's routing follow it in the same group, before its sequence was known, so they can't name it; one that
// names a cause names the event.
func (e *Entry) EventSequence() Sequence {
	if e.Kind == KindEventRouted && e.Cause != 0 {
		return e.Cause
	}
	return e.Sequence - Sequence(e.StreamVersion-1)
}

// Outcome is what became of one group. Exactly one of the two is set.
type Outcome struct {
	Entries []Entry // one per draft, in order
	Err     error
}

// Query selects entries of one tenant for an audit. The zero value of a member doesn't restrict.
type Query struct {
	Tenant      TenantID
	From, To    *Sequence // inclusive, exclusive
	Since       time.Time // recorded_at, inclusive
	Until       time.Time // recorded_at, exclusive
	Kind        Kind      // whole name, or a prefix ending in ".*"
	Stream      Stream
	Actor       UUID // principal or credential
	Descending  bool
	Limit       int  // at most this many; it must be positive
	Examine     int  // of Scan: examine at most this many entries; 0, and anything larger, is MaxExamined
	Bytes       int  // of Scan: open contents of up to this many bytes, and one entry more; 0, and anything larger, is MaxScanned
	HeadersOnly bool // leave Fact nil and Reason empty, also where they could be read
}

// MaxExamined bounds the entries that one Scan examines.
const MaxExamined = 20_000

// MaxScanned bounds the bytes of the contents that one Scan opens, by at most one entry more.
const MaxScanned = 8 << 20

// ScanBytes is the query's bound on the bytes of contents.
func (q *Query) ScanBytes() int {
	if q.Bytes < 1 || q.Bytes > MaxScanned {
		return MaxScanned
	}
	return q.Bytes
}

// examined is the query's bound on the entries that one Scan examines.
func (q *Query) examined() Sequence {
	if q.Examine < 1 || q.Examine > MaxExamined {
		return MaxExamined
	}
	return Sequence(q.Examine)
}

// OneStep reports whether one Scan examines all that a query whose times are resolved is about, however large the log is.
func (q *Query) OneStep() bool {
	return q.Stream != (Stream{}) || q.From != nil && q.To != nil && *q.To-*q.From <= q.examined()
}

// Step narrows a query whose times are resolved to what one Scan examines of a log with size entries, and returns where the
// next Scan begins if this one finds less than Limit; nil: there is nothing more. A query for one stream goes by its index and
// is one step.
func (q *Query) Step(size Sequence) *Sequence {
	from, to := Sequence(0), size
	if q.From != nil {
		from = *q.From
	}
	if q.To != nil {
		to = min(to, *q.To)
	}
	q.From, q.To = &from, &to
	examine := q.examined()
	if q.Stream != (Stream{}) || to-from <= examine {
		return nil
	}
	next := from + examine
	if q.Descending {
		next = to - examine
		q.From = &next
	} else {
		q.To = &next
	}
	return &next
}

// After returns where a Scan goes on behind what it found: behind the last entry where it found as many as the query's
// Limit or was cut short at its Bytes, else where its step ended.
func (q *Query) After(found []Entry, step *Sequence, cut bool) *Sequence {
	if len(found) < q.Limit && !cut {
		return step
	}
	next := found[len(found)-1].Sequence
	if !q.Descending {
		next++
	}
	return &next
}

// GoOn has the query begin where an earlier step ended.
func (q *Query) GoOn(next Sequence) {
	if q.Descending {
		q.To = &next
	} else {
		q.From = &next
	}
}

// Log is the append-only log. Implementations are safe for concurrent use.
//
// Two exist: adapters/postgres/eventlog, and domain/logtest's in memory, with which decisions are tested on a fake clock.
type Log interface {
	// Append commits each group by itself, atomically, and returns one outcome a group, in order. Groups of one call are
	// appended in order and usually by one commit. It returns when all are decided; when ctx ends before that, what was
	// not yet begun is abandoned and the rest carries ctx's error, although it may still be committed. A log that outlives
	// the program refuses kinds and versions of later formats than it is raised to with ErrFormat.
	Append(ctx context.Context, groups ...Group) []Outcome

	// Page returns entries of all tenants after a position, in order, at most limit (and at least one if there is one).
	// It never skips: what it returns is contiguous with after.
	Page(ctx context.Context, after Position, limit int) ([]Entry, error)

	// Await returns when the log may have grown beyond a position, when a second has passed, or when ctx ends. It returns at
	// once if a page that ended at the position was cut short although the log goes on.
	Await(ctx context.Context, after Position)

	// Head returns the position of the last entry, 0 when there is none.
	Head(ctx context.Context) (Position, error)

	// Scan is one bounded step of an audit query over one tenant's log: it examines at most MaxExamined entries, whether they match or not. next is where
	// the next step begins (Query.GoOn), also where nothing was found yet; nil: everything was examined. It ends early
	// where the contents that it opens reach the query's Bytes.
	Scan(ctx context.Context, q Query) (found []Entry, next *Sequence, err error)
}

// Select answers an audit query in as many steps as it takes; with a filter that matches few entries it may go through all of the
// tenant's log.
func Select(ctx context.Context, log Log, q Query) ([]Entry, error) {
	var found []Entry
	for limit := q.Limit; ; {
		some, next, err := log.Scan(ctx, q)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
		if next == nil || len(found) == limit {
			return found, nil
		}
		q.Limit = limit - len(found)
		q.GoOn(*next)
	}
}

// AppendOne appends one group and returns its entries.
func AppendOne(ctx context.Context, log Log, group Group) ([]Entry, error) {
	outcome := log.Append(ctx, group)[0]
	return outcome.Entries, outcome.Err
}
