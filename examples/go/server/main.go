// Command server is a web service that sends webhooks, and receives them: POST /users emits user.created, and
// /webhook takes what arrives; the management API is for the administrator. It is told where by flags, and stops on
// SIGINT or SIGTERM without losing anything.
//
//	ADMIN_TOKEN=secret go run ./server -listen 127.0.0.1:8080 -database app.db -allow-loopback
//	curl -X POST -d '{"user_id":"usr_1"}' http://127.0.0.1:8080/users
//	curl -H 'X-Admin-Token: secret' http://127.0.0.1:8080/v2/session/apps/shop/webhooks
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

func main() {
	var config config
	flag.StringVar(&config.listen, "listen", "127.0.0.1:8080", "address to listen on")
	flag.StringVar(&config.database, "database", "app.db", "file of the outbox")
	flag.StringVar(&config.webhook, "webhook", "", "URL to send to; this server's own /webhook by default")
	flag.StringVar(&config.jwks, "jwks", "", "URL of the keys to receive with; this server's own by default")
	flag.BoolVar(&config.allowLoopback, "allow-loopback", false, "send to http:// and 127.0.0.0/8, for a trial")
	flag.Parse()
	config.admin = hookbox.Secret(os.Getenv("ADMIN_TOKEN"))
	config.token = hookbox.Secret(os.Getenv("WEBHOOK_TOKEN"))
	if config.token == "" {
		config.token = "a token for a trial"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config, slog.Default(), nil); err != nil {
		slog.Error("the server ends", "error", err)
		os.Exit(1)
	}
}

type config struct {
	listen, database, webhook, jwks string
	token, admin                    hookbox.Secret
	allowLoopback                   bool
}

// run serves until the context ends. `ready`, where there is one, is told the address.
func run(ctx context.Context, config config, log *slog.Logger, ready func(address string)) error {
	options := []hookbox.Option{
		hookbox.WithNotices(func(notice hookbox.Notice) {
			log.Warn("webhooks", "notice", notice.Kind, "webhook", notice.WebhookID, "batch", notice.BatchID)
		}),
	}
	if config.allowLoopback {
		loopback := netip.MustParsePrefix("127.0.0.0/8")
		options = append(options, hookbox.WithHTTPAllowed(), hookbox.WithNetworksAllowed(loopback))
	}
	box, err := hookbox.Open(config.database, options...)
	if err != nil {
		return err
	}
	defer box.Close()

	listener, err := net.Listen("tcp", config.listen)
	if err != nil {
		return err
	}
	own := "http://" + listener.Addr().String()
	if config.webhook == "" {
		config.webhook = own + "/webhook"
	}
	if config.jwks == "" {
		config.jwks = own + "/.well-known/jwks.json"
	}
	handler, err := newHandler(box, config, log)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	// The endpoint must be up for this, since it is this server.
	if err := register(ctx, box, config); err != nil {
		return errors.Join(err, server.Close())
	}
	if err := box.Start(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	log.Info("serving", "address", own)
	if ready != nil {
		ready(own)
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// First nobody emits any more, then what is on its way has ten seconds. The rest goes out after the next start.
	patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(patience), box.Stop(patience))
}
