// Package localpg runs a private Postgres from the binaries found on this machine, so that Hooktrail works with no
// configuration and its tests always have a real database.
//
// A [Config] names one directory. [Start] makes a cluster in it the first time, starts the server on a free loopback
// port and hands out a superuser URL; [Server.Stop] shuts it down. In the directory stand:
//
//	owner.lock         flocked by the process that owns the directory; the kernel drops it however that process dies
//	NAME.password      one line, mode 0600: the superuser's password and those of [Server.RolePassword]
//	data/              the Postgres data directory
//	data.incomplete/   what an initdb that was interrupted left; never served, so it may be removed
//	server.log         what the server says; moved to server.log.1 at a start once it has passed 1 MiB
//
// # Decisions
//
// Own code over os/exec instead of an embedded-postgres library: the known ones delete the data directory when its
// version is not the one they expect, refuse to run as root, and can't cope with a server that a crash left behind.
// Here nothing that was ever served is deleted: a directory that doesn't fit is refused with what to do.
//
// A cluster is made in data.incomplete and renamed when initdb has finished. So data/ is whole or absent, and an
// interrupted first start repairs itself.
//
// Whoever holds owner.lock may stop a server still running in data/: its parent is dead. A leftover is stopped, never
// adopted, so that no session of an earlier process is alive once Start has returned: whatever an earlier
// owner leased in this database may be taken over at once.
//
// As root the server runs as the owner of an existing data directory, else as user postgres, else as nobody: Postgres
// refuses root.
//
// The child sees an allow-list of environment variables: an inherited PGPORT= breaks initdb, and what is secret in our
// environment is nobody else's business.
//
// There is no client library here. That the server accepts connections is read from the status line of
// postmaster.pid, as pg_ctl does.
package localpg
