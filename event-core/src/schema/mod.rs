//! What a message says: whether it is an event, which one, and where it belongs.

mod envelope;
mod readable;
pub(crate) mod retail;
mod shape;
mod timestamp;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::reason::Reason;

/// A text that is borrowed from the body where it holds no escapes. An `Option<Cow<str>>` would
/// always be copied: serde borrows a `Cow` only where it is the field itself.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

fn out_of_range(detail: fmt::Arguments<'_>) -> Reason {
    Reason::new(Reason::OUT_OF_RANGE, detail.to_string())
}
