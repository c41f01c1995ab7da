package hookbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// answer is what a server of a test's answered.
type answer struct {
	status int
	header http.Header
	body   string
}

// asks makes one request, of JSON where it has a body.
func asks(t *testing.T, method, url string, key hookbox.Secret, body string) answer {
	t.Helper()
	request := must(http.NewRequest(method, url, strings.NewReader(body)))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+string(key))
	}
	return does(t, request)
}

func does(t *testing.T, request *http.Request) answer {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return answer{response.StatusCode, response.Header, string(must(io.ReadAll(response.Body)))}
}

// The management API in a server of Go's own, with API keys.
func TestAPI(t *testing.T) {
	s := newStepped(t)
	must(s.CreateApp(ctx, hookbox.NewApp{ID: "other"}))
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler(hookbox.APIPrelude))
	mux.Handle("/below/", http.StripPrefix("/below", s.Handler(hookbox.APIFingerprint)))
	server := httptest.NewServer(mux)
	defer server.Close()
	key := must(s.CreateAPIKey(ctx, hookbox.NewAPIKey{App: app})).Secret
	base := server.URL + "/v2/session/apps/" + app
	events := server.URL + "/hookbox/v1/apps/" + app + "/events"

	stranger := asks(t, "GET", base+"/webhooks", "", "")
	equal(t, "without a key", stranger.status, 401)
	equal(t, "challenge", stranger.header.Get("WWW-Authenticate"), "Bearer")
	equal(t, "as JSON", stranger.header.Get("Content-Type"), "application/json")
	equal(t, "code", strings.Contains(stranger.body, `"unauthorized"`), true)

	created := asks(t, "POST", base+"/webhooks", key,
		`{"url":"http://127.0.0.1:9000/b","verification_token":"t","events":["user.created"]}`)
	equal(t, "create", created.status, 201)
	var one struct{ Webhook struct{ ID, URL string } }
	ok(json.Unmarshal([]byte(created.body), &one))
	equal(t, "stored", must(s.Webhook(ctx, app, one.Webhook.ID)).URL, "http://127.0.0.1:9000/b")
	got := asks(t, "GET", base+"/webhooks/"+one.Webhook.ID, key, "")
	equal(t, "get", got.status == 200 && strings.Contains(got.body, one.Webhook.URL), true)
	var many struct{ Webhooks []struct{ ID string } }
	ok(json.Unmarshal([]byte(asks(t, "GET", base+"/webhooks", key, "").body), &many))
	equal(t, "list", len(many.Webhooks), 2)
	equal(t, "activate", asks(t, "POST", base+"/webhooks/"+s.webhook.ID+"/activate", key, "").status, 200)

	emitted := asks(t, "POST", events, key, `{"type":"user.created","payload":{"n":1.50}}`)
	equal(t, "emit", emitted.status, 201)
	var ids struct{ IDs []string }
	ok(json.Unmarshal([]byte(emitted.body), &ids))
	equal(t, "payload", string(must(s.Event(ctx, ids.IDs[0])).Payload), `{"n":1.50}`)

	equal(t, "key set", len(kids(t, []byte(asks(t, "GET", base+"/jwks.json", "", "").body))), 1)
	byHost := must(http.NewRequest("GET", server.URL+"/.well-known/jwks.json", nil))
	byHost.Host = app + ".session.example.com"
	equal(t, "key set by host", len(kids(t, []byte(does(t, byHost).body))), 1)

	wrong := asks(t, "PUT", base+"/webhooks", key, "")
	equal(t, "another method", wrong.status, 405)
	equal(t, "allowed", wrong.header.Get("Allow"), "GET, HEAD, POST, OPTIONS")
	head := asks(t, "HEAD", base+"/webhooks", key, "")
	equal(t, "head", head.status == 200 && head.body == "" && head.header.Get("Content-Type") != "", true)
	equal(t, "options", asks(t, "OPTIONS", base+"/webhooks", "", "").status, 204)
	equal(t, "deleted", asks(t, "DELETE", base+"/webhooks/"+one.Webhook.ID, key, "").status, 204)
	equal(t, "no such path", asks(t, "GET", server.URL+"/nowhere", key, "").status, 404)
	equal(t, "another app", asks(t, "GET", server.URL+"/v2/session/apps/other/webhooks", key, "").status, 404)
	equal(t, "no JSON", asks(t, "POST", events, key, `{`).status, 400)
	equal(t, "no text", asks(t, "GET", events+"?type=\xff", key, "").status, 400)

	// Bodies: the limits are the API's; what the server reads is never more than the largest.
	equal(t, "64 KiB", asks(t, "POST", base+"/webhooks", key, `"`+strings.Repeat("x", 64<<10)+`"`).status, 413)
	large := `{"type":"user.created","payload":"` + strings.Repeat("x", 1<<20) + `"}`
	equal(t, "1 MiB", asks(t, "POST", events, key, large).status, 413)
	equal(t, "1 MiB of a stranger's", asks(t, "POST", events, "", large).status, 401)
	chunked := must(http.NewRequest("POST", events, io.MultiReader(strings.NewReader(large))))
	chunked.Header = http.Header{"Authorization": {"Bearer " + string(key)}, "Content-Type": {"application/json"}}
	equal(t, "1 MiB in chunks", does(t, chunked).status, 413)
	equal(t, "stored", len(collect(t, s.Events(ctx, app, ""))), 1)

	// The other dialect, below a prefix.
	request := must(http.NewRequest("GET", server.URL+"/below/webhooks?limit=1", nil))
	request.Header = http.Header{"Authorization": {"Bearer " + string(key)}, "X-Api-Version": {"2025-11-20"}}
	below := does(t, request)
	equal(t, "below a prefix", below.status == 200 && strings.Contains(below.body, `"pagination"`), true)
	equal(t, "its errors", strings.HasPrefix(asks(t, "GET", server.URL+"/below/webhooks", "", "").body, `{"error":`), true)

	ok(s.Close())
	closed := asks(t, "GET", base+"/webhooks", key, "")
	equal(t, "closed", closed.status == 503 && closed.header.Get("Retry-After") != "", true)
}

// A program that finds out by itself who asks.
func TestAPIOwnGrant(t *testing.T) {
	s := newStepped(t)
	must(s.CreateApp(ctx, hookbox.NewApp{ID: "other"}))
	log := captureLog(t)
	grants := map[string]hookbox.Grant{
		"reader": {App: app, ReadOnly: true}, "owner": {App: app}, "admin": {AllApps: true},
		"both": {App: app, AllApps: true}, "impossible": {App: "no id of an app's"},
	}
	server := httptest.NewServer(s.Handler(hookbox.APIPrelude,
		hookbox.AuthorizedBy(func(r *http.Request) (hookbox.Grant, error) {
			user := r.Header.Get("X-User")
			if user == "lost" {
				return hookbox.Grant{AllApps: true}, errors.New("the directory is away")
			}
			return grants[user], nil
		})))
	defer server.Close()
	key := must(s.CreateAPIKey(ctx, hookbox.NewAPIKey{AllApps: true})).Secret
	ask := func(user, method, path string) answer {
		request := must(http.NewRequest(method, server.URL+path, nil))
		request.Header.Set("X-User", user)
		request.Header.Set("Authorization", "Bearer "+string(key)) // Does not count here.
		return does(t, request)
	}
	mine, others := "/v2/session/apps/"+app+"/webhooks", "/v2/session/apps/other/webhooks"
	for _, check := range []struct {
		user, method, path string
		status             int
	}{
		{"nobody", "GET", mine, 401},
		{"reader", "GET", mine, 200},
		{"reader", "DELETE", mine + "/" + s.webhook.ID, 403},
		{"owner", "GET", others, 404},
		{"owner", "GET", "/hookbox/v1/stats", 403},
		{"owner", "DELETE", mine + "/" + s.webhook.ID, 204},
		{"admin", "GET", others, 200},
		{"admin", "GET", "/hookbox/v1/stats", 200},
		{"both", "GET", mine, 503},
		{"impossible", "GET", mine, 404},
		{"lost", "GET", mine, 503},
		{"lost", "GET", "/nowhere", 404},
		{"lost", "GET", "/v2/session/apps/" + app + "/jwks.json", 200},
	} {
		got := ask(check.user, check.method, check.path)
		equal(t, check.user+" "+check.method+" "+check.path, got.status, check.status)
	}
	equal(t, "told to the log", strings.Count(log.String(), "the directory is away"), 1)
}

// Bodies that end early, and a context that has ended: nothing of them is taken.
func TestAPICutOff(t *testing.T) {
	s := newStepped(t)
	handler := s.Handler(hookbox.APIPrelude,
		hookbox.AuthorizedBy(func(*http.Request) (hookbox.Grant, error) { return hookbox.Grant{AllApps: true}, nil }))
	event := []byte(`{"type":"user.created","payload":1}`)
	post := func(ctx context.Context, body io.Reader) *httptest.ResponseRecorder {
		request := httptest.NewRequestWithContext(ctx, "POST", "/hookbox/v1/apps/"+app+"/events", body)
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response
	}
	broken := io.MultiReader(bytes.NewReader(event), failingReader{})
	equal(t, "broken off", post(ctx, broken).Code, 400)
	limited := http.MaxBytesReader(nil, io.NopCloser(bytes.NewReader(append(event, ' '))), int64(len(event)))
	equal(t, "the program's own limit", post(ctx, limited).Code, 413)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	equal(t, "ended", post(ended, bytes.NewReader(event)).Code, 503)
	equal(t, "stored", len(collect(t, s.Events(ctx, app, ""))), 0)
	equal(t, "whole", post(ctx, bytes.NewReader(event)).Code, 201)
}

// failingReader is a connection that breaks.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
