package hookbox

// #include "hookbox/sys.h"
import "C"

import "context"

func webhookOf(w *C.hookbox_webhook) Webhook {
	return Webhook{
		ID:             text(w.id),
		AppID:          text(w.app_id),
		URL:            text(w.url),
		AllEvents:      bool(w.all_events),
		EventTypes:     textsOf(w.event_types, w.event_type_count),
		Verified:       bool(w.verified),
		Enabled:        bool(w.enabled),
		Active:         bool(w.active),
		HasBasicAuth:   bool(w.has_basic_auth),
		LastHTTPCode:   int(w.last_http_code),
		LastHTTPCodeAt: timeOf(w.last_http_code_at_ms),
		Description:    text(w.description),
		Environment:    text(w.environment),
		Overrides:      jsonOf(w.overrides),
		HeaderNames:    textsOf(w.header_names, w.header_name_count),
		CreatedAt:      timeOf(w.created_at_ms),
		UpdatedAt:      timeOf(w.updated_at_ms),
		LastEnabledAt:  timeOf(w.last_enabled_at_ms),
		LastDisabledAt: timeOf(w.last_disabled_at_ms),
	}
}

// webhookConfig lends a configuration to C.
func (l *lender) webhookConfig(w *WebhookConfig) C.hookbox_webhook_config {
	given := C.hookbox_webhook_config{
		struct_size:        C.uint32_t(C.sizeof_hookbox_webhook_config),
		events:             C.HOOKBOX_EVENTS_DEFAULT,
		url:                l.str(w.URL),
		verification_token: l.str(string(w.VerificationToken)),
		description:        l.str(w.Description),
		environment:        l.str(w.Environment),
		username:           l.str(w.BasicAuth.Username),
		password:           l.str(string(w.BasicAuth.Password)),
		signing_secret:     l.str(string(w.SigningSecret)),
		overrides:          l.raw(w.Overrides),
		disabled:           C.bool(w.Disabled),
	}
	switch {
	case w.Events.all:
		given.events = C.HOOKBOX_EVENTS_ALL
	case w.Events.only:
		given.events = C.HOOKBOX_EVENTS_ONLY
		given.event_types, given.event_type_count = l.strs(w.Events.types)
	}
	given.headers, given.header_count = l.pairs(w.Headers)
	return given
}

// config turns an update into the fields that change, and a configuration that has them.
func (u *WebhookUpdate) config() (C.uint32_t, WebhookConfig) {
	var fields C.uint32_t
	var config WebhookConfig
	if u.URL != nil {
		fields, config.URL = fields|C.HOOKBOX_WEBHOOK_URL, *u.URL
	}
	if u.VerificationToken != nil {
		fields, config.VerificationToken = fields|C.HOOKBOX_WEBHOOK_TOKEN, *u.VerificationToken
	}
	if u.Events != nil {
		fields, config.Events = fields|C.HOOKBOX_WEBHOOK_EVENTS, *u.Events
	}
	if u.Description != nil {
		fields, config.Description = fields|C.HOOKBOX_WEBHOOK_DESCRIPTION, *u.Description
	}
	if u.Environment != nil {
		fields, config.Environment = fields|C.HOOKBOX_WEBHOOK_ENVIRONMENT, *u.Environment
	}
	if u.Headers != nil {
		fields, config.Headers = fields|C.HOOKBOX_WEBHOOK_HEADERS, *u.Headers
	}
	if u.BasicAuth != nil {
		fields, config.BasicAuth = fields|C.HOOKBOX_WEBHOOK_BASIC_AUTH, *u.BasicAuth
	}
	if u.Overrides != nil {
		fields, config.Overrides = fields|C.HOOKBOX_WEBHOOK_OVERRIDES, *u.Overrides
	}
	if u.Disabled != nil {
		fields, config.Disabled = fields|C.HOOKBOX_WEBHOOK_ENABLED, *u.Disabled
	}
	return fields, config
}

type webhookCall func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status

func (b *Box) webhook(ctx context.Context, call webhookCall) (Webhook, error) {
	var out *C.hookbox_webhook
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status { return call(c, &out, e) })
	if err != nil {
		return Webhook{}, err
	}
	defer C.hookbox_webhook_free(out)
	return webhookOf(out), nil
}

// CreateWebhook registers a webhook. It is inactive until [Box.Activate] (except under a profile without
// verification), and is owed what is emitted from then on.
//
// Errors, checked in this order: [ErrAppNotFound], [ErrSessionDisabled], [ErrInvalidRequest],
// [ErrInvalidWebhookEvent], [ErrWebhookInvalidURL].
func (b *Box) CreateWebhook(ctx context.Context, app string, config WebhookConfig) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		given := lent.webhookConfig(&config)
		return C.hookbox_webhook_create(c, str(app), &given, out, e)
	})
}

// Webhook reads a webhook. Errors: [ErrAppNotFound], [ErrWebhookNotFound].
func (b *Box) Webhook(ctx context.Context, app, webhook string) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_get(c, str(app), str(webhook), out, e)
	})
}

// ListWebhooks gives one page of an app's webhooks in order of registration. [Box.Webhooks] goes over all.
// Errors: [ErrAppNotFound].
func (b *Box) ListWebhooks(
	ctx context.Context, app string, filter WebhookFilter, page PageRequest,
) (Page[Webhook], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[Webhook]{}, err
	}
	enabled := C.int32_t(C.HOOKBOX_ANY)
	if filter.Enabled != nil {
		enabled = C.HOOKBOX_DISABLED
		if *filter.Enabled {
			enabled = C.HOOKBOX_ENABLED
		}
	}
	var out *C.hookbox_webhook_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_list(c, str(app), enabled, str(filter.Environment), str(page.Cursor), limit,
			&out, e)
	})
	if err != nil {
		return Page[Webhook]{}, err
	}
	defer C.hookbox_webhook_page_free(out)
	return Page[Webhook]{listOf(out.items, out.count, webhookOf), text(out.next_cursor)}, nil
}

// UpdateWebhook changes the fields of a webhook that are not nil in `update`. What it was owed before stays
// owed. Errors: as [Box.CreateWebhook], and [ErrWebhookNotFound].
func (b *Box) UpdateWebhook(ctx context.Context, app, webhook string, update WebhookUpdate) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		fields, config := update.config()
		given := lent.webhookConfig(&config)
		return C.hookbox_webhook_update(c, str(app), str(webhook), fields, &given, out, e)
	})
}

// DeleteWebhook deletes a webhook with its batches and attempts. Errors: [ErrAppNotFound],
// [ErrSessionDisabled], [ErrWebhookNotFound].
func (b *Box) DeleteWebhook(ctx context.Context, app, webhook string) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_delete(c, str(app), str(webhook), e)
	})
}

// AddEventType subscribes a webhook to one more event type, from now on. Twice is as good as once. Errors: as
// [Box.UpdateWebhook].
func (b *Box) AddEventType(ctx context.Context, app, webhook, eventType string) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_add_event_type(c, str(app), str(webhook), str(eventType), out, e)
	})
}

// RemoveEventType unsubscribes a webhook from an event type, from now on; what it was owed stays owed. Removing
// what is not there is no error. Errors: as [Box.UpdateWebhook]; [ErrInvalidRequest] for a webhook that hears all
// types.
func (b *Box) RemoveEventType(ctx context.Context, app, webhook, eventType string) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_remove_event_type(c, str(app), str(webhook), str(eventType), out, e)
	})
}

// Activate asks the endpoint to prove its ownership, and makes the webhook active: verified and enabled. What
// waited for it goes out again. Takes as long as the endpoint does, within the profile's deadline. When the
// context ends it returns; the challenge goes on by itself, and may still succeed.
//
// Errors: [ErrWebhookActivationFailed], its message says what the endpoint did; nothing is changed then.
// [ErrAppNotFound], [ErrSessionDisabled], [ErrWebhookNotFound].
func (b *Box) Activate(ctx context.Context, app, webhook string) (Webhook, error) {
	return detached(ctx, func(ctx context.Context) (Webhook, error) {
		return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_webhook_activate(c, str(app), str(webhook), out, e)
		})
	})
}

// VerifyWebhook is [Box.Activate], but leaves the operator's switch as it is (Fingerprint's verification call).
func (b *Box) VerifyWebhook(ctx context.Context, app, webhook string) (Webhook, error) {
	return detached(ctx, func(ctx context.Context) (Webhook, error) {
		return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_webhook_verify(c, str(app), str(webhook), out, e)
		})
	})
}

// Deactivate switches a webhook off. It is not owed what is emitted from now on; what it was owed waits. Errors:
// [ErrAppNotFound], [ErrSessionDisabled], [ErrWebhookNotFound].
func (b *Box) Deactivate(ctx context.Context, app, webhook string) (Webhook, error) {
	return b.webhook(ctx, func(c *C.hookbox_box, out **C.hookbox_webhook, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_deactivate(c, str(app), str(webhook), out, e)
	})
}

// SigningSecrets are what a webhook's deliveries are signed with, the current one first; none under a profile
// that signs with the app's key. For the receiver's owner only. Errors: [ErrWebhookNotFound], [ErrSealBroken].
func (b *Box) SigningSecrets(ctx context.Context, app, webhook string) ([]Secret, error) {
	list, err := b.texts(ctx, func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_signing_secrets(c, str(app), str(webhook), out, e)
	})
	var secrets []Secret
	for _, secret := range list {
		secrets = append(secrets, Secret(secret))
	}
	return secrets, err
}

// RollSigningSecret makes a signing secret the current one (empty: hookbox makes one), and gives it. With
// keepPrevious deliveries carry a signature of each until the next call. Errors: [ErrInvalidKey];
// [ErrUnsupported] where the profile signs with the app's key.
func (b *Box) RollSigningSecret(
	ctx context.Context, app, webhook string, secret Secret, keepPrevious bool,
) (Secret, error) {
	list, err := b.texts(ctx, func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_roll_signing_secret(c, str(app), str(webhook), str(secret),
			C.bool(keepPrevious), out, e)
	})
	if err != nil {
		return "", err
	}
	return Secret(list[0]), nil
}
