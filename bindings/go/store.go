package hookbox

// StoreKeyBytesMax is how long the keys of a [Store] are at most, in bytes.
const StoreKeyBytesMax = 511

// Store is an ordered, transactional key-value store of the program's; hookbox builds its whole storage on it.
// It belongs to one box: nobody else writes to it while the box is open. See [OpenStore].
//
// Keys are byte strings of 1 to [StoreKeyBytesMax] bytes, ordered as bytes.Compare has it. Errors that are
// (errors.Is) [ErrStorageFull], [ErrStorageBusy], [ErrStorageCorrupt], [ErrStorageReadOnly] or
// [ErrStorageCommitUnknown] are taken as such, others as [ErrStorageIO]; after any error the transaction is
// rolled back. Methods are called from any thread, and do not call hookbox.
type Store interface {
	// Begin begins a transaction: one that may write (one of these at a time; another waits for it, or is
	// refused with [ErrStorageBusy]), or one that reads beside it, and sees what was committed when it began
	// and nothing later. (A store that cannot do that may make the writer wait for the readers, and them for
	// it.)
	Begin(write bool) (StoreTransaction, error)
}

// StoreTransaction is used by one thread at a time. What is given to it is its own; what it gives is read
// before the next call.
type StoreTransaction interface {
	// Get reads a value, as written by this transaction or before it; false where the key is not there.
	Get(key []byte) (value []byte, found bool, err error)
	// Put writes a value, in the place of the one that was there.
	Put(key, value []byte) error
	// Delete removes a key and its value. A key that is not there is no error.
	Delete(key []byte) error
	// Scan visits each key from `from` on and before `to`, in ascending order or in reverse, until visit
	// returns false. What this transaction wrote is among them.
	Scan(from, to []byte, reverse bool, visit func(key, value []byte) bool) error
	// Commit ends the transaction whatever it returns. After nil everything written survives a power
	// failure. After [ErrStorageCommitUnknown] it may or may not have been committed, after any other error
	// nothing was.
	Commit() error
	// Rollback undoes everything written, and ends the transaction.
	Rollback()
}
