package hookbox_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Keys of the management API: create, use, list with paging, read-only, expired, revoke, not found.
func TestAPIKeys(t *testing.T) {
	s := newStepped(t)
	must(s.CreateApp(ctx, hookbox.NewApp{ID: "other"}))
	server := httptest.NewServer(s.Handler(hookbox.APIPrelude))
	defer server.Close()
	webhooks := server.URL + "/v2/session/apps/" + app + "/webhooks"

	created := must(s.CreateAPIKey(ctx, hookbox.NewAPIKey{
		Name: "dashboard", App: app, RequestsPerSecond: 7, ExpiresAt: s.clock.Now().Add(time.Hour),
	}))
	equal(t, "record", created.APIKey, hookbox.APIKey{
		ID: created.ID, Name: "dashboard", AppID: app, RequestsPerSecond: 7, CreatedAt: s.clock.Now(),
		ExpiresAt: s.clock.Now().Add(time.Hour),
	})
	equal(t, "the id begins it", strings.HasPrefix(string(created.Secret), created.ID) &&
		len(created.Secret) > len(created.ID)+20, true)
	equal(t, "shown", strings.Contains(fmt.Sprintf("%+v %#v", created, created), string(created.Secret)), false)
	list := asks(t, "GET", webhooks, created.Secret, "")
	equal(t, "used", list.status, 200)
	equal(t, "used at", must(s.ListAPIKeys(ctx, "", hookbox.PageRequest{})).Items[0].LastUsedAt, s.clock.Now())

	s.clock.set(s.clock.Now().Add(time.Minute)) // Listed in the order of their milliseconds.
	reading := must(s.CreateAPIKey(ctx, hookbox.NewAPIKey{AllApps: true, ReadOnly: true}))
	equal(t, "every app, read-only, fifty a second",
		reading.AppID == "" && reading.ReadOnly && reading.RequestsPerSecond == 50 && reading.ExpiresAt.IsZero(), true)
	equal(t, "read-only reads", asks(t, "GET", webhooks, reading.Secret, "").status, 200)
	equal(t, "read-only writes", asks(t, "DELETE", webhooks+"/"+s.webhook.ID, reading.Secret, "").status, 403)

	s.clock.set(s.clock.Now().Add(time.Minute))
	for range 3 {
		must(s.CreateAPIKey(ctx, hookbox.NewAPIKey{App: "other"}))
	}
	equal(t, "all", len(collect(t, s.APIKeys(ctx, ""))), 5)
	equal(t, "of one app", len(collect(t, s.APIKeys(ctx, "other"))), 3)
	page := must(s.ListAPIKeys(ctx, "", hookbox.PageRequest{Limit: 4}))
	equal(t, "a page", len(page.Items) == 4 && page.Items[0].ID == created.ID, true)
	rest := must(s.ListAPIKeys(ctx, "", hookbox.PageRequest{Limit: 4, Cursor: page.NextCursor}))
	equal(t, "the last page", len(rest.Items) == 1 && rest.NextCursor == "", true)

	ok(s.RevokeAPIKey(ctx, reading.ID))
	ok(s.RevokeAPIKey(ctx, reading.ID))
	equal(t, "revoked", asks(t, "GET", webhooks, reading.Secret, "").status, 401)
	equal(t, "revoked at", collect(t, s.APIKeys(ctx, ""))[1].RevokedAt, s.clock.Now())
	s.clock.set(s.clock.Now().Add(time.Hour))
	equal(t, "expired", asks(t, "GET", webhooks, created.Secret, "").status, 401)

	err := s.RevokeAPIKey(ctx, "hbk_00000000000000000000000000")
	wants(t, err, hookbox.ErrAPIKeyNotFound)
	for _, wrong := range []struct {
		key    hookbox.NewAPIKey
		status hookbox.Status
	}{
		{hookbox.NewAPIKey{}, hookbox.ErrInvalidArgument},
		{hookbox.NewAPIKey{App: app, AllApps: true}, hookbox.ErrInvalidArgument},
		{hookbox.NewAPIKey{App: app, RequestsPerSecond: -1}, hookbox.ErrInvalidArgument},
		{hookbox.NewAPIKey{App: app, RequestsPerSecond: 10_001}, hookbox.ErrInvalidRequest},
		{hookbox.NewAPIKey{App: app, Name: strings.Repeat("x", 101)}, hookbox.ErrInvalidRequest},
		{hookbox.NewAPIKey{App: app, ExpiresAt: time.Unix(0, 0)}, hookbox.ErrInvalidRequest},
		{hookbox.NewAPIKey{App: "nobody"}, hookbox.ErrAppNotFound},
	} {
		_, err := s.CreateAPIKey(ctx, wrong.key)
		wants(t, err, wrong.status)
	}
}
