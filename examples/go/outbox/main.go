// Command outbox is hookbox from end to end inside one program: it registers a webhook, proves its ownership,
// emits an event, delivers it, and verifies it as its receiver would.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	folder, err := os.MkdirTemp("", "hookbox")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Plain http and loopback, since the receiver is in this very program; neither is allowed otherwise.
	box, err := hookbox.Open(filepath.Join(folder, "app.db"), hookbox.WithHTTPAllowed(),
		hookbox.WithNetworksAllowed(netip.MustParsePrefix("127.0.0.0/8")))
	if err != nil {
		return err
	}
	defer box.Close()
	if _, err := box.CreateApp(ctx, hookbox.NewApp{ID: "54e9ujn"}); err != nil {
		return err
	}

	received := make(chan hookbox.ReceivedEvent, 1)
	address, err := serve(box, received)
	if err != nil {
		return err
	}

	webhook, err := box.CreateWebhook(ctx, "54e9ujn", hookbox.WebhookConfig{
		URL:               "http://" + address + "/webhook",
		VerificationToken: "my-secret-token",
		Events:            hookbox.OnlyEvents("user.created"),
	})
	if err != nil {
		return err
	}
	fmt.Println("registered:", webhook.ID, "for", webhook.EventTypes)
	if _, err := box.Activate(ctx, "54e9ujn", webhook.ID); err != nil { // Asks the endpoint for its proof.
		return err
	}
	fmt.Println("activated: the endpoint proved its ownership")

	if err := box.Start(ctx); err != nil { // Threads; or call Poll on your own.
		return err
	}
	id, err := box.Emit(ctx, "54e9ujn", "user.created", []byte(`{"user_id":"usr_1"}`)) // Durable when it returns.
	if err != nil {
		return err
	}
	fmt.Println("emitted:", id)

	select {
	case event := <-received:
		fmt.Printf("received and verified: %s %s %s\n", event.ID, event.Type, event.Payload)
		if event.ID != id {
			return fmt.Errorf("that is another event than %s", id)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := box.WaitIdle(ctx); err != nil {
		return err
	}
	story, err := box.ExplainEvent(ctx, id)
	if err != nil {
		return err
	}
	for _, sentence := range story.Batches[0].Sentences {
		fmt.Println("explained:", sentence)
	}
	return box.Stop(ctx)
}

// serve publishes the sender's keys and receives its webhooks, and gives the address.
func serve(box *hookbox.Box, received chan<- hookbox.ReceivedEvent) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	receiver, err := hookbox.NewReceiver(hookbox.ReceiverConfig{
		JWKSURL:           "http://" + address + "/jwks.json",
		VerificationToken: "my-secret-token",
		OnRefused:         func(_ *http.Request, err error) { log.Print(err) },
	}, func(_ context.Context, events []hookbox.ReceivedEvent) error {
		for _, event := range events {
			received <- event
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("/webhook", receiver)
	mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, r *http.Request) {
		jwks, err := box.JWKS(r.Context(), "54e9ujn")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(jwks)
	})
	go http.Serve(listener, mux) // Ends with the program.
	return address, nil
}
