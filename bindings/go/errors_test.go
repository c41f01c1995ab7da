package hookbox_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Each kind of error that a program acts on: code, status, HTTP status, retryable, message.
func TestErrors(t *testing.T) {
	s := newStepped(t, hookbox.WithPayloadBytesMax(100))
	emit := func(app, eventType, payload string) error {
		_, err := s.Emit(ctx, app, eventType, []byte(payload))
		return err
	}
	create := func(config hookbox.WebhookConfig) error {
		_, err := s.CreateWebhook(ctx, app, config)
		return err
	}
	second := func(_ any, err error) error { return err }
	for _, check := range []struct {
		err    error
		status hookbox.Status
		http   int
	}{
		{emit("nobody", "user.created", `{}`), hookbox.ErrAppNotFound, 404},
		{emit(app, "no.such", `{}`), hookbox.ErrInvalidWebhookEvent, 400},
		{emit(app, "user.created", `{`), hookbox.ErrInvalidPayload, 400},
		{emit(app, "user.created", `"`+strings.Repeat("x", 100)+`"`), hookbox.ErrPayloadTooLarge, 413},
		{emit(app, "user\xff", `{}`), hookbox.ErrInvalidUTF8, 500},
		{create(hookbox.WebhookConfig{URL: "http://10.0.0.1/"}), hookbox.ErrWebhookInvalidURL, 400},
		{create(hookbox.WebhookConfig{URL: "http://127.0.0.1:9000/", Description: strings.Repeat("x", 1025)}),
			hookbox.ErrInvalidRequest, 400},
		{second(s.CreateApp(ctx, hookbox.NewApp{ID: app})), hookbox.ErrAppExists, 409},
		{second(s.Webhook(ctx, app, "web_00000000000000000000000000")), hookbox.ErrWebhookNotFound, 404},
		{second(s.Event(ctx, "evt_00000000000000000000000000")), hookbox.ErrEventNotFound, 404},
		{second(s.Batch(ctx, "bat_00000000000000000000000000")), hookbox.ErrBatchNotFound, 404},
		{second(s.RetireKey(ctx, app, "nobody", 0)), hookbox.ErrKeyNotFound, 404},
		{second(s.RotateKey(ctx, app, hookbox.NewKey{PEM: "no key"})), hookbox.ErrInvalidKey, 400},
		{second(s.ListEvents(ctx, app, "", hookbox.PageRequest{Limit: -1})), hookbox.ErrInvalidArgument, 500},
		{second(s.RetireKey(ctx, app, "x", -1)), hookbox.ErrInvalidArgument, 500},
		{second(s.EmitIn(ctx, unsafe.Pointer(new(int)), app)), hookbox.ErrUnsupported, 500},
		{second(hookbox.Profile("none")), hookbox.ErrInvalidRequest, 400},
		{second(hookbox.Open("/nonexistent/app.db")), hookbox.ErrStorageIO, 503},
		{second(hookbox.OpenInMemory(hookbox.WithWorkers(5000))), hookbox.ErrInvalidRequest, 400},
		{second(hookbox.OpenInMemory(hookbox.WithRetention(-1))), hookbox.ErrInvalidArgument, 500},
		{second(hookbox.OpenInMemory(hookbox.WithKeyEncryptionKey(make([]byte, 31)))),
			hookbox.ErrInvalidArgument, 500},
	} {
		if check.status == hookbox.ErrUnsupported && !hookbox.SQLiteIsBundled() {
			continue // That flavour can.
		}
		e := wants(t, check.err, check.status)
		equal(t, e.Code, e.HTTPStatus, check.http)
		equal(t, e.Code+" retryable", e.Retryable, check.status == hookbox.ErrStorageIO)
		if e.Message == "" || strings.Contains(e.Message, "\n") || e.Error() != "hookbox: "+e.Message {
			t.Fatalf("%q", e.Message)
		}
	}
	wrapped := fmt.Errorf("while emitting: %w", emit("nobody", "user.created", `{}`))
	equal(t, "wrapped", errors.Is(wrapped, hookbox.ErrNotFound), true)
	equal(t, "another", errors.Is(wrapped, hookbox.ErrEventNotFound), false)
	equal(t, "not found", errors.Is(emit(app, "no.such", `{}`), hookbox.ErrNotFound), false)

	ok(s.DisableApp(ctx, app))
	equal(t, "disabled", wants(t, emit(app, "user.created", `{}`), hookbox.ErrSessionDisabled).HTTPStatus, 403)
	ok(s.EnableApp(ctx, app))

	readOnly := opened(t)(hookbox.OpenReadOnly(s.path))
	_, err := readOnly.Emit(ctx, app, "user.created", []byte(`{}`))
	wants(t, err, hookbox.ErrReadOnly)

	// The one kind here that may go away by itself.
	store := newStore()
	busy := opened(t)(hookbox.OpenStore(store))
	must(busy.CreateApp(ctx, hookbox.NewApp{ID: app}))
	store.refuse(fmt.Errorf("somebody else writes: %w", hookbox.ErrStorageBusy))
	_, err = busy.Emit(ctx, app, "user.created", []byte(`{}`))
	e := wants(t, err, hookbox.ErrStorageBusy)
	equal(t, "retryable", e.Retryable, true)
	equal(t, "status", e.HTTPStatus, 503)
	equal(t, "the store's words", strings.Contains(e.Message, "somebody else writes"), true)
	store.refuse(nil)
	must(busy.Emit(ctx, app, "user.created", []byte(`{}`)))
}

// The numbers of this package are those of include/hookbox.h, and the codes those of the library's source.
func TestStatuses(t *testing.T) {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	read := func(path string) string { return string(must(os.ReadFile(filepath.Join(root, path)))) }
	header := read("include/hookbox.h") + read("include/hookbox/sys.h")
	defined := map[string]int{}
	for _, match := range regexp.MustCompile(`(?m)^#define HOOKBOX_(\w+) (\d+)$`).FindAllStringSubmatch(header, -1) {
		defined[match[1]] = must(strconv.Atoi(match[2]))
	}

	codes, found := read("src/error.rs")+read("src/ffi/error.rs"), 0
	for name, number := range defined {
		if number < 100 || number > 999 || strings.Contains(name, "VERSION") || strings.HasPrefix(name, "WEBHOOK_O") ||
			name == "WEBHOOK_BASIC_AUTH" || name == "KV_KEY_BYTES_MAX" {
			continue // Not statuses: the flags of an update, a limit.
		}
		code := hookbox.Status(number).Code()
		if code != strings.ToLower(name) {
			t.Errorf("HOOKBOX_%s %d has the code %q", name, number, code)
		}
		if !strings.Contains(codes, strconv.Quote(code)) {
			t.Errorf("the library has no code %q", code)
		}
		found++
	}
	for number := range 1000 {
		if code := hookbox.Status(number).Code(); code != "" && defined[strings.ToUpper(code)] != number {
			t.Errorf("%q is not in the header as %d", code, number)
		}
	}
	equal(t, "statuses", found, 38)

	for name, value := range map[string]int{
		"ANSWERED": int(hookbox.Answered), "FAILED_DNS": int(hookbox.FailedDNS),
		"FAILED_ADDRESS_DENIED": int(hookbox.FailedAddressDenied), "FAILED_CONNECT": int(hookbox.FailedConnect),
		"FAILED_TLS": int(hookbox.FailedTLS), "FAILED_TIMEOUT": int(hookbox.FailedTimeout),
		"FAILED_RESET": int(hookbox.FailedReset), "FAILED_PROTOCOL": int(hookbox.FailedProtocol),
		"FAILED_PROXY": int(hookbox.FailedProxy), "FAILED_STOPPED": int(hookbox.FailedStopped),
		"KEY_NEXT": int(hookbox.KeyNext), "KEY_ACTIVE": int(hookbox.KeyActive),
		"KEY_RETIRED": int(hookbox.KeyRetired), "KEY_GONE": int(hookbox.KeyGone),
		"BATCH_ANY": int(hookbox.BatchAny), "BATCH_WAITING": int(hookbox.BatchWaiting),
		"BATCH_LEASED": int(hookbox.BatchLeased), "BATCH_DELIVERED": int(hookbox.BatchDelivered),
		"BATCH_EXHAUSTED": int(hookbox.BatchExhausted), "BATCH_PARKED": int(hookbox.BatchParked),
		"API_PRELUDE": int(hookbox.APIPrelude), "API_FINGERPRINT": int(hookbox.APIFingerprint),
		"BATCH_CANCELLED": int(hookbox.BatchCancelled), "KV_KEY_BYTES_MAX": hookbox.StoreKeyBytesMax,
	} {
		if number, is := defined[name]; !is || number != value {
			t.Errorf("HOOKBOX_%s is %d, not %d", name, number, value)
		}
	}
	for name := range defined {
		isFailure := strings.HasPrefix(name, "FAILED_") && defined[name] > int(hookbox.FailedStopped)
		if isFailure || strings.HasPrefix(name, "BATCH_") && defined[name] > 6 && defined[name] < 100 {
			t.Errorf("HOOKBOX_%s is not in this package", name)
		}
	}
}

// Every function of the headers is called by this package, but for those that C alone needs.
func TestWholeHeader(t *testing.T) {
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Dir(here)
	var source strings.Builder
	for _, pattern := range []string{"*.go", "*.c"} {
		for _, file := range must(filepath.Glob(filepath.Join(folder, pattern))) {
			if !strings.HasSuffix(file, "_test.go") {
				source.Write(must(os.ReadFile(file)))
			}
		}
	}
	without := map[string]bool{
		"hookbox_emit_event":             true, // hookbox_emit_many does it.
		"hookbox_version_number":         true, // hookbox_version_check does it.
		"hookbox_testing_kv_conformance": true, // Only in libraries for tests: conformance.go.
		"hookbox_cstr":                   true,
		"hookbox_id_str":                 true,
	}
	count := 0
	for _, header := range []string{"hookbox.h", "hookbox/sys.h"} {
		text := string(must(os.ReadFile(filepath.Join(folder, "..", "..", "include", header))))
		pattern := regexp.MustCompile(`(?m)^(?:[a-z_0-9]+ |struct |const |\*)+\*?(hookbox_\w+)\(`)
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			count++
			if !without[match[1]] && !strings.Contains(source.String(), match[1]+"(") {
				t.Errorf("%s is not offered", match[1])
			}
		}
	}
	if count < 100 {
		t.Fatalf("the pattern finds %d functions only", count)
	}
	t.Logf("%d functions", count)
}

// Secrets are not shown, however they are printed.
func TestSecrets(t *testing.T) {
	config := hookbox.WebhookConfig{
		VerificationToken: "s3cret", SigningSecret: "s3cret", Headers: []hookbox.Header{{Name: "X", Value: "s3cret"}},
		BasicAuth: hookbox.BasicAuth{Username: "u", Password: "s3cret"},
	}
	delivery := &hookbox.Delivery{Request: hookbox.Request{
		Method: "POST", URL: "https://x/s3cret", Header: map[string][]string{"A": {"s3cret"}}, Body: []byte("s3cret"),
	}}
	for _, value := range []any{config, &config, delivery, *delivery, hookbox.ReceiverConfig{VerificationToken: "s3cret"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "s3cret") {
				t.Errorf("%s shows it: %s", verb, text)
			}
		}
	}
}
