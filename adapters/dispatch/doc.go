// Package dispatch turns events into webhooks. Its Router appends events together with where they go; its Dispatcher
// makes the attempts and records how they ended.
//
// # The states of a delivery
//
// The log decides what state a delivery is in: domain.Delivery.Fold folds its facts, for the views, the feed and
// loaders alike.
//
//	                  [1]
//	        ┌──────────┴────────────┐
//	        ▼                       ▼
//	     pending ──── [2] ───► attempt open ◄─── [2] ─── retrying
//	        │                       │                     ▲ │ ▲
//	        │                       │ [3]                 │ │ │
//	        │         ┌─────────────┼─────────────────────┘ │ │
//	        │         ▼             ▼                       │ │
//	        │     succeeded       dead ─────── [4] ─────────┼─┘
//	        │                                               │
//	        └── [5] ──────────► cancelled ◄──────── [5] ────┘
//
//	[1] event.appended             Router.Append. If a slot is free and nothing is due before, the entry names the first
//	                               attempt, which is open by that
//	[2] delivery.attempt_started   recorder, for a worker that has claimed the delivery when it was due
//	[3] delivery.attempt_finished  recorder, for the worker that made the attempt; in the background, for an attempt that
//	                               nobody has in hand: unknown, or not_sent. It names the next attempt's time (retry.go)
//	[4] delivery.redriven          the API
//	[5] delivery.cancelled         recorder, in the background, when the endpoint, all subscriptions that matched or the
//	                               tenant are deleted, or the event was erased
//
// An attempt that is open when its delivery is cancelled still ends, and the delivery stays cancelled unless the
// attempt has succeeded. One that is open when its shard is given away is ended [3] by the node that has begun it; see
// "Parting" below.
//
// # The phases of an item
//
// An item is a delivery in memory: one that isn't at its end, in the lane of its endpoint. What isn't in memory waits
// in the views, beyond its lane's horizon.
//
//	waiting   in its lane's window. A worker claims it when it is due; it is taken out to be cancelled when its endpoint goes;
//	          an entry of its stream has it settled again; it is forgotten when the window is full
//	held      a task has it in hand: a worker, a reservation, or what appends a cancellation or an end in the background.
//	          Released with the version that the append reached, it is settled if the fold has got there, else stale
//	stale     the fold is behind. It is settled when the fold catches up
//	parted    a former owner of the shard, which parts with it, has the attempt under way. It is settled by the next entry
//	          of its stream, or as an attempt that nobody makes when that node's time is over
//
// To settle an item is to put it where it belongs: into the window, or, held, among the facts to be appended, if it is
// to be cancelled or has an attempt open that nobody makes; or to forget it, if nothing is left to do.
//
// # Who owns what
//
//	router.go     Router: decides in its caller's goroutine where an event goes (route.go, by snapshots.go), reserves slots
//	              for first attempts (firsts.go), appends, and launches what the commit has begun
//	feed.go       feed: folds the log, page by page, into lanes and snapshots; alone moves the position (progress.go)
//	lanes.go      lanes: the lock, the shards that this node holds (shard.go), a lane for each endpoint (lane.go) with its
//	              window, throttle and timer; what is under way (slots.go). Decides what begins when
//	worker.go     worker: a goroutine for each slot that is occupied: claim, record the start, send, record the end
//	recorder.go   recorder: puts starts, ends and cancellations into the log and knows what each outcome of an append means
//	disable.go    disabler: disables endpoints that are gone or have failed for too long (notice.go drafts)
//	retry.go      when a failed delivery is tried again
//	load.go       reader: reads what is waiting from the views: shards that were taken, windows that run empty
//	leases.go     leases: decides which shards this node has (plan.go), takes, hands over, retires
//	dispatcher.go Dispatcher: makes these parts and runs them
//
// # Locks
//
// In this order, and no lock is taken while one that comes later is held:
//
//	feed.turn     the fold keeps still: held by the feed for a page and by a loader while it hands over. The log may be read
//	lanes.mu      all of lanes, shards, lanes' windows and items. No I/O, nothing blocks
//	one of        progress.mu, snapshots.mu, contents.mu: no other lock is taken while one of them is held
//
// A method of lanes, shard, lane or item either takes lanes.mu or says that it is held. Each that takes it and changes
// something ends with lanes.pump, which begins what the change lets begin.
//
// # Words
//
//	route     decide to whom an event goes
//	reserve   occupy slots for first attempts before the append that begins them
//	occupy    take one of an endpoint's slots; vacate gives it back
//	claim     take the next delivery that is due out of its lane's window
//	open      of an attempt: started and not ended
//	release   give an item back after an append, with the version that the append has reached
//	settle    put an item that nobody has in hand where it belongs
//	pump      begin what may begin in the lanes that were touched
//	append    put entries into the log; record: append what became of a delivery
//
// # Decisions
//
// Intent goes before wire. No request begins before the log has its intent, so every request that a receiver can have
// seen is in the log, whatever dies when. The commit that accepts an event is the intent of the first attempts that it
// names; the end of one attempt and the start of the next share a commit.
//
// Routing is part of the append. It is a pure function of the event and one tenant's configuration. The node folds that
// once, in the feed, and publishes immutable snapshots, so that routing never waits for the lanes' lock. The group
// names the configuration that it was decided by, and the log refuses it when there is a newer one: the feed is usually
// some milliseconds behind, which the Router waits for. After two refusals the log decides by itself under its lock,
// with what the group says about the configuration and the entries after it, so a tenant that changes its configuration
// all the time can't starve its producers. What is decided so begins no attempt. Rejected: a router that follows the
// log, which costs a second commit before each first byte, and where one tenant's costly filters hold up all others.
// Consequence: a tenant's filters cost its own producers, within a budget per event and one per call.
//
// A slot is reserved before the append and given back, with its token of the rate limit, unless the append is known to
// be committed. The delivery is in its shard's map meanwhile, so that the feed, which may see the entry before the
// caller does, leaves it alone. Where the answer is lost, or the caller stops waiting, the delivery is taken out of the
// map: the feed finds an attempt that this node began and doesn't have in hand, and closes it as not sent.
//
// Only the feed moves the fold, and answers only release items. What a worker appended comes back through the feed like
// all other entries; the answer of an append tells the worker which version the fold has to reach before the delivery
// may be claimed again. Loaders wait until they are where the feed is and then hand over; they never move it. Rejected:
// applying outcomes when Append returns. That is a second fold, which disagrees with the first whenever an answer is
// lost. Consequence: a retry is planned a moment after its commit, when the feed gets there.
//
// One lock for all lanes, one owner. The fold of a page, a claim and a reservation each need the configuration, a lane
// and the counts of slots as of one moment. Everything else has left that lock: reading, drafting, appending,
// snapshots, contents and the position. Rejected: a lock for each lane, since a page of the log touches hundreds and
// configuration touches all of a tenant; and a lane's scheduler in the method that gives the lock back, where no reader
// expects one. The lanes call upwards only through the interface crew, always in a new goroutine, so that nothing that
// blocks can run under the lock.
//
// The attempts under way of a node are bounded (slots.go), and nobody takes more than three times what is left to
// others: tenants beside tenants, and the endpoints of a tenant beside each other. So receivers that never answer hold
// three quarters of the slots, and the next tenant finds one. When the bound is reached, a slot that comes free goes to
// the tenant with the fewest under way, there to the endpoint with the fewest, and a worker gives its slot up for such a
// one. First attempts in the append obey the same rule, and never wait for a slot. Rejected: a fixed share for each
// tenant, which leaves most of the slots idle most of the time. Consequence: with more tenants at receivers that never
// answer than there are slots, all take turns.
//
// The shards that a node holds are in lanes, although leases decides about them: the fold alone brings them in and takes
// them away, in the order of the log, with the deliveries that are folded into them. Disabling an endpoint is apart from
// recording an attempt (disabler, recorder), since it goes on after the attempt's end is in the log, and decides again what
// somebody has changed meanwhile.
//
// The log's word counts, not this node's. Every append expects its stream's version, so a stale item or a repeated
// append after a lost answer can only fail. What is recorded of a delivery (start, end, cancellation) is fenced by its
// shard's lease, and so is an event that begins attempts; taking a lease is fenced by its own epoch. So a deposed node
// can only fail too, and each failure has one meaning: conflict is "the fold will tell", stale is "decide again",
// fenced is "drop the shard" (of an event: "begin nothing"), unavailable is "ask again until it is known". An outcome
// is never dropped while its process lives and holds the shard.
//
// Not sent is something else than unknown. This process knows of an attempt that it started itself and doesn't have in
// hand that nothing was sent: it ends as failed, not_sent. An attempt of a former owner, this very node before it lost
// the shard included, may have reached the receiver: it ends as unknown. Both are followed by another, and neither is
// reported as what it isn't.
//
// There is no overlay of touched deliveries. Reading more into a window, and recovering a shard, are the same thing
// (loader): the view's rows at its position, corrected by folding the log from there to where the feed is. The log is
// the overlay; it costs no memory and may be of any length. For a delivery that was touched while it lay beyond every
// window a placeholder keeps the entries until its row is read.
//
// A delivery's id ends in the six bits in which its endpoint's ends: its shard. An entry of a delivery's stream names
// no endpoint, and without this every node would have to know every delivery to tell which are its own. There are
// always 64 shards.
//
// A lease changes hands only by lease.taken, and a node holds what the fold says that it holds. Handing a shard over is
// an append by its owner, in the name of the next one. A node that stops gives all its shards away in the same way, at
// once. A node whose own heartbeat had a gap takes nothing from others until it has beaten for a whole expiry, since
// the gap may have been the database's.
//
// Parting: a shard is given away with its attempts under way, so that what hangs at one endpoint holds up nothing else.
// lease.taken names the node that parts and until when its attempts may end: their latest deadline and a margin, which
// also bounds by how much the nodes' clocks may differ. Until then the log accepts ends of attempts, and nothing else,
// under the former owner's epoch as well (domain.Fence.Ending); the stream's version decides between the two nodes, as
// between all others. The former owner keeps and folds the items that its tasks have in hand (lanes.left), records their
// ends without the next start, and claims nothing. The new owner begins all other deliveries at once, counts the attempts
// that it leaves open as the endpoint's, and closes them as unknown at that time, or when the node has retired. Each
// lease.taken repeats what of earlier partings isn't over, so the newest one of a lease says all. Rejected: to wait for
// the last attempt of a shard, which stops all its deliveries for as long as one receiver hangs; and ends that every
// former owner may record for ever, since a node that was deposed may have been closed for long.
//
// A first attempt is always due: its time in the log is the database's, whose clock may be ahead of this one. Later
// ones are due by the local clock of the shard's owner.
//
// A 410 disables the endpoint in the group that ends the attempt, which expects the endpoint as the fold has it. If
// somebody has changed it, the end goes alone and the disabling is decided again when the fold has the change: an
// outcome never waits for it. What waits for a disabled endpoint waits until it is resumed. Automatic disabling after
// nothing but failures is judged in the background, only when a delivery's schedule has just ended, and by the views as
// of that entry; a judgement says until when the next one can't differ, so that an endpoint that is down isn't judged
// at every dead delivery.
//
// A receiver that gets too much slows down its whole lane: until the time that it asks for nothing begins, then one
// attempt goes first, and the others only when the receiver no longer complains. Deliveries that wait count no
// attempts. The throttle is kept in memory, for a new owner learns the same by one attempt. Rejected: a breaker of our
// own making for other failures. A schedule is a promise, and an endpoint that fails for long is disabled.
//
// Operational events are appended with the facts that they are about, by whoever appends those and through the Router,
// only while the fold has a subscription to them, and never about deliveries of such events. Then they are events like
// any other.
//
// An entry that can't be folded stops the node's dispatching, not the node. Its shards go to a node that can go on,
// while the configuration is still folded and events are appended and routed. If it is the configuration that can't be
// folded, events are refused as unavailable, with the reason; everything else is appended and read. Rejected: ending
// the process, which takes the API along and comes to the same entry again after each restart; and skipping the entry,
// after which all would be wrong. Entries of kinds that this program doesn't know are passed over unless they are
// critical. A damaged entry of one event or delivery concerns that one alone.
//
// Erasing a person changes nothing here but that their events can't be sent any more: deliveries that wait are
// cancelled when they are claimed. Dispatcher.Forget drops what memory has.
//
// What bounds memory: deliveries in windows by Settings.Window for an endpoint and Settings.Budget for all, past which
// an endpoint keeps a few; attempts under way by Settings.Attempts and each endpoint's concurrency; contents by Settings.ContentBytes; what
// waits to be cancelled by not reading on while much does; a page of the log by its number of entries. A paused
// endpoint's backlog is left to the view. Lanes go with their endpoints. Not bounded: the configuration, which is in
// memory whole, and deliveries whose rows a lagging view doesn't have yet.
//
// The event of a waiting delivery is read when it is claimed, and with it, in one page, those that its lane will ask for
// next, as far as they lie close together in the log (contents.go): a backlog costs a small part of a read a delivery.
// One page is read at a time, so that what it takes is bounded, and of the workers of a lane that all miss one reads.
//
// Not honoured yet: an endpoint's "ordered". Deliveries of one endpoint go out in the order in which they are due,
// as many at once as its concurrency allows.
package dispatch
