package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"encoding/json"
)

// Profile gives a built-in profile as JSON, to be changed and given to [Box.CreateApp]: "prelude",
// "fingerprint" or "standard_webhooks".
//
// Errors: [ErrInvalidRequest] for another name.
func Profile(name string) (json.RawMessage, error) {
	var out *C.hookbox_texts
	err := try(func(e **C.hookbox_error) C.hookbox_status { return C.hookbox_profile(str(name), &out, e) })
	if err != nil {
		return nil, err
	}
	return json.RawMessage(takeTexts(out)[0]), nil
}

func appOf(a *C.hookbox_app) App {
	return App{
		ID:          text(a.id),
		Enabled:     bool(a.enabled),
		CreatedAt:   timeOf(a.created_at_ms),
		ProfileName: text(a.profile_name),
		Profile:     jsonOf(a.profile),
	}
}

type appCall func(c *C.hookbox_box, out **C.hookbox_app, e **C.hookbox_error) C.hookbox_status

func (b *Box) app(ctx context.Context, call appCall) (App, error) {
	var out *C.hookbox_app
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status { return call(c, &out, e) })
	if err != nil {
		return App{}, err
	}
	defer C.hookbox_app_free(out)
	return appOf(out), nil
}

// CreateApp creates an app, with a signing key where its profile signs with one.
//
// Errors: [ErrAppExists]; [ErrAppNotFound] when the text cannot be an app's id; [ErrInvalidRequest] for a
// profile out of range, and for a KeyID without a KeyPEM; [ErrInvalidKey].
func (b *Box) CreateApp(ctx context.Context, app NewApp) (App, error) {
	bits, err := bitsOf(app.KeyBits)
	if err != nil {
		return App{}, err
	}
	return b.app(ctx, func(c *C.hookbox_box, out **C.hookbox_app, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		given := C.hookbox_new_app{
			struct_size: C.uint32_t(C.sizeof_hookbox_new_app),
			key_bits:    bits,
			id:          lent.str(app.ID),
			profile:     lent.str(app.Profile),
			key_pem:     lent.str(string(app.KeyPEM)),
			key_id:      lent.str(app.KeyID),
		}
		return C.hookbox_app_create(c, &given, out, e)
	})
}

// App reads an app. Errors: [ErrAppNotFound].
func (b *Box) App(ctx context.Context, app string) (App, error) {
	return b.app(ctx, func(c *C.hookbox_box, out **C.hookbox_app, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_app_get(c, str(app), out, e)
	})
}

// ListApps gives one page of apps in order of id. [Box.Apps] goes over all.
func (b *Box) ListApps(ctx context.Context, page PageRequest) (Page[App], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[App]{}, err
	}
	var out *C.hookbox_app_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_app_list(c, str(page.Cursor), limit, &out, e)
	})
	if err != nil {
		return Page[App]{}, err
	}
	defer C.hookbox_app_page_free(out)
	return Page[App]{listOf(out.items, out.count, appOf), text(out.next_cursor)}, nil
}

// EnableApp lets an app take events and changes again. Errors: [ErrAppNotFound].
func (b *Box) EnableApp(ctx context.Context, app string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_app_enable(c, str(app), e)
	})
}

// DisableApp disables an app: emits and changes are refused with [ErrSessionDisabled], and its deliveries wait.
// Errors: [ErrAppNotFound].
func (b *Box) DisableApp(ctx context.Context, app string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_app_disable(c, str(app), e)
	})
}

// DeleteApp deletes an app with everything of its: keys, webhooks, events, batches and attempts. Errors:
// [ErrAppNotFound].
func (b *Box) DeleteApp(ctx context.Context, app string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_app_delete(c, str(app), e)
	})
}

// EventTypes is the catalogue of event types, in order of name; by default the seven of the Prelude profile.
func (b *Box) EventTypes(ctx context.Context) ([]string, error) {
	return b.texts(ctx, func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_event_types_list(c, out, e)
	})
}

// AddEventTypes adds event types to the catalogue: 1 to 128 characters of A-Z a-z 0-9 . _ - / : each. Errors:
// [ErrInvalidWebhookEvent].
func (b *Box) AddEventTypes(ctx context.Context, types ...string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		first, count := lent.strs(types)
		return C.hookbox_event_types_add(c, first, count, e)
	})
}

// ReplaceEventTypes makes these the whole catalogue. Events and subscriptions of other types stay as they are;
// new ones are refused. Errors: [ErrInvalidWebhookEvent].
func (b *Box) ReplaceEventTypes(ctx context.Context, types ...string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		first, count := lent.strs(types)
		return C.hookbox_event_types_replace(c, first, count, e)
	})
}
