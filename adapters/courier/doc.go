// Package courier makes one attempt from end to end: it opens the endpoint's secrets, makes the target that they and
// the wire format come to, writes the request, has it sent, and says what the answer means and what the log keeps of
// it.
//
// [Courier.Send] makes an attempt of a delivery, [Courier.Handshake] asks a receiver whether it wants one, and
// [Courier.Body] writes an attempt's body again from the log. When to try, and what becomes of the delivery, is the
// dispatcher's; bytes, signatures and sockets are package webhook's. [Profiles] is the set of wire formats of this
// node.
//
// # Decisions
//
// The courier knows the webhook adapter, the only adapter that knows another: an attempt is made in its words, and an
// interface between the two would repeat all of them. Everything else that it needs, it asks for through [Secrets] and
// [Added], so it is tested without a log or a database.
//
// A target, with its secrets opened, is kept for as long as its endpoint's version and keys are in use. Rejected:
// opening the secrets for each attempt, which is one query and one decryption a secret. Consequence: secrets of
// recently used endpoints are in this process's memory. A changed secret has another version of the endpoint, so a kept
// target is never out of date.
//
// What can't be sent is no fault of the receiver. An event that the format can't carry is refused for good; whatever
// else keeps a request from being made (a secret that doesn't open, a database that stalls, a format that only a newer
// program can read) is a failed attempt that is retried, and counts nothing against the endpoint.
package courier
