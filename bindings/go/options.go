package hookbox

// #include "callbacks.h"
import "C"

import (
	"net/netip"
	"time"
	"unsafe"
)

// Option says how a box is to be opened. It may be used for several boxes. Ranges are checked by [Open].
type Option struct {
	set func(options *C.hookbox_options) error
}

// buildOptions makes options of C's; the caller frees them.
func buildOptions(list []Option) (*C.hookbox_options, error) {
	var options *C.hookbox_options
	err := try(func(e **C.hookbox_error) C.hookbox_status { return C.hookbox_options_new(&options, e) })
	if err != nil {
		return nil, err
	}
	for _, option := range list {
		if err := option.set(options); err != nil {
			C.hookbox_options_free(options)
			return nil, err
		}
	}
	return options, nil
}

// WithPayloadBytesMax sets how many bytes a payload has at most: 1 byte to 64 MiB. The file keeps what was
// set last; 256 KiB at first.
func WithPayloadBytesMax(bytes int) Option {
	return Option{func(options *C.hookbox_options) error {
		size, err := sizeOf(bytes)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_payload_bytes_max(options, size, e)
		})
	}}
}

// WithWorkers sets how many requests the threads of [Box.Start] send at once to webhooks that answer: 1 to
// 1024; 16 by default. Webhooks that were not tried yet get as many beside them, and those that failed last a
// quarter of it.
func WithWorkers(workers int) Option {
	return Option{func(options *C.hookbox_options) error {
		size, err := sizeOf(workers)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_workers(options, size, e)
		})
	}}
}

// WithSlowRequestsMax sets how many requests may be out beside those because their endpoint has not answered
// for more than 250 ms: 0 to 4096; 1024 by default. Each costs a thread while it waits.
func WithSlowRequestsMax(requests int) Option {
	return Option{func(options *C.hookbox_options) error {
		size, err := sizeOf(requests)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_slow_requests_max(options, size, e)
		})
	}}
}

// WithRetention sets how long ended batches, their attempts and events are kept: a minute at least; 30 days
// by default; 0 keeps them for good. What is still owed is never deleted.
func WithRetention(retention time.Duration) Option {
	return Option{func(options *C.hookbox_options) error {
		ms, err := spanOf(retention)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_retention_ms(options, ms, e)
		})
	}}
}

// WithKeyRotation sets how long a new signing key is published before it signs (an hour by default), and how
// long an old one stays published after it signed (15 days).
func WithKeyRotation(lead, overlap time.Duration) Option {
	return Option{func(options *C.hookbox_options) error {
		leadMs, err := spanOf(lead)
		if err != nil {
			return err
		}
		overlapMs, err := spanOf(overlap)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_key_rotation_ms(options, leadMs, overlapMs, e)
		})
	}}
}

// WithKeyEncryptionKey seals private keys, tokens and other secrets in the box with a key of 32 bytes. The
// older ones still open what they sealed. With a nil current key and older ones, nothing is sealed any more:
// the way back. What was stored before stays as it was until [Box.ResealKeys].
func WithKeyEncryptionKey(current []byte, older ...[]byte) Option {
	return Option{func(options *C.hookbox_options) error {
		var flat []byte
		for _, key := range append([][]byte{current}, older...) {
			if len(key) != 32 && (key != nil || len(older) == 0) {
				return argumentError("Invalid argument: a key-encryption key must have 32 bytes.")
			}
		}
		for _, key := range older {
			flat = append(flat, key...)
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_key_encryption_key(options,
				(*C.uint8_t)(unsafe.SliceData(current)), (*C.uint8_t)(unsafe.SliceData(flat)),
				C.size_t(len(older)), e)
		})
	}}
}

// WithHTTPAllowed allows http:// URLs as well as https://.
func WithHTTPAllowed() Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_allow_http(options, true, e)
		})
	}}
}

// WithNetworksAllowed allows endpoints in these networks although they are not public.
func WithNetworksAllowed(networks ...netip.Prefix) Option {
	return Option{func(options *C.hookbox_options) error {
		for _, network := range networks {
			err := try(func(e **C.hookbox_error) C.hookbox_status {
				return C.hookbox_options_allow_network(options, str(network.String()), e)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// WithPorts allows exactly these ports. Without it: 443, 80 where http is allowed, and every port from 1024.
func WithPorts(ports ...uint16) Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_ports(options,
				(*C.uint16_t)(unsafe.SliceData(ports)), C.size_t(len(ports)), e)
		})
	}}
}

// WithProxy sends through an HTTP proxy ("http://user:password@proxy:3128"); empty for none, as by default:
// no environment variable is read.
func WithProxy(url Secret) Option { return textOption(setProxy, string(url)) }

// WithExtraRoots trusts these certificate authorities (PEM) beside Mozilla's, which are compiled in.
func WithExtraRoots(pem string) Option { return textOption(setExtraRoots, pem) }

// WithUserAgent sets the User-Agent header of requests; "hookbox/" and the version by default.
func WithUserAgent(userAgent string) Option { return textOption(setUserAgent, userAgent) }

type textSetter func(*C.hookbox_options, C.hookbox_str, **C.hookbox_error) C.hookbox_status

func textOption(set textSetter, value string) Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status { return set(options, str(value), e) })
	}}
}

func setProxy(o *C.hookbox_options, value C.hookbox_str, e **C.hookbox_error) C.hookbox_status {
	return C.hookbox_options_set_proxy(o, value, e)
}

func setExtraRoots(o *C.hookbox_options, value C.hookbox_str, e **C.hookbox_error) C.hookbox_status {
	return C.hookbox_options_set_extra_root_pem(o, value, e)
}

func setUserAgent(o *C.hookbox_options, value C.hookbox_str, e **C.hookbox_error) C.hookbox_status {
	return C.hookbox_options_set_user_agent(o, value, e)
}

// WithPostgresPool sets how many connections to a PostgreSQL server there are at most, beside the one that
// listens: 1 to 1000; 8 by default.
func WithPostgresPool(connections int) Option {
	return Option{func(options *C.hookbox_options) error {
		size, err := sizeOf(connections)
		if err != nil {
			return err
		}
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_options_set_postgres_pool(options, size, e)
		})
	}}
}

// WithNotices calls back with operational notices: on hookbox's threads and on those that call [Box.Poll] and
// the like, several at once. It may call anything but Start, Stop and Close.
func WithNotices(onNotice func(Notice)) Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_go_set_notice(options, handleOf(onNotice), e)
		})
	}}
}

// WithTransport sends with the program's own HTTP client.
func WithTransport(transport Transport) Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_go_set_transport(options, handleOf(newSending(transport)), e)
		})
	}}
}

// WithClock takes the time from the program. For tests: two weeks of retries in a second.
func WithClock(clock Clock) Option {
	return Option{func(options *C.hookbox_options) error {
		return try(func(e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_go_set_clock(options, handleOf(clock), e)
		})
	}}
}
