package hookbox

import (
	"context"
	"iter"
)

// all goes over every page of a listing. An error is the last thing it yields.
func all[T any](list func(PageRequest) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var request PageRequest
		for {
			page, err := list(request)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			request.Cursor = page.NextCursor
		}
	}
}

// Apps goes over all apps, in order of id. An error is the last thing it yields; so with all of these.
func (b *Box) Apps(ctx context.Context) iter.Seq2[App, error] {
	return all(func(page PageRequest) (Page[App], error) { return b.ListApps(ctx, page) })
}

// Webhooks goes over an app's webhooks, in order of registration.
func (b *Box) Webhooks(ctx context.Context, app string, filter WebhookFilter) iter.Seq2[Webhook, error] {
	return all(func(page PageRequest) (Page[Webhook], error) { return b.ListWebhooks(ctx, app, filter, page) })
}

// Events goes over an app's events, the newest first: of one type, or all (empty).
func (b *Box) Events(ctx context.Context, app, eventType string) iter.Seq2[Event, error] {
	return all(func(page PageRequest) (Page[Event], error) { return b.ListEvents(ctx, app, eventType, page) })
}

// Batches goes over an app's batches, the newest first.
func (b *Box) Batches(ctx context.Context, app string, filter BatchFilter) iter.Seq2[Batch, error] {
	return all(func(page PageRequest) (Page[Batch], error) { return b.ListBatches(ctx, app, filter, page) })
}

// Attempts goes over an app's attempts, the newest first.
func (b *Box) Attempts(ctx context.Context, app string, filter AttemptFilter) iter.Seq2[Attempt, error] {
	return all(func(page PageRequest) (Page[Attempt], error) { return b.ListAttempts(ctx, app, filter, page) })
}

// APIKeys goes over the API keys for one app, or all (empty), the oldest first.
func (b *Box) APIKeys(ctx context.Context, app string) iter.Seq2[APIKey, error] {
	return all(func(page PageRequest) (Page[APIKey], error) { return b.ListAPIKeys(ctx, app, page) })
}
