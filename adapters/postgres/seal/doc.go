// Package seal keeps the master key, the secrets from which content keys are made, and the secrets of endpoints, and it
// turns the parts of facts into sealed contents and back.
//
// # Decisions
//
// A content has two sections: the tenant's parts, and the personal ones of the entry's subject. The key of a section is
// made of two secrets, by HKDF: the tenant's or the subject's, and that of the period (tenant, retention class, month).
// An erasure destroys the subject's secret, retention the period's; neither has to touch a content. What is about
// nobody has one section, and so one seal.
//
// Each subject has one secret for ever, not one a month: a subject who appears every month would otherwise cost a row
// every month, and an erasure would have to find them all. A subject who returns after an erasure gets a new secret;
// what was sealed before names the destroyed one by its id, and nothing is sealed under it again.
//
// Missing secrets are made as candidates, in memory, and inserted by the append that uses them first. A candidate loses
// if another process was quicker: the append lock shows that, and the appender seals the content again under the secret
// that is there. A look-up beforehand would cost every new subject a query, which is what the loser costs.
//
// A destroyed secret's row stays without its wrapped bytes, with the time and the entry that had it destroyed. A
// missing row is therefore damage, never an erasure.
//
// The wrapping of a secret authenticates everything that its row says, so that no row can be given another purpose. The
// seal of a section authenticates the entry's leaf but for its time and sequence, so that no content can be put into
// another entry.
//
// Small contents are compressed by package s2 with a dictionary. It clears a table of 64 KiB on the stack for each
// content, which costs 5 µs an entry more than an encoder made for contents of some hundred bytes did
// (BenchmarkAppend/delivery of package eventlog, medians of six alternating runs: 58.7 and 53.7 µs), and 20 bytes an
// event. That is 10 µs of the 230 µs of processor time that a delivery takes, 4 %. Rejected for it: that encoder, 110
// lines whose every fault would lose contents for ever. What it wrote has the same form and opens as ever.
//
// Claims, subjects and fingerprints are hashed under a tenant's own secret and not under the master key or one of the
// instance: a tenant can then be moved to another database, and rotating the master key changes no hash.
package seal
