//! The records, and a receiver's side.

use std::ptr::null_mut;

use hookbox::ffi::events::*;
use hookbox::ffi::explain::*;
use hookbox::ffi::records::*;
use hookbox::ffi::text::*;
use hookbox::ffi::upkeep::*;
use hookbox::ffi::verify::*;
use hookbox_fuzz::soup::{items, read};

use crate::World;

/// Ids and other texts that came out.
pub(crate) type Seen = Vec<Vec<u8>>;

impl World<'_> {
    pub(crate) fn records(&mut self) {
        let (b, app, id) = (self.a_box(), self.soup.app(), self.soup.known());
        let (webhook, cursor) = (self.soup.known(), self.soup.known());
        let (which, status, size) = (self.soup.below(16), self.soup.choice(), self.soup.size());
        let now = self.soup.time();
        let mut positions = 0;
        let store_lies = self.store_lies;
        let soup = &mut self.soup;
        let free: unsafe extern "C" fn(*mut hookbox_batch) = hookbox_batch_free;
        // SAFETY: see `begin`.
        unsafe {
            match which {
                0 => soup.out(
                    |o, e| hookbox_event_get(b, id, o, e),
                    hookbox_event_free,
                    look_event,
                ),
                1 => soup.out(
                    |o, e| hookbox_event_list(b, app, id, cursor, size, o, e),
                    hookbox_event_page_free,
                    |page, seen| {
                        items(page.items, page.count)
                            .into_iter()
                            .for_each(|it| look_event(it, seen));
                        seen.push(read(page.next_cursor));
                    },
                ),
                2 => soup.out(|o, e| hookbox_batch_get(b, id, o, e), free, look_batch),
                3 | 4 => soup.out(
                    |o, e| hookbox_batch_list(b, app, webhook, status, cursor, size, o, e),
                    hookbox_batch_page_free,
                    |page, seen| {
                        items(page.items, page.count)
                            .into_iter()
                            .for_each(|it| look_batch(it, seen));
                        seen.push(read(page.next_cursor));
                    },
                ),
                5 => soup.out(
                    |o, e| hookbox_attempt_list(b, app, webhook, id, cursor, size, o, e),
                    hookbox_attempt_page_free,
                    |page, seen| {
                        for attempt in items(page.items, page.count) {
                            read(attempt.excerpt);
                        }
                        seen.push(read(page.next_cursor));
                    },
                ),
                6 => soup.out(
                    |o, e| hookbox_backlog_get(b, app, webhook, o, e),
                    hookbox_backlog_free,
                    |_, _| (),
                ),
                7 => soup.out(
                    |o, e| hookbox_batch_resend(b, app, id, o, e),
                    free,
                    look_batch,
                ),
                8 => soup.out(
                    |o, e| hookbox_batch_cancel(b, app, id, o, e),
                    free,
                    look_batch,
                ),
                9 => drop(soup.plain(|e| {
                    hookbox_webhook_replay(b, app, webhook, now, &raw mut positions, e)
                })),
                10 => soup.out(
                    |o, e| hookbox_batch_explain(b, id, o, e),
                    hookbox_batch_story_free,
                    look_story,
                ),
                11 => soup.out(
                    |o, e| hookbox_event_explain(b, id, o, e),
                    hookbox_event_story_free,
                    |story, seen| {
                        look_event(&*story.event, seen);
                        for batch in items(story.batches, story.batch_count) {
                            look_story(batch, seen);
                        }
                    },
                ),
                12 => drop(soup.plain(|e| hookbox_box_prune(b, now, e))),
                13 => soup.out(
                    |o, e| hookbox_box_check(b, o, e),
                    hookbox_texts_free,
                    |faults, _| assert!(faults.count == 0 || store_lies),
                ),
                14 => {
                    let path = hookbox_str {
                        ptr: c"/nowhere/b.db".as_ptr(),
                        len: 13,
                    };
                    soup.plain(|e| hookbox_box_backup(b, path, e));
                }
                _ => soup.out(
                    |o, e| hookbox_box_stats(b, o, e),
                    hookbox_stats_free,
                    |_, _| (),
                ),
            }
        }
    }

    pub(crate) fn receive(&mut self) {
        let soup = &mut self.soup;
        let (scheme, now) = (soup.choice(), soup.time());
        let (keys, count) = soup.texts();
        let options = hookbox_verify_options {
            struct_size: 0,
            replay_protection: soup.rarely(4),
            any_salt: soup.rarely(4),
            tolerance_ms: soup.number(),
            body_bytes_max: soup.size(),
        };
        let (options, _) = soup.stamp(&options);
        let mut verifier = null_mut();
        // SAFETY: see `begin`.
        unsafe {
            soup.plain(|e| {
                hookbox_verifier_new(scheme, keys, count, options, &raw mut verifier, e)
            });
            let (headers, count) = soup.pairs();
            let body = soup.text();
            soup.out(
                |o, e| hookbox_verify(verifier, headers, count, body, now, o, e),
                hookbox_received_free,
                |received, seen| {
                    for event in items(received.items, received.count) {
                        seen.push(read(event.payload));
                    }
                },
            );
            hookbox_verifier_free(verifier);
            let (query, token) = (soup.text(), soup.mostly(&["token"]));
            soup.out(
                |o, e| hookbox_answer_challenge(query, token, o, e),
                hookbox_challenge_answer_free,
                |answer, _| assert!(!read(answer.body).is_empty()),
            );
        }
    }
}

fn look_event(event: &hookbox_event, seen: &mut Seen) {
    assert!(event.position > 0 && !read(event.payload).is_empty());
    seen.push(read(event.id));
}

fn look_batch(batch: &hookbox_batch, seen: &mut Seen) {
    assert!(batch.event_count > 0 && (1..=6).contains(&batch.status));
    seen.push(read(batch.id));
}

fn look_story(story: &hookbox_batch_story, seen: &mut Seen) {
    assert!(story.sentence_count > 0);
    // SAFETY: the library gave it.
    look_batch(unsafe { &*story.batch }, seen);
}

pub(crate) fn look_texts(texts: &hookbox_texts, seen: &mut Seen) {
    for index in 0..texts.count {
        // SAFETY: the library gave it.
        seen.push(read(unsafe { *texts.items.add(index) }));
    }
}
