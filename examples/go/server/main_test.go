package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// lines is a log that a test waits for.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// The whole server: a user is created, the webhook arrives at the same server, which stops when told, and finds
// everything again at the next start.
func TestServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	for start := range 2 {
		log, address, ended := make(lines, 100), make(chan string, 1), make(chan error, 1)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		// A port of its own each time; the webhook of the first start is not this one's.
		config := config{listen: "127.0.0.1:0", database: path, token: "token", admin: "admin", allowLoopback: true}
		go func() {
			ended <- run(ctx, config, slog.New(slog.NewTextHandler(log, nil)), func(own string) { address <- own })
		}()
		var own string
		select {
		case own = <-address:
		case err := <-ended:
			t.Fatal(err)
		}
		admin := http.Header{}
		call := func(method, path, body string, wanted int) string {
			t.Helper()
			request, err := http.NewRequest(method, own+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Idempotency-Key", own)
			maps.Copy(request.Header, admin)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != wanted {
				t.Fatal(method, path, response.Status, string(text), err)
			}
			return string(text)
		}
		created := call("POST", "/users", `{"user_id":"usr_1"}`, 201)
		if again := call("POST", "/users", `{"user_id":"usr_1"}`, 201); again != created {
			t.Fatal(created, again)
		}
		var answer struct{ Event string }
		if err := json.Unmarshal([]byte(created), &answer); err != nil {
			t.Fatal(err)
		}
		patience := time.After(30 * time.Second)
		for received := false; !received; {
			select {
			case line := <-log:
				received = strings.Contains(line, "msg=received") && strings.Contains(line, answer.Event)
			case <-patience:
				t.Fatal("nothing was received")
			}
		}
		call("POST", "/users", `{`, 400)
		call("GET", "/events/evt_00000000000000000000000000", "", 404)
		var story hookbox.EventStory
		if err := json.Unmarshal([]byte(call("GET", "/events/"+answer.Event, "", 200)), &story); err != nil {
			t.Fatal(err)
		}
		if string(story.Event.Payload) != `{"user_id":"usr_1"}` || len(story.Batches) != start+1 {
			t.Fatalf("start %d: %+v", start, story)
		}
		// The management API, for the administrator only.
		call("GET", "/v2/session/apps/shop/webhooks", "", 401)
		call("GET", "/hookbox/v1/stats", "", 401)
		admin.Set("X-Admin-Token", "wrong")
		call("GET", "/hookbox/v1/stats", "", 401)
		admin.Set("X-Admin-Token", "admin")
		if webhooks := call("GET", "/v2/session/apps/shop/webhooks", "", 200); !strings.Contains(webhooks, own) {
			t.Fatal(webhooks)
		}
		call("GET", "/hookbox/v1/stats", "", 200)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}
