//! Apps, event types, webhooks and keys.

use std::ptr::null;

use hookbox::ffi::apps::*;
use hookbox::ffi::keys::*;
use hookbox::ffi::sys::signer::*;
use hookbox::ffi::text::*;
use hookbox::ffi::webhook_config::*;
use hookbox::ffi::webhooks::*;
use hookbox_fuzz::host;
use hookbox_fuzz::soup::{Soup, items, read};

use crate::World;
use crate::reading::{Seen, look_texts};

/// Bits of a key to make: none that is accepted, since making one takes a tenth of a second.
const BITS: [u32; 4] = [1, 1024, 2047, u32::MAX];

impl World<'_> {
    pub(crate) fn apps(&mut self) {
        let (b, app, cursor, size) = (
            self.a_box(),
            self.soup.app(),
            self.soup.known(),
            self.soup.size(),
        );
        let which = self.soup.below(10);
        let soup = &mut self.soup;
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0 | 1 => {
                    let mut new: hookbox_new_app = std::mem::zeroed();
                    new.id = app;
                    new.profile = soup.mostly(&["standard_webhooks", "fingerprint"]);
                    new.key_pem = soup.text();
                    new.key_id = soup.text();
                    new.key_bits = BITS[soup.below(4)];
                    let (new, _) = soup.stamp(&new);
                    soup.out(
                        |out, e| hookbox_app_create(b, new, out, e),
                        hookbox_app_free,
                        look_app,
                    );
                }
                2 => soup.out(
                    |out, e| hookbox_app_get(b, app, out, e),
                    hookbox_app_free,
                    look_app,
                ),
                3 => soup.out(
                    |out, e| hookbox_app_list(b, cursor, size, out, e),
                    hookbox_app_page_free,
                    |page, seen| {
                        items(page.items, page.count)
                            .into_iter()
                            .for_each(|app| look_app(app, seen));
                        seen.push(read(page.next_cursor));
                    },
                ),
                4 => drop(soup.plain(|e| hookbox_app_enable(b, app, e))),
                5 => drop(soup.plain(|e| hookbox_app_disable(b, app, e))),
                6 => drop(soup.rarely(4) && soup.plain(|e| hookbox_app_delete(b, app, e))),
                7 => {
                    soup.out(
                        |o, e| hookbox_event_types_list(b, o, e),
                        hookbox_texts_free,
                        look_texts,
                    );
                    soup.out(
                        |o, e| hookbox_profile(cursor, o, e),
                        hookbox_texts_free,
                        look_texts,
                    );
                }
                8 => {
                    let (types, count) = soup.texts();
                    soup.plain(|e| hookbox_event_types_add(b, types, count, e));
                }
                _ => {
                    let (types, count) = soup.texts();
                    soup.plain(|e| hookbox_event_types_replace(b, types, count, e));
                }
            }
        }
    }

    pub(crate) fn webhooks(&mut self) {
        let (b, app, id) = (self.a_box(), self.soup.app(), self.soup.known());
        let (which, text) = (self.soup.below(14), self.soup.text());
        let soup = &mut self.soup;
        let free: unsafe extern "C" fn(*mut hookbox_webhook) = hookbox_webhook_free;
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0..=2 => {
                    let config = webhook_config(soup);
                    let (config, _) = soup.stamp(&config);
                    soup.out(
                        |o, e| hookbox_webhook_create(b, app, config, o, e),
                        free,
                        look_webhook,
                    );
                }
                3 => soup.out(
                    |o, e| hookbox_webhook_get(b, app, id, o, e),
                    free,
                    look_webhook,
                ),
                4 => {
                    let (enabled, size) = (soup.choice(), soup.size());
                    soup.out(
                        |o, e| hookbox_webhook_list(b, app, enabled, text, id, size, o, e),
                        hookbox_webhook_page_free,
                        |page, seen| {
                            for webhook in items(page.items, page.count) {
                                look_webhook(webhook, seen);
                            }
                            seen.push(read(page.next_cursor));
                        },
                    );
                }
                5 => {
                    let (config, fields) = (webhook_config(soup), soup.number() as u32);
                    let (config, _) = soup.stamp(&config);
                    soup.out(
                        |o, e| hookbox_webhook_update(b, app, id, fields, config, o, e),
                        free,
                        look_webhook,
                    );
                }
                6 => drop(soup.rarely(4) && soup.plain(|e| hookbox_webhook_delete(b, app, id, e))),
                7 => soup.out(
                    |o, e| hookbox_webhook_add_event_type(b, app, id, text, o, e),
                    free,
                    look_webhook,
                ),
                8 => soup.out(
                    |o, e| hookbox_webhook_remove_event_type(b, app, id, text, o, e),
                    free,
                    look_webhook,
                ),
                9 => soup.out(
                    |o, e| hookbox_webhook_activate(b, app, id, o, e),
                    free,
                    look_webhook,
                ),
                10 => soup.out(
                    |o, e| hookbox_webhook_verify(b, app, id, o, e),
                    free,
                    look_webhook,
                ),
                11 => soup.out(
                    |o, e| hookbox_webhook_deactivate(b, app, id, o, e),
                    free,
                    look_webhook,
                ),
                12 => soup.out(
                    |o, e| hookbox_webhook_signing_secrets(b, app, id, o, e),
                    hookbox_texts_free,
                    look_texts,
                ),
                _ => {
                    let keep = soup.rarely(2);
                    soup.out(
                        |o, e| hookbox_webhook_roll_signing_secret(b, app, id, text, keep, o, e),
                        hookbox_texts_free,
                        look_texts,
                    );
                }
            }
        }
    }

    pub(crate) fn keys(&mut self) {
        let (b, app, kid) = (self.a_box(), self.soup.app(), self.soup.text());
        let (which, time, text) = (self.soup.below(8), self.soup.number(), self.soup.text());
        let bits = BITS[self.soup.below(4)];
        let mut count = 0;
        let soup = &mut self.soup;
        let free: unsafe extern "C" fn(*mut hookbox_key) = hookbox_key_free;
        let look = |key: &hookbox_key, seen: &mut Seen| {
            seen.push(read(key.kid));
            read(key.public_jwk);
        };
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0 | 1 => soup.out(
                    |o, e| hookbox_key_rotate(b, app, bits, text, kid, time, o, e),
                    free,
                    look,
                ),
                2 => soup.out(
                    |o, e| hookbox_key_retire(b, app, kid, time, o, e),
                    free,
                    look,
                ),
                3 => soup.out(
                    |o, e| hookbox_keys(b, app, o, e),
                    hookbox_key_list_free,
                    |list, seen| {
                        for key in items(list.items, list.count) {
                            look(key, seen);
                            seen.push(read(key.public_jwk));
                        }
                    },
                ),
                4 => soup.out(
                    |o, e| hookbox_jwks(b, app, o, e),
                    hookbox_texts_free,
                    look_texts,
                ),
                5 => drop(soup.plain(|e| hookbox_keys_reseal(b, &raw mut count, e))),
                6 => {
                    let (signer, _) = soup.stamp(&host::signer());
                    soup.out(
                        |o, e| hookbox_key_rotate_to_signer(b, app, text, signer, time, o, e),
                        free,
                        look,
                    );
                }
                _ => {
                    let (signer, _) = soup.stamp(&host::signer());
                    soup.plain(|e| hookbox_key_register_signer(b, app, kid, signer, e));
                }
            }
        }
    }
}

fn webhook_config(soup: &mut Soup<'_>) -> hookbox_webhook_config {
    let (event_types, event_type_count) = soup.texts();
    let (headers, header_count) = if soup.rarely(2) {
        soup.pairs()
    } else {
        (null(), 0)
    };
    let none = hookbox_str {
        ptr: null(),
        len: 0,
    };
    hookbox_webhook_config {
        struct_size: 0,
        events: soup.choice(),
        url: soup.mostly(&["http://127.0.0.1:9999/hooks", "https://127.0.0.1:9999/?a=b"]),
        verification_token: soup.mostly(&["token"]),
        event_types,
        event_type_count,
        description: if soup.rarely(2) { soup.text() } else { none },
        environment: if soup.rarely(4) { soup.text() } else { none },
        headers,
        header_count,
        username: if soup.rarely(4) { soup.text() } else { none },
        password: if soup.rarely(4) { soup.text() } else { none },
        signing_secret: if soup.rarely(4) { soup.text() } else { none },
        overrides: if soup.rarely(4) { soup.text() } else { none },
        disabled: soup.rarely(4),
    }
}

fn look_app(app: &hookbox_app, seen: &mut Seen) {
    assert!(!read(app.profile).is_empty() && !read(app.profile_name).is_empty());
    seen.push(read(app.id));
}

fn look_webhook(webhook: &hookbox_webhook, seen: &mut Seen) {
    assert!(!read(webhook.url).is_empty());
    seen.push(read(webhook.id));
}
