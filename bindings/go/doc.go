// Package hookbox is an embedded webhook outbox: a program opens a box (one SQLite file, or a PostgreSQL
// database), creates an app, registers webhooks and emits events; hookbox delivers them, signed, for two
// weeks if need be, and keeps a record of every attempt. For receivers there are [Verifier] and [Receiver];
// [Box.Handler] is the management API.
//
// # SQLite
//
// Inside one process a file may be opened by one copy of SQLite only: two copies drop each other's locks, and
// corrupt it. As it is linked by default, hookbox brings a copy of its own: the program must not open the
// box's file with another one (mattn/go-sqlite3, modernc.org/sqlite), though it may use those for other
// files. Other processes may open the file. See [SQLiteIsBundled].
//
// # Errors
//
// Every error of hookbox is an [*Error]; a [Status] such as [ErrAppNotFound] is compared with errors.Is.
// Contexts that end give their own errors.
//
// # Contexts
//
// Every call that touches the storage takes a context, which is looked at before the call. Calls that wait
// for somebody else ([Box.Activate], [Box.WaitIdle]) or for much work ([Box.Backup]) return when it ends, and
// [Box.Poll] after the request at hand; the others are a transaction in a file and run to their end, so that
// their outcome is known.
//
// # Goroutines and callbacks
//
// A [Box] and a [Verifier] may be used by any number of goroutines. What they give is the caller's: plain
// values, no memory of C. What a program brings itself (notices, [Transport], [Clock], [Store], a signer) is
// called by several of hookbox's threads at once; a panic in it is contained, told to the log (log/slog, with
// its stack), and counts as a failure that is ours, not the endpoint's. It must not call runtime.Goexit.
package hookbox
