package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"math"
)

func apiKeyOf(k *C.hookbox_api_key) APIKey {
	return APIKey{
		ID:                text(k.id),
		Name:              text(k.name),
		AppID:             text(k.app_id),
		ReadOnly:          bool(k.read_only),
		RequestsPerSecond: int(k.requests_per_second),
		CreatedAt:         timeOf(k.created_at_ms),
		ExpiresAt:         timeOf(k.expires_at_ms),
		RevokedAt:         timeOf(k.revoked_at_ms),
		LastUsedAt:        timeOf(k.last_used_at_ms),
	}
}

// CreateAPIKey makes a key of the management API ([Box.Handler]). What comes back has the only copy of the key
// itself: the box keeps a digest.
//
// Errors: [ErrInvalidRequest], [ErrAppNotFound]; [ErrInvalidArgument] unless exactly one of App and AllApps is set.
func (b *Box) CreateAPIKey(ctx context.Context, key NewAPIKey) (CreatedAPIKey, error) {
	if (key.App != "") == key.AllApps {
		return CreatedAPIKey{}, argumentError("Invalid argument: an API key is for one App, or for AllApps.")
	}
	if key.RequestsPerSecond < 0 || key.RequestsPerSecond > math.MaxInt32 {
		return CreatedAPIKey{}, argumentError("Invalid argument: an API key has 1 to 10 000 requests a second.")
	}
	var secret *C.hookbox_texts
	var record *C.hookbox_api_key
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		given := C.hookbox_new_api_key{
			struct_size:         C.uint32_t(C.sizeof_hookbox_new_api_key),
			requests_per_second: C.uint32_t(key.RequestsPerSecond),
			name:                lent.str(key.Name),
			app:                 lent.str(key.App),
			expires_at_ms:       millisOf(key.ExpiresAt),
			read_only:           C.bool(key.ReadOnly),
		}
		return C.hookbox_api_key_create(c, &given, &secret, &record, e)
	})
	if err != nil {
		return CreatedAPIKey{}, err
	}
	defer C.hookbox_api_key_free(record)
	return CreatedAPIKey{APIKey: apiKeyOf(record), Secret: Secret(takeTexts(secret)[0])}, nil
}

// ListAPIKeys gives one page of API keys, the oldest first: those for one app, or all (empty). Revoked and expired
// ones stay listed. [Box.APIKeys] goes over all pages.
func (b *Box) ListAPIKeys(ctx context.Context, app string, page PageRequest) (Page[APIKey], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[APIKey]{}, err
	}
	var out *C.hookbox_api_key_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_api_key_list(c, str(app), str(page.Cursor), limit, &out, e)
	})
	if err != nil {
		return Page[APIKey]{}, err
	}
	defer C.hookbox_api_key_page_free(out)
	return Page[APIKey]{listOf(out.items, out.count, apiKeyOf), text(out.next_cursor)}, nil
}

// RevokeAPIKey revokes an API key by its id, for good. Revoking it again changes nothing. Errors:
// [ErrAPIKeyNotFound].
func (b *Box) RevokeAPIKey(ctx context.Context, id string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_api_key_revoke(c, str(id), e)
	})
}
