// Package dispatch turns events into webhooks: the router says in the log to whom each event goes, the dispatcher makes
// the attempts and says in the log how they ended.
//
// Its working state is a fold of the log in memory. For each endpoint a lane holds a window: the first of its waiting
// deliveries by due time and position. A worker (a goroutine for each attempt that may be under way) takes the first that
// is due, appends the intent, sends, and appends the end together with the next intent. One goroutine folds the log
// (feed), one routes while this node leads (router), one watches the clock for all lanes, two keep the leases.
//
// # Decisions
//
// Intent goes before wire. No request begins before its attempt.started is committed, so every request that a receiver
// can have seen stands in the log, whatever dies when. The price is one commit before each first byte; the end of one
// attempt and the start of the next share theirs, and the router starts first attempts in the commit that routes.
//
// Only the feed moves the fold, and answers only release items. What a worker appended comes back through the feed like
// everybody's entries; the answer of an append tells the worker which version the fold has to reach before the delivery
// may be taken up again. Loaders wait until they are where the feed is and then hand over; they never move it. Rejected:
// applying outcomes when Append returns. That is a second fold, which disagrees with the first whenever an answer is
// lost. Consequence: a retry is planned a moment after its commit, when the feed gets there.
//
// Nothing here is believed, the log decides. Every append expects its stream's version, so a stale item or a repeated
// append after a lost answer can only fail. What is said of a delivery (start, end, cancellation) is fenced by its shard's
// lease; a routing by the router's, and by those of the shards on which it starts attempts; taking a lease by its own
// epoch. So a second router or a deposed node can only fail too, and each failure has one meaning: conflict is "the fold
// will tell", fenced is "drop the shard", unavailable is "ask again until it is known". An outcome is never dropped while
// its process lives and holds the shard.
//
// Not sent is something else than unknown. This process knows of an attempt that it started itself and has not in hand
// that nothing was sent: it ends as failed, not_sent. An attempt of a former owner, this very node before it lost the
// shard included, may have reached the receiver: it ends as unknown. Both are followed by another, and neither is
// reported as what it isn't.
//
// The router folds configuration by itself, at the position of the event that it routes; the dispatcher has its own fold,
// at the feed's. They run at different speeds, and an event must be matched against the configuration at its position.
// The router meets the dispatcher only where it takes slots for attempts that begin with the routing, and only once the
// feed has the endpoint's version that the event was routed with: no attempt uses what was replaced before its event came.
//
// There is no overlay of touched deliveries. Reading more into a window, and recovering a shard, are the same thing
// (loader): the view's rows at its position, corrected by folding the log from there to where the feed is. The log is
// the overlay; it costs no memory and may be of any length. A delivery that was touched while it lay beyond every window
// is a stub until its row is read.
//
// A delivery's id ends in the six bits in which its endpoint's ends: its shard. An entry of a delivery's stream names no
// endpoint, and without this every node would have to know every delivery to tell which are its own. There are 64 shards
// for ever.
//
// A lease changes hands only by lease.taken, and a node holds what the fold says that it holds. Handing a shard over is an
// append by who has it, in the name of who gets it, after the last attempt on it has ended: nothing becomes unknown by
// it, and other shards don't notice. A node whose own heartbeat had a gap takes nothing from others until it has beaten
// for a whole expiry, since the gap may have been the database's.
//
// A first attempt is always due: its time in the log is the database's, whose clock may be ahead of this one. Later ones
// are due by the local clock of whoever has the shard.
//
// A 410 disables the endpoint in the group that ends the attempt, which expects the endpoint as the fold has it. If
// somebody has changed it, the end goes alone and the disabling is decided anew when the fold has the change: an outcome
// never waits for it. What waits for a disabled endpoint waits until it is resumed. Automatic disabling after nothing but
// failures is judged in the background, only when a delivery's schedule has just ended, and by the views as of that entry;
// a judgement says until when no other can come of it, so that an endpoint that is down isn't judged at every dead
// delivery.
//
// A receiver that gets too much slows down its whole lane: until the time that it asks for nothing begins, then one
// attempt goes first, and the others only when the receiver no longer complains. Those that wait count no attempts. It is
// kept in memory, for a new owner learns the same by one attempt. Rejected: a breaker of our own making for other failures.
// A schedule is a promise, and what fails for long is disabled.
//
// Operational events are appended with the facts that they speak of, by whoever appends those, only while the fold has a
// subscription to them, and never about deliveries of such events. Then they are events like any other.
//
// An entry that can't be folded stops the node's dispatching, not the node: appends and reads need none of it. Its leases go
// to whoever can go on. Rejected: ending the process, which takes the API along and comes to the same entry again after
// each restart; and skipping the entry, after which all would be wrong.
//
// What bounds memory: deliveries in windows by Settings.Window for an endpoint and Settings.Budget for all, past which an
// endpoint keeps a few; attempts under way by each endpoint's concurrency; contents by Settings.ContentBytes; what waits to
// be cancelled by not reading on while much does; a page of the log by its number of entries. A paused endpoint's backlog
// lies in the view. Lanes go with their endpoints. Not bounded: the configuration, which is in memory whole, and
// deliveries whose rows a lagging view doesn't have yet.
//
// What is cancelled or closed as unknown names no subject: it says nothing about the event.
//
// What isn't honoured yet: an endpoint's "ordered". Deliveries of one endpoint go out in the order in which they are due,
// as many at once as its concurrency allows.
package dispatch
