//! The C functions, called in any order with any arguments that C can tell from sound ones: NULL, lengths
//! that no memory has, texts that are not UTF-8, unknown numbers, wrong sizes, misaligned structures,
//! closed boxes. Each call gives a status of the header's and, if asked, an error that fits it; nothing
//! panics, nothing of the host's is let go of twice or never.
#![no_main]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering::SeqCst;

use hookbox::ffi::apps::*;
use hookbox::ffi::claims::*;
use hookbox::ffi::error::{hookbox_error, hookbox_error_free, hookbox_error_new};
use hookbox::ffi::events::*;
use hookbox::ffi::handle::*;
use hookbox::ffi::notice::hookbox_on_notice;
use hookbox::ffi::open::*;
use hookbox::ffi::options::*;
use hookbox::ffi::run::*;
use hookbox::ffi::sys::clock::*;
use hookbox::ffi::sys::kv::*;
use hookbox::ffi::sys::transport::*;
use hookbox::ffi::text::*;
use hookbox::ffi::version::*;
use hookbox_fuzz::host;
use hookbox_fuzz::soup::{Soup, is_text, items, read};
use libfuzzer_sys::fuzz_target;

#[path = "capi/reading.rs"]
mod reading;
#[path = "capi/registering.rs"]
mod registering;

struct World<'a> {
    soup: Soup<'a>,
    options: *mut hookbox_options,
    /// Two boxes, where they could be opened.
    boxes: [*mut hookbox_box; 2],
    /// Tables that the library must let go of.
    owed: usize,
    /// A box was opened over the host's store, which holds nothing and says anything.
    store_lies: bool,
}

fuzz_target!(|data: &[u8]| {
    host::ENDED.store(0, SeqCst);
    host::ANSWER.store(200, SeqCst);
    host::STATUS.store(0, SeqCst);
    let mut world = World {
        soup: Soup::new(data),
        options: null_mut(),
        boxes: [null_mut(); 2],
        owed: 0,
        store_lies: false,
    };
    world.begin();
    for _ in 0..60 {
        if world.soup.input.is_empty() {
            break;
        }
        world.step();
    }
    world.end();
});

impl World<'_> {
    /// One box that works, so that short inputs come far, with an app and a webhook.
    fn begin(&mut self) {
        let Self { options, boxes, .. } = self;
        // SAFETY: throughout, pointers are NULL or valid: that is what the soup is made of.
        unsafe {
            assert_eq!(hookbox_options_new(options, null_mut()), 0);
            let allowed = hookbox_str {
                ptr: c"127.0.0.0/8".as_ptr(),
                len: 11,
            };
            assert_eq!(
                hookbox_options_set_allow_http(*options, true, null_mut()),
                0
            );
            assert_eq!(
                hookbox_options_allow_network(*options, allowed, null_mut()),
                0
            );
            let mut clock = host::clock();
            clock.struct_size = size_of::<hookbox_clock>() as u32;
            assert_eq!(
                hookbox_options_set_clock(*options, &raw const clock, null_mut()),
                0
            );
            let mut transport = host::transport();
            transport.struct_size = size_of::<hookbox_transport>() as u32;
            assert_eq!(
                hookbox_options_set_transport(*options, &raw const transport, null_mut()),
                0
            );
            self.owed += 2;
            assert_eq!(
                hookbox_open_in_memory(*options, &raw mut boxes[0], null_mut()),
                0
            );
            let text = |text: &'static std::ffi::CStr| hookbox_str {
                ptr: text.as_ptr(),
                len: text.count_bytes(),
            };
            let mut app: hookbox_new_app = std::mem::zeroed();
            app.struct_size = size_of::<hookbox_new_app>() as u32;
            app.id = text(c"left");
            app.profile = text(c"standard_webhooks");
            assert_eq!(
                hookbox_app_create(boxes[0], &raw const app, null_mut(), null_mut()),
                0
            );
        }
    }

    fn end(&mut self) {
        // SAFETY: as above; nothing is used after this.
        unsafe {
            hookbox_box_free(self.boxes[0]);
            hookbox_box_free(self.boxes[1]);
            hookbox_options_free(self.options);
        }
        assert_eq!(
            host::ENDED.load(SeqCst),
            self.owed,
            "each table is let go of exactly once"
        );
    }

    fn a_box(&mut self) -> *mut hookbox_box {
        match self.soup.below(16) {
            0 => null_mut(),
            1..=3 => self.boxes[1],
            _ => self.boxes[0],
        }
    }

    fn some_options(&mut self) -> *mut hookbox_options {
        if self.soup.rarely(8) {
            null_mut()
        } else {
            self.options
        }
    }

    fn step(&mut self) {
        match self.soup.below(10) {
            0 => self.open(),
            1 => self.set(),
            2 => self.apps(),
            3 | 4 => self.webhooks(),
            5 => self.emit(),
            6 => self.run(),
            7 => self.records(),
            8 => self.keys(),
            _ => self.receive(),
        }
    }

    fn open(&mut self) {
        let options = if self.soup.rarely(8) {
            null()
        } else {
            self.options.cast_const()
        };
        let (slot, how) = (self.soup.below(2), self.soup.below(8));
        let mut opened = null_mut();
        // Only paths at which nothing can be made.
        let path = self.soup.mostly(&[
            "/nowhere/at/all.db",
            "postgres://127.0.0.1:9/x",
            "/proc/x.db",
        ]);
        let nowhere = hookbox_str {
            ptr: c"/nowhere/b.db".as_ptr(),
            len: 13,
        };
        let is_refused = path.ptr.is_null() || path.len == 0 || path.len > isize::MAX as usize;
        let path = if is_refused { path } else { nowhere };
        // SAFETY: see `begin`.
        let well = unsafe {
            match how {
                0 => self
                    .soup
                    .plain(|e| hookbox_open(path, options, &raw mut opened, e)),
                1 => self
                    .soup
                    .plain(|e| hookbox_open_read_only(path, options, &raw mut opened, e)),
                2 => {
                    let mut table = host::kv();
                    if self.soup.rarely(4) {
                        table.scan = None;
                    }
                    let (kv, sound) = self.soup.stamp(&table);
                    self.owed += usize::from(sound);
                    self.store_lies |= sound;
                    self.soup
                        .plain(|e| hookbox_open_kv(kv, options, &raw mut opened, e))
                }
                3 => self
                    .soup
                    .plain(|e| hookbox_open_in_memory(options, null_mut(), e)),
                4 => {
                    let (old, drain) = (self.a_box(), self.soup.number());
                    self.soup.plain(|e| hookbox_box_close(old, drain, e))
                }
                _ => self
                    .soup
                    .plain(|e| hookbox_open_in_memory(options, &raw mut opened, e)),
            }
        };
        assert!(well || opened.is_null());
        if !opened.is_null() {
            // SAFETY: nobody is in a call with the one before.
            unsafe { hookbox_box_free(std::mem::replace(&mut self.boxes[slot], opened)) };
        }
    }

    fn set(&mut self) {
        let options = self.some_options();
        let (size, number, flag) = (self.soup.size(), self.soup.number(), self.soup.rarely(2));
        let (which, text) = (self.soup.below(16), self.soup.text());
        let keys = [7_u8; 96];
        let soup = &mut self.soup;
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0 => soup.plain(|e| hookbox_options_set_payload_bytes_max(options, size, e)),
                1 => soup.plain(|e| hookbox_options_set_workers(options, size, e)),
                2 => soup.plain(|e| hookbox_options_set_slow_requests_max(options, size, e)),
                3 => soup.plain(|e| hookbox_options_set_retention_ms(options, number, e)),
                4 => {
                    soup.plain(|e| hookbox_options_set_key_rotation_ms(options, number, number, e))
                }
                5 => {
                    let current = if flag { null() } else { keys.as_ptr() };
                    let older = if soup.rarely(4) {
                        null()
                    } else {
                        keys.as_ptr()
                    };
                    let count = match soup.below(8) {
                        0 => usize::MAX,
                        1 => usize::MAX / 32 + 1,
                        n => n % 4,
                    };
                    soup.plain(|e| {
                        hookbox_options_set_key_encryption_key(options, current, older, count, e)
                    })
                }
                6 => soup.plain(|e| hookbox_options_set_allow_http(options, flag, e)),
                7 => soup.plain(|e| hookbox_options_allow_network(options, text, e)),
                8 => {
                    let ports = [443_u16, 9999];
                    let (ports, count) = if flag {
                        (null(), size)
                    } else {
                        (ports.as_ptr(), 2)
                    };
                    soup.plain(|e| hookbox_options_set_ports(options, ports, count, e))
                }
                9 => soup.plain(|e| hookbox_options_set_extra_root_pem(options, text, e)),
                10 => soup.plain(|e| hookbox_options_set_user_agent(options, text, e)),
                11 => soup.plain(|e| hookbox_options_set_postgres_pool(options, size, e)),
                12 => {
                    self.owed += 1;
                    let heard: hookbox_on_notice = if flag { None } else { Some(host::heard) };
                    soup.plain(|e| {
                        hookbox_options_set_on_notice(
                            options,
                            heard,
                            null_mut(),
                            Some(host::end),
                            e,
                        )
                    })
                }
                13 => {
                    let (clock, sound) = soup.stamp(&host::clock());
                    self.owed += usize::from(sound);
                    soup.plain(|e| hookbox_options_set_clock(options, clock, e))
                }
                14 => {
                    let (transport, sound) = soup.stamp(&host::transport());
                    self.owed += usize::from(sound);
                    soup.plain(|e| hookbox_options_set_transport(options, transport, e))
                }
                _ => {
                    assert!(is_text(hookbox_version()) && is_text(hookbox_sqlite_version()));
                    assert_eq!(hookbox_sqlite_is_bundled(), 1);
                    hookbox_options_free(null_mut());
                    soup.plain(|e| hookbox_version_check(number as u32, e));
                    soup.out(
                        |out, e| hookbox_options_new(out, e),
                        hookbox_options_free,
                        |_, _| (),
                    );
                    let error = hookbox_error_new(number as i32, text);
                    hookbox_error_free(error);
                    true
                }
            }
        };
    }

    fn emit(&mut self) {
        let (b, app) = (self.a_box(), self.soup.app());
        let soup = &mut self.soup;
        let event_type = soup.mostly(&["user.created", "user.deleted"]);
        let payload = soup.mostly(&["{\"n\":1}", "null"]);
        let mut ids = [hookbox_id {
            text: [0; HOOKBOX_ID_BYTES],
        }; 3];
        let out = if soup.rarely(4) {
            null_mut()
        } else {
            ids.as_mut_ptr()
        };
        let event = hookbox_new_event {
            struct_size: size_of::<hookbox_new_event>() as u32,
            at_most_once: soup.rarely(4),
            event_type,
            payload,
            idempotency_key: soup.text(),
            environment: soup.text(),
        };
        // SAFETY: see `begin`.
        unsafe {
            match soup.below(4) {
                0 => soup.plain(|e| hookbox_emit(b, app, event_type, payload, out, e)),
                1 => {
                    let (event, _) = soup.stamp(&event);
                    soup.plain(|e| hookbox_emit_event(b, app, event, out, e))
                }
                2 => {
                    let mut events = [event; 3];
                    events[soup.below(3)].struct_size -= soup.below(2) as u32 * 8;
                    let (first, count) = match soup.below(8) {
                        0 => (null(), soup.size()),
                        1 => (events.as_ptr(), usize::MAX),
                        n => (events.as_ptr(), n % 4),
                    };
                    soup.plain(|e| hookbox_emit_many(b, app, first, count, out, e))
                }
                _ => {
                    let sqlite = null_mut::<c_void>();
                    soup.plain(|e| hookbox_emit_in(b, sqlite, app, &raw const event, 1, out, e))
                }
            };
        }
        let text = ids[0].text.map(i8::cast_unsigned);
        soup.remember(text.into_iter().take_while(|byte| *byte != 0).collect());
    }

    fn run(&mut self) {
        let (b, which) = (self.a_box(), self.soup.below(12));
        let (now, number) = (self.soup.time(), self.soup.number());
        let answers = [200, 500, 410, 413, 429, 0, -1, 204];
        let soup = &mut self.soup;
        let (mut attempts, mut due, mut idle) = (0, 0, false);
        let mut error: *mut hookbox_error = null_mut();
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0 => drop(soup.rarely(4) && soup.plain(|e| hookbox_box_start(b, e))),
                1 => drop(soup.plain(|e| hookbox_box_stop(b, number, e))),
                2 => {
                    soup.plain(|e| hookbox_box_wake(b, e));
                    soup.plain(|e| hookbox_box_interrupt(b, e));
                }
                3 => drop(
                    soup.plain(|e| hookbox_box_poll(b, now, &raw mut attempts, &raw mut due, e)),
                ),
                4 => drop(soup.plain(|e| hookbox_box_poll(b, now, null_mut(), null_mut(), e))),
                5 => {
                    // With a patience that ends; the clock of these runs stands still.
                    let patience = if soup.rarely(2) { 0 } else { 2 };
                    let out = if soup.rarely(8) {
                        null_mut()
                    } else {
                        &raw mut idle
                    };
                    soup.plain(|e| hookbox_box_wait_idle(b, patience, out, e));
                }
                6 => host::ANSWER.store(answers[soup.below(8)], SeqCst),
                7 => host::STATUS.store(soup.below(4) as i32 * soup.below(1000) as i32, SeqCst),
                8 | 9 => self.claim(b),
                10 => {
                    hookbox_value_set(null_mut(), soup.text());
                    assert!(!hookbox_visit(null_mut(), soup.text(), soup.text()));
                    let outcome = outcome(soup);
                    let (outcome, _) = soup.stamp(&outcome);
                    assert!(!soup.plain(|e| hookbox_reply_set(null_mut(), outcome, e)));
                }
                _ => {
                    assert_ne!(
                        hookbox_box_poll(null_mut(), now, null_mut(), null_mut(), &raw mut error),
                        0
                    );
                    hookbox_error_free(error);
                }
            }
        }
    }

    fn claim(&mut self, b: *mut hookbox_box) {
        let max = if self.soup.rarely(4) {
            self.soup.size()
        } else {
            4
        };
        let mut list = null_mut();
        // SAFETY: see `begin`; a delivery may be settled with another box, which has no such lease.
        unsafe {
            if !self.soup.plain(|e| hookbox_claim(b, max, &raw mut list, e)) {
                return;
            }
            for delivery in items((*list).items, (*list).count) {
                read(delivery.batch_id);
                read(delivery.request.body);
                let (b, outcome) = (self.a_box(), outcome(&mut self.soup));
                let (outcome, _) = self.soup.stamp(&outcome);
                let delivery: *const hookbox_delivery = delivery;
                for _ in 0..=self.soup.below(2) {
                    self.soup.plain(|e| hookbox_settle(b, delivery, outcome, e));
                }
            }
            hookbox_delivery_list_free(list);
        }
    }
}

fn outcome(soup: &mut Soup<'_>) -> hookbox_outcome {
    let (headers, header_count) = if soup.rarely(2) {
        soup.pairs()
    } else {
        (null(), 0)
    };
    hookbox_outcome {
        struct_size: 0,
        kind: soup.choice(),
        http_status: if soup.rarely(2) {
            soup.number() as u16
        } else {
            200
        },
        headers,
        header_count,
        body: soup.text(),
    }
}
