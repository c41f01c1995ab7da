//go:build hookbox_dynamic

package hookbox

// LinkInfo says how this program is linked with the C library.
const LinkInfo = "dynamic, by pkg-config"
