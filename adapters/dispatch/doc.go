// Package dispatch turns events into webhooks: the router says in the log to whom each event goes, the dispatcher makes
// the attempts and says in the log how they ended.
package dispatch
