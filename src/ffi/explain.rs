//! What happened to a batch or an event, in sentences.

use crate::hookbox::BatchStory;
use crate::model::EventId;

use super::boundary::{Output, text};
use super::error::hookbox_error;
use super::events::{hookbox_event, view as event_view};
use super::handle::{call, hookbox_box};
use super::records::{attempt_view, batch_id, batch_view, hookbox_attempt, hookbox_batch};
use super::status::hookbox_status;
use super::text::{Keep, give, hookbox_str, take_back};

/// The story of one batch. Owned by the caller, or part of an event's story. Immutable. Later versions
/// may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_batch_story {
    /// The batch.
    pub batch: *const hookbox_batch,
    /// Its attempts, oldest first; the last hundred.
    pub attempts: *const *const hookbox_attempt,
    /// How many.
    pub attempt_count: usize,
    /// What happened and what comes next, in sentences.
    pub sentences: *const hookbox_str,
    /// How many.
    pub sentence_count: usize,
}

/// The story of one event. Owned by the caller: free it with hookbox_event_story_free(). Immutable. Later
/// versions may append members: do not copy it whole.
#[repr(C)]
#[derive(Debug)]
pub struct hookbox_event_story {
    /// The event.
    pub event: *const hookbox_event,
    /// The story of each batch that holds it.
    pub batches: *const *const hookbox_batch_story,
    /// How many.
    pub batch_count: usize,
    /// What happened and what comes next, in sentences.
    pub sentences: *const hookbox_str,
    /// How many.
    pub sentence_count: usize,
}

fn batch_story_view(story: &BatchStory, keep: &mut Keep) -> hookbox_batch_story {
    let batch = batch_view(&story.batch, keep);
    let (batch, _) = keep.list(vec![batch]);
    let attempts = story.attempts.iter().map(|one| attempt_view(one, keep));
    let attempts = attempts.collect();
    let (attempts, attempt_count) = keep.records(attempts);
    let (sentences, sentence_count) = keep.texts(&story.sentences);
    hookbox_batch_story {
        batch,
        attempts,
        attempt_count,
        sentences,
        sentence_count,
    }
}

/// Tells what happened to a batch, what comes next, and when. Free it with hookbox_batch_story_free().
///
/// Errors: HOOKBOX_BATCH_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_explain(
    hooks: *const hookbox_box,
    batch: hookbox_str,
    out_story: *mut *mut hookbox_batch_story,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_story, "out_story")?;
            let story = hooks.explain_batch(&batch_id(batch)?)?;
            let mut keep = Keep::default();
            out.set(give(batch_story_view(&story, &mut keep), keep));
            Ok(())
        })
    }
}

/// Tells what happened to an event, for each webhook. Free it with hookbox_event_story_free().
///
/// Errors: HOOKBOX_EVENT_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_explain(
    hooks: *const hookbox_box,
    event: hookbox_str,
    out_story: *mut *mut hookbox_event_story,
    error: *mut *mut hookbox_error,
) -> hookbox_status {
    // SAFETY: the caller keeps what the header says.
    unsafe {
        call(hooks, error, |hooks| {
            let out = Output::new(out_story, "out_story")?;
            let story = hooks.explain_event(&EventId::parse(text(event, "event")?)?)?;
            let mut keep = Keep::default();
            let event = event_view(&story.event, &mut keep);
            let (event, _) = keep.list(vec![event]);
            let batches = story.batches.iter();
            let batches = batches
                .map(|one| batch_story_view(one, &mut keep))
                .collect();
            let (batches, batch_count) = keep.records(batches);
            let (sentences, sentence_count) = keep.texts(&story.sentences);
            let view = hookbox_event_story {
                event,
                batches,
                batch_count,
                sentences,
                sentence_count,
            };
            out.set(give(view, keep));
            Ok(())
        })
    }
}

/// Frees a story that was given by itself. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_batch_story_free(story: *mut hookbox_batch_story) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(story) }
}

/// Frees a story. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hookbox_event_story_free(story: *mut hookbox_event_story) {
    // SAFETY: it came from `give`, and is not used again.
    unsafe { take_back(story) }
}
