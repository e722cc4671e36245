// Package replay sends many deliveries again: its Runner moves on the replays that somebody has asked for, and its Preview
// says what one would do.
//
// A replay is a stream of facts, folded by domain.Replay. It walks deliveries, skips or events of one tenant in the order
// of the log, from the views, in steps. A step ends in one group: replay.advanced, which says how far the replay is through
// and what it has counted, and the facts that set the deliveries of the step off. The group expects the replay's version
// and each delivery's, so a step is in the log as a whole or not at all: a process that dies in between, and another that
// goes on, repeat nothing and leave nothing out.
//
// # Decisions
//
// The views tell what to send, the log decides. A step reads a snapshot of the views that has all the replay's own steps.
// What has changed since is a conflict, and the step is planned again. So the walk needs no memory beyond one step.
//
// What a replay finds is as of when it comes there: a delivery that dies behind it isn't taken up, one that dies ahead of
// it is. The range of the walk is fixed when the replay is asked for, so it doesn't follow what is appended meanwhile.
//
// One node runs all replays, under the lease "replays", so that a replay's own rate holds. The lease changes hands like
// that of a shard; the dispatcher's heartbeats tell who lives. Rejected: a lease for each replay, which spreads work that a
// single node does in passing: what costs is delivering, and that is spread by shards.
//
// A replay is held back by what it has set off: while maxUntried of its deliveries haven't been tried since, it waits. So
// it goes as fast as its receivers answer, well or not; one that is paused holds a replay up. Within the endpoint's lane the
// deliveries of replays come last (adapters/dispatch).
//
// A replay has succeeded when all is set off. What became of that is counted by the views as the deliveries end.
package replay
