//! Bodies that several webhooks of an app share: assembled once, signed once.
//!
//! An event that many webhooks hear is carved for each of them, mostly at the same positions. The
//! last few bodies are kept, so that its thousandth webhook costs a request and nothing else.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError};

use crate::error::Result;
use crate::model::{AppId, EventId, Positions, Timestamp};
use crate::signing::Content;
use crate::sync::Mutex;

/// Bodies that are kept, and their bytes in all; a larger one is kept by nobody.
const KEPT_MAX: usize = 64;
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The events of a batch, as they are sent.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) content: Content,
    /// The id of the first event.
    pub(super) first_event: Option<EventId>,
    /// When the first event was emitted.
    pub(super) emitted_at: Option<Timestamp>,
}

/// The bodies that were made last.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    recent: Mutex<VecDeque<Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    app: AppId,
    positions: Positions,
    made: OnceLock<Arc<Assembled>>,
    /// Held while it is made: whoever wants the same waits for it.
    making: Mutex<()>,
}

impl Contents {
    /// The body of these positions: as it was made before, or by `assemble` now.
    pub(super) fn get(
        &self,
        app: &AppId,
        positions: &Positions,
        assemble: impl FnOnce() -> Result<Assembled>,
    ) -> Result<Arc<Assembled>> {
        let slot = self.slot(app, positions);
        if let Some(made) = slot.made.get() {
            return Ok(Arc::clone(made));
        }
        let making = slot.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = slot.made.get() {
            return Ok(Arc::clone(made));
        }
        let fresh = Arc::new(assemble()?);
        let kept = Arc::clone(slot.made.get_or_init(|| fresh));
        drop(making);
        self.trim();
        Ok(kept)
    }

    fn slot(&self, app: &AppId, positions: &Positions) -> Arc<Slot> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |slot: &&Arc<Slot>| slot.positions == *positions && slot.app == *app;
        if let Some(slot) = recent.iter().rev().find(same) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot {
            app: app.clone(),
            positions: positions.clone(),
            made: OnceLock::new(),
            making: Mutex::default(),
        });
        if recent.len() >= KEPT_MAX {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&slot));
        slot
    }

    /// Forgets the oldest until the rest is small enough.
    fn trim(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |slot: &Arc<Slot>| slot.made.get().map_or(0, |made| made.content.bytes().len());
        let mut bytes: usize = recent.iter().map(size).sum();
        while bytes > BYTES_MAX {
            match recent.pop_front() {
                Some(oldest) => bytes -= size(&oldest),
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn positions(n: i64) -> Positions {
        [n].into_iter().collect()
    }

    fn assembled(bytes: usize) -> Assembled {
        Assembled {
            content: Content::new(vec![b'x'; bytes]),
            first_event: None,
            emitted_at: None,
        }
    }

    #[test]
    fn the_same_positions_are_assembled_once_and_an_error_is_not_kept() {
        let contents = Contents::default();
        let (app, other) = (AppId::parse("a").unwrap(), AppId::parse("b").unwrap());
        let failed = contents.get(&app, &positions(1), || Err(Error::Internal("x".into())));
        assert!(failed.is_err());
        let first = contents
            .get(&app, &positions(1), || Ok(assembled(1)))
            .unwrap();
        let again = contents.get(&app, &positions(1), || panic!("made twice"));
        assert!(Arc::ptr_eq(&first, &again.unwrap()));
        let others = contents.get(&other, &positions(1), || Ok(assembled(2)));
        assert_eq!(others.unwrap().content.bytes().len(), 2);
    }

    #[test]
    fn threads_that_want_the_same_wait_for_one() {
        let contents = Contents::default();
        let app = AppId::parse("a").unwrap();
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = contents.get(&app, &positions(7), || {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        Ok(assembled(3))
                    });
                    assert_eq!(got.unwrap().content.bytes().len(), 3);
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_bytes() {
        let contents = Contents::default();
        let app = AppId::parse("a").unwrap();
        for n in 1..1000 {
            contents
                .get(&app, &positions(n), || Ok(assembled(1)))
                .unwrap();
        }
        assert_eq!(contents.recent.lock().unwrap().len(), KEPT_MAX);
        contents
            .get(&app, &positions(1000), || Ok(assembled(BYTES_MAX + 1)))
            .unwrap();
        assert!(contents.recent.lock().unwrap().is_empty());
    }
}
