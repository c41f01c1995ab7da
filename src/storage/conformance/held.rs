//! Whether a promise was held, in sentences.

use std::fmt::{Debug, Display, Formatter};

use crate::error::{Error, Result};

/// What a check, or a step of it, gives: an error when the promise was broken.
pub(super) type Held<T = ()> = std::result::Result<T, Failure>;

/// What was done and seen, to follow "But".
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("a call that is in order failed: {error:?}"))
    }
}

/// Holds when `is_so`; `seen` says what was seen instead.
pub(super) fn hold(is_so: bool, seen: impl FnOnce() -> String) -> Held {
    if is_so { Ok(()) } else { Err(Failure(seen())) }
}

/// Holds when both are the same; `what` names what was looked at.
pub(super) fn same<A, B>(what: &str, seen: &A, due: &B) -> Held
where
    A: Debug + PartialEq<B> + ?Sized,
    B: Debug + ?Sized,
{
    hold(seen == due, || {
        format!("{what}: {seen:?} was seen where {due:?} was due")
    })
}

/// Holds when a call was refused with the error of this code.
pub(super) fn refused<T: Debug>(what: &str, result: Result<T>, code: &str) -> Held {
    match result {
        Err(error) if error.code() == code => Ok(()),
        other => Err(Failure(format!(
            "{what} gave {other:?} where the error `{code}` was due"
        ))),
    }
}

/// The one item of a list; `what` names the list.
pub(super) fn one<T: Debug>(what: &str, items: Vec<T>) -> Held<T> {
    <[T; 1]>::try_from(items)
        .map(|[item]| item)
        .map_err(|items| {
            Failure(format!(
                "{what}: {} were seen where one was due: {items:?}",
                items.len()
            ))
        })
}

/// Holds when what is read, line by line, is what was read before; `what` names what happened since.
pub(super) fn unchanged(what: &str, seen: &[String], before: &[String]) -> Held {
    hold(seen == before, || {
        let new = seen.iter().find(|line| !before.contains(line));
        let gone = before.iter().find(|line| !seen.contains(line));
        let [new, gone] = [new, gone].map(|line| line.map_or("nothing", String::as_str));
        format!("{what} changed what can be read: new is {new}; gone is {gone}")
    })
}
