// Package dispatch turns events into webhooks. Its Router appends events together with where they go; its Dispatcher makes
// the attempts and records how they ended.
//
// # The life of a delivery
//
//	           Router.Append                                  Router.Append
//	           with a free slot                               without (slot, shard, or rate)
//	                 │                                              │
//	                 ▼                                              ▼
//	event.appended {delivery, First} ──────┐       event.appended {delivery}
//	                 │                     │                        │ the feed folds it
//	                 │ the process died,   │                        ▼
//	                 │ or lost the answer  │     ┌──────────── waiting (window, or the view beyond it) ◄──┐
//	                 ▼                     ▼     ▼ worker claims it when due                              │
//	         closed as unknown        attempt open ◄── delivery.attempt_started                           │
//	         or not_sent                   │                                                              │
//	                 │                     │ worker sends                                                 │
//	                 ▼                     ▼                                                              │
//	      delivery.attempt_finished {outcome, status, next attempt} ── retrying ──────────────────────────┘
//	                 │            │            ▲
//	             succeeded       dead ── delivery.redriven        waiting ── delivery.cancelled ──► cancelled
//
// Router.Append (router.go) decides in its caller's goroutine (route.go), reserves slots (firsts.go), appends, and launches
// what the commit has begun. The feed (feed.go) alone folds the log into lanes and windows. A worker (worker.go) is a
// goroutine for each attempt that may be under way: it claims the first delivery of its endpoint that is due, appends the
// intent, sends, and appends the end together with the next intent. What nobody sends, closings and cancellations, goes
// through pending.go. A loader (load.go) reads what is waiting in the view. leases.go and plan.go share the shards among
// nodes.
//
// # Decisions
//
// Intent goes before wire. No request begins before the log has its intent, so every request that a receiver can have seen
// is in the log, whatever dies when. The commit that accepts an event is the intent of the first attempts that it names;
// the end of one attempt and the start of the next share a commit.
//
// Routing is part of the append. It is a pure function of the event and one tenant's configuration. The node folds that
// once, in the feed, and publishes immutable snapshots, so that routing never waits for the dispatcher's lock. The group
// names the configuration that it was decided by, and the log refuses it when there is a newer one: the feed is usually
// some milliseconds behind, which the Router waits for. After two refusals the log decides by itself under its lock, with
// what the group says of the configuration and the entries after it, so a tenant that changes its configuration all the time
// can't starve its producers. What is decided so begins no attempt. Rejected: a router that follows the log, which costs a
// second commit before each first byte, and where one tenant's costly filters hold up all others. Consequence: a tenant's
// filters cost its own producers, within a budget an event and one a call.
//
// A slot is reserved before the append and given back, with its token of the rate limit, unless the append is known to be
// committed. The delivery is in its shard's map meanwhile, so that the feed, which may see the entry before the caller
// does, leaves it alone. Where the answer is lost, or the caller stops waiting, the map has it no more: the feed finds an
// attempt that this node began and doesn't have in hand, and closes it as not sent.
//
// Only the feed moves the fold, and answers only release items. What a worker appended comes back through the feed like
// everybody's entries; the answer of an append tells the worker which version the fold has to reach before the delivery
// may be taken up again. Loaders wait until they are where the feed is and then hand over; they never move it. Rejected:
// applying outcomes when Append returns. That is a second fold, which disagrees with the first whenever an answer is
// lost. Consequence: a retry is planned a moment after its commit, when the feed gets there.
//
// What an entry means for a delivery is decided by domain.Delivery.Fold, for the views, the feed and loaders alike.
//
// Nothing here is believed, the log decides. Every append expects its stream's version, so a stale item or a repeated
// append after a lost answer can only fail. What is recorded of a delivery (start, end, cancellation) is fenced by its
// shard's lease, and so is an event that begins attempts; taking a lease is, by its own epoch. So a deposed node can only
// fail too, and each failure has one meaning: conflict is "the fold will tell", stale is "decide again", fenced is "drop the
// shard" (of an event: "begin nothing"), unavailable is "ask again until it is known". An outcome is never dropped while its
// process lives and holds the shard.
//
// Not sent is something else than unknown. This process knows of an attempt that it started itself and has not in hand
// that nothing was sent: it ends as failed, not_sent. An attempt of a former owner, this very node before it lost the
// shard included, may have reached the receiver: it ends as unknown. Both are followed by another, and neither is
// reported as what it isn't.
//
// There is no overlay of touched deliveries. Reading more into a window, and recovering a shard, are the same thing
// (loader): the view's rows at its position, corrected by folding the log from there to where the feed is. The log is
// the overlay; it costs no memory and may be of any length. Of a delivery that was touched while it lay beyond every window
// a placeholder keeps the entries until its row is read.
//
// A delivery's id ends in the six bits in which its endpoint's ends: its shard. An entry of a delivery's stream names no
// endpoint, and without this every node would have to know every delivery to tell which are its own. There are 64 shards
// for ever.
//
// A lease changes hands only by lease.taken, and a node holds what the fold says that it holds. Handing a shard over is an
// append by who has it, in the name of who gets it, after the last attempt on it has ended: nothing becomes unknown by
// it, and other shards don't notice. A node that stops gives its shards away in the same way, each as soon as it is idle. A
// node whose own heartbeat had a gap takes nothing from others until it has beaten for a whole expiry, since the gap may
// have been the database's.
//
// A first attempt is always due: its time in the log is the database's, whose clock may be ahead of this one. Later ones
// are due by the local clock of whoever has the shard.
//
// A 410 disables the endpoint in the group that ends the attempt, which expects the endpoint as the fold has it. If
// somebody has changed it, the end goes alone and the disabling is decided anew when the fold has the change: an outcome
// never waits for it. What waits for a disabled endpoint waits until it is resumed. Automatic disabling after nothing but
// failures is judged in the background, only when a delivery's schedule has just ended, and by the views as of that entry;
// a judgement includes until when no other can come of it, so that an endpoint that is down isn't judged at every dead
// delivery.
//
// A receiver that gets too much slows down its whole lane: until the time that it asks for nothing begins, then one
// attempt goes first, and the others only when the receiver no longer complains. Those that wait count no attempts. It is
// kept in memory, for a new owner learns the same by one attempt. Rejected: a breaker of our own making for other failures.
// A schedule is a promise, and what fails for long is disabled.
//
// Operational events are appended with the facts that they are about, by whoever appends those and through the Router, only
// while the fold has a subscription to them, and never about deliveries of such events. Then they are events like any other.
//
// An entry that can't be folded stops the node's dispatching, not the node. Its shards go to whoever can go on, while the
// configuration is still folded and events are appended and routed. If it is the configuration that can't be folded, events
// are refused as unavailable, with the reason; everything else is appended and read. Rejected: ending the process, which
// takes the API along and comes to the same entry again after each restart; and skipping the entry, after which all would
// be wrong. Entries of kinds that this program doesn't know are passed over unless they are critical. A damaged entry of one
// event or delivery concerns that one alone.
//
// Erasing a person changes nothing here but that their events can't be sent any more: deliveries that wait are cancelled when
// their turn comes. Dispatcher.Forget drops what memory has.
//
// What bounds memory: deliveries in windows by Settings.Window for an endpoint and Settings.Budget for all, past which an
// endpoint keeps a few; attempts under way by each endpoint's concurrency; contents by Settings.ContentBytes; what waits to
// be cancelled by not reading on while much does; a page of the log by its number of entries. A paused endpoint's backlog
// lies in the view. Lanes go with their endpoints. Not bounded: the configuration, which is in memory whole, and
// deliveries whose rows a lagging view doesn't have yet.
//
// What isn't honoured yet: an endpoint's "ordered". Deliveries of one endpoint go out in the order in which they are due,
// as many at once as its concurrency allows.
package dispatch
