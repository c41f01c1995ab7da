package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

const app = "shop"

// register makes the app and its webhook, once: the file keeps them.
func register(ctx context.Context, box *hookbox.Box, config config) error {
	if _, err := box.CreateApp(ctx, hookbox.NewApp{ID: app}); err != nil && !errors.Is(err, hookbox.ErrAppExists) {
		return err
	}
	for webhook, err := range box.Webhooks(ctx, app, hookbox.WebhookFilter{}) {
		if err != nil {
			return err
		}
		if webhook.URL == config.webhook && webhook.Active {
			return nil
		}
	}
	webhook, err := box.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: config.webhook, VerificationToken: config.token, Events: hookbox.OnlyEvents("user.created"),
	})
	if err != nil {
		return err
	}
	_, err = box.Activate(ctx, app, webhook.ID)
	return err
}

func newHandler(box *hookbox.Box, config config, log *slog.Logger) (http.Handler, error) {
	receiver, err := hookbox.NewReceiver(hookbox.ReceiverConfig{
		JWKSURL:           config.jwks,
		VerificationToken: config.token,
		OnRefused:         func(_ *http.Request, err error) { log.Warn("a webhook was refused", "error", err) },
	}, func(_ context.Context, events []hookbox.ReceivedEvent) error {
		for _, event := range events {
			// They may come again: a real receiver remembers the ids in its own database.
			log.Info("received", "id", event.ID, "type", event.Type, "payload", string(event.Payload))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sender := sender{box, log}
	mux := http.NewServeMux()
	mux.Handle("/webhook", receiver)
	mux.HandleFunc("GET /.well-known/jwks.json", sender.jwks)
	mux.HandleFunc("POST /users", sender.createUser)
	// The management API, for whoever has the administrator's token. Without AuthorizedBy: for the box's API keys.
	management := box.Handler(hookbox.APIPrelude, hookbox.AuthorizedBy(func(r *http.Request) (hookbox.Grant, error) {
		return hookbox.Grant{AllApps: config.isAdmin(r)}, nil
	}))
	mux.Handle("/v2/session/apps/", management)
	mux.Handle("/hookbox/v1/", management)
	mux.HandleFunc("GET /events/{id}", sender.explain)
	return mux, nil
}

// isAdmin says whether a request has the administrator's token. Without such a token nobody is one.
func (c config) isAdmin(r *http.Request) bool {
	shown, wanted := sha256.Sum256([]byte(r.Header.Get("X-Admin-Token"))), sha256.Sum256([]byte(c.admin))
	return c.admin != "" && subtle.ConstantTimeCompare(shown[:], wanted[:]) == 1
}

// sender is the part of the service that emits.
type sender struct {
	box *hookbox.Box
	log *slog.Logger
}

// jwks publishes the keys that the app's webhooks are signed with.
func (s sender) jwks(w http.ResponseWriter, r *http.Request) {
	jwks, err := s.box.JWKS(r.Context(), app)
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.answer(w, http.StatusOK, jwks)
}

// createUser does what such a service does, and says so to the world. A client that repeats its request with the same
// Idempotency-Key emits once.
func (s sender) createUser(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64*1024))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusBadRequest)
		return
	}
	id, err := s.box.EmitEvent(r.Context(), app, hookbox.NewEvent{
		Type: "user.created", Payload: body, IdempotencyKey: r.Header.Get("Idempotency-Key"),
	})
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.answer(w, http.StatusCreated, map[string]string{"event": id})
}

// explain tells what became of an event.
func (s sender) explain(w http.ResponseWriter, r *http.Request) {
	story, err := s.box.ExplainEvent(r.Context(), r.PathValue("id"))
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.answer(w, http.StatusOK, story)
}

func (s sender) answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.log.Warn("an answer was not written", "error", err)
	}
}

// refuse answers with the status that hookbox suggests; faults of the server's own are for its log only.
func (s sender) refuse(w http.ResponseWriter, err error) {
	var e *hookbox.Error
	if !errors.As(err, &e) || e.HTTPStatus >= 500 && !e.Retryable {
		s.log.Error("a request failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	s.answer(w, e.HTTPStatus, map[string]string{"code": e.Code, "message": e.Message})
}
