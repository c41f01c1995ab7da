package hookbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Apps, event types and webhooks: create, list with paging, update each field, delete.
func TestRegistry(t *testing.T) {
	s := newStepped(t)
	profile := must(hookbox.Profile("prelude"))
	var changed map[string]any
	ok(json.Unmarshal(profile, &changed))
	changed["name"] = "ours"
	for i := range 5 {
		own := hookbox.NewApp{ID: fmt.Sprintf("app%d", i), Profile: string(must(json.Marshal(changed)))}
		equal(t, "profile", must(s.CreateApp(ctx, own)).ProfileName, "ours")
	}
	var ids []string
	for _, one := range collect(t, s.Apps(ctx)) {
		ids = append(ids, one.ID)
	}
	equal(t, "apps", fmt.Sprint(ids), fmt.Sprint([]string{app, "app0", "app1", "app2", "app3", "app4"}))
	page := must(s.ListApps(ctx, hookbox.PageRequest{Limit: 4}))
	equal(t, "a page", len(page.Items), 4)
	rest := must(s.ListApps(ctx, hookbox.PageRequest{Limit: 4, Cursor: page.NextCursor}))
	equal(t, "the last page", len(rest.Items) == 2 && rest.NextCursor == "", true)
	for range s.Apps(ctx) {
		break // Leaving early is allowed.
	}
	ok(s.DeleteApp(ctx, "app4"))
	_, err := s.App(ctx, "app4")
	wants(t, err, hookbox.ErrAppNotFound)
	ok(s.DisableApp(ctx, "app3"))
	equal(t, "enabled", must(s.App(ctx, "app3")).Enabled, false)

	types := must(s.EventTypes(ctx))
	equal(t, "event types", len(types), 7)
	ok(s.AddEventTypes(ctx, "order.paid", "order.sent"))
	equal(t, "event types", len(must(s.EventTypes(ctx))), 9)
	ok(s.ReplaceEventTypes(ctx, "user.created", "order.paid"))
	equal(t, "event types", fmt.Sprint(must(s.EventTypes(ctx))), "[order.paid user.created]")
	wants(t, s.AddEventTypes(ctx, "not a type"), hookbox.ErrInvalidWebhookEvent)

	id := must(s.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: "http://127.0.0.1:9000/a", VerificationToken: token, Events: hookbox.OnlyEvents(),
		Description: "first", Environment: "test", Headers: []hookbox.Header{{Name: "X-Own", Value: "1"}},
		BasicAuth: hookbox.BasicAuth{Username: "u", Password: "p"}, Overrides: json.RawMessage(`{"timeout":1000}`),
		Disabled: true,
	})).ID
	created := must(s.Webhook(ctx, app, id))
	equal(t, "created", created.Description == "first" && created.Environment == "test" && created.HasBasicAuth &&
		!created.Enabled && !created.AllEvents && slices.Equal(created.HeaderNames, []string{"X-Own"}), true)
	equal(t, "event types", len(created.EventTypes), 0)
	equal(t, "overrides", bytes.Contains(created.Overrides, []byte(`"timeout":1000`)), true)
	equal(t, "updated at", created.UpdatedAt, s.clock.Now())
	update := func(update hookbox.WebhookUpdate) hookbox.Webhook {
		return must(s.UpdateWebhook(ctx, app, id, update))
	}
	equal(t, "nothing", update(hookbox.WebhookUpdate{}).Description, "first")
	equal(t, "url", update(hookbox.WebhookUpdate{URL: hookbox.Set("http://127.0.0.1:9000/b")}).URL,
		"http://127.0.0.1:9000/b")
	equal(t, "enabled", update(hookbox.WebhookUpdate{Disabled: hookbox.Set(false)}).Enabled, true)
	equal(t, "all", update(hookbox.WebhookUpdate{Events: hookbox.Set(hookbox.AllEvents())}).AllEvents, true)
	equal(t, "only", fmt.Sprint(update(hookbox.WebhookUpdate{
		Events: hookbox.Set(hookbox.OnlyEvents("order.paid")),
	}).EventTypes), "[order.paid]")
	equal(t, "description", update(hookbox.WebhookUpdate{Description: hookbox.Set("")}).Description, "")
	equal(t, "environment", update(hookbox.WebhookUpdate{Environment: hookbox.Set("")}).Environment, "")
	equal(t, "headers", len(update(hookbox.WebhookUpdate{Headers: &[]hookbox.Header{}}).HeaderNames), 0)
	equal(t, "auth", update(hookbox.WebhookUpdate{BasicAuth: &hookbox.BasicAuth{}}).HasBasicAuth, false)
	overrides := json.RawMessage(`{"ordering":"fifo"}`)
	fifo := update(hookbox.WebhookUpdate{Overrides: &overrides}).Overrides
	equal(t, "overrides", bytes.Contains(fifo, []byte(`"fifo"`)) && !bytes.Contains(fifo, []byte("1000")), true)
	wrong := update(hookbox.WebhookUpdate{VerificationToken: hookbox.Set(hookbox.Secret("another"))})
	_, err = s.Activate(ctx, app, wrong.ID)
	wants(t, err, hookbox.ErrWebhookActivationFailed)
	update(hookbox.WebhookUpdate{VerificationToken: hookbox.Set(token)})
	equal(t, "verified", must(s.VerifyWebhook(ctx, app, id)).Verified, true)
	equal(t, "deactivated", must(s.Deactivate(ctx, app, id)).Active, false)

	equal(t, "one more", len(must(s.AddEventType(ctx, app, id, "user.created")).EventTypes), 2)
	equal(t, "one less", len(must(s.RemoveEventType(ctx, app, id, "user.created")).EventTypes), 1)
	equal(t, "all", len(collect(t, s.Webhooks(ctx, app, hookbox.WebhookFilter{}))), 2)
	enabled := hookbox.WebhookFilter{Enabled: hookbox.Set(true)}
	equal(t, "enabled", collect(t, s.Webhooks(ctx, app, enabled))[0].ID, s.webhook.ID)
	disabled := hookbox.WebhookFilter{Enabled: hookbox.Set(false)}
	equal(t, "disabled", collect(t, s.Webhooks(ctx, app, disabled))[0].ID, id)
	ok(s.DeleteWebhook(ctx, app, id))
	wants(t, s.DeleteWebhook(ctx, app, id), hookbox.ErrWebhookNotFound)
}

// Where signing secrets belong to the webhook: made, shown to their owner, rolled.
func TestSigningSecrets(t *testing.T) {
	s := newStepped(t)
	must(s.CreateApp(ctx, hookbox.NewApp{ID: "std", Profile: "standard_webhooks"}))
	webhook := must(s.CreateWebhook(ctx, "std", hookbox.WebhookConfig{URL: "http://127.0.0.1:9000/"}))
	first := must(s.SigningSecrets(ctx, "std", webhook.ID))
	second := must(s.RollSigningSecret(ctx, "std", webhook.ID, "", true))
	both := must(s.SigningSecrets(ctx, "std", webhook.ID))
	equal(t, "secrets", len(first) == 1 && len(both) == 2 && both[0] == second && both[1] == first[0], true)
	_, err := s.RollSigningSecret(ctx, "std", webhook.ID, "nonsense", false)
	wants(t, err, hookbox.ErrInvalidKey)
	equal(t, "none", len(must(s.SigningSecrets(ctx, app, s.webhook.ID))), 0)
	_, err = s.RollSigningSecret(ctx, app, s.webhook.ID, "", false)
	wants(t, err, hookbox.ErrUnsupported)
}
