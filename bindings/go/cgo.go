package hookbox

// How the C library is linked: from the archive in native/, whose copies of SQLite and its like are hidden
// from the rest of the program; or, with the build tag hookbox_dynamic, as pkg-config says.

/*
#cgo !hookbox_dynamic CFLAGS: -I${SRCDIR}/native
#cgo !hookbox_dynamic,linux,amd64 LDFLAGS: ${SRCDIR}/native/libhookbox_linux_amd64.a
#cgo !hookbox_dynamic,linux,arm64 LDFLAGS: ${SRCDIR}/native/libhookbox_linux_arm64.a
#cgo !hookbox_dynamic,linux LDFLAGS: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
#cgo hookbox_dynamic pkg-config: hookbox
#include "hookbox/sys.h"
*/
import "C"

import (
	"sync"

	// The folders with the library, for `go mod vendor`.
	_ "github.com/hookbox/hookbox/bindings/go/native"
	_ "github.com/hookbox/hookbox/bindings/go/native/hookbox"
)

// Version is the C library's version, as "0.1.0".
func Version() string { return C.GoString(C.hookbox_version()) }

// SQLiteVersion is the version of the copy of SQLite that the library runs on, as "3.51.3".
func SQLiteVersion() string { return C.GoString(C.hookbox_sqlite_version()) }

// SQLiteIsBundled says whether the library runs on a copy of SQLite of its own. If so, nothing else in this
// process may open a box's file: two copies of SQLite in one process corrupt a file that both have open. If
// not, it shares the system's, and [Box.EmitIn] works.
func SQLiteIsBundled() bool { return C.hookbox_sqlite_is_bundled() == 1 }

// checkVersion refuses a library that does not serve what this package was compiled with. It is asked once,
// before the first box or verifier.
var checkVersion = sync.OnceValue(func() error {
	return try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_version_check(C.HOOKBOX_VERSION_NUMBER, e)
	})
})
