package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Delivery is a batch that was claimed: its request, and until when the right to send it lasts.
type Delivery struct {
	BatchID string
	// LeaseUntil: settle it before, or the batch goes to somebody else.
	LeaseUntil time.Time
	Request    Request

	c     *C.hookbox_delivery
	claim *claim
}

// claim keeps the deliveries of one call, as C has them, while any of them can be reached.
type claim struct{ list *C.hookbox_delivery_list }

// Claim claims up to `max` batches (1 to 1000) for the program to send with its own HTTP client. Settle each with
// [Box.Settle] before its lease ends; what is not settled is sent again then. There may be none: nothing is due.
func (b *Box) Claim(ctx context.Context, max int) ([]*Delivery, error) {
	size, err := sizeOf(max)
	if err != nil {
		return nil, err
	}
	var list *C.hookbox_delivery_list
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_claim(c, size, &list, e)
	})
	if err != nil {
		return nil, err
	}
	claimed := &claim{list}
	runtime.AddCleanup(claimed, func(list *C.hookbox_delivery_list) { C.hookbox_delivery_list_free(list) }, list)
	deliveries := make([]*Delivery, 0, int(list.count))
	for _, c := range unsafe.Slice(list.items, int(list.count)) {
		deliveries = append(deliveries, &Delivery{
			BatchID:    text(c.batch_id),
			LeaseUntil: timeOf(c.lease_until_ms),
			Request:    requestOf(&c.request),
			c:          c,
			claim:      claimed,
		})
	}
	return deliveries, nil
}

// Settle records what came of a claimed delivery. It is done even when the context has ended: the request was made.
//
// Errors: [ErrLeaseLost] when it came too late: do not settle it again. Those of the storage: settle it again.
func (b *Box) Settle(ctx context.Context, delivery *Delivery, outcome Outcome) error {
	if delivery == nil || delivery.c == nil {
		return argumentError("Invalid argument: settle what Claim gave.")
	}
	defer runtime.KeepAlive(delivery.claim)
	return b.call(context.WithoutCancel(ctx), func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		given := lent.outcome(&outcome)
		return C.hookbox_settle(c, delivery.c, &given, e)
	})
}
