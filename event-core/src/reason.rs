//! Why a message was quarantined.

use std::borrow::Cow;
use std::fmt;

/// Why a message was quarantined: a code to count and to group by, and a sentence for a person.
///
/// The codes below are those that this crate gives; a handler may bring its own with
/// [`Reason::new`].
///
/// ```
/// use event_core::Reason;
///
/// let reason = Reason::new("unknown_sku", "sku 7 is in no warehouse");
/// assert_eq!(reason.to_string(), "unknown_sku: sku 7 is in no warehouse");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: Cow<'static, str>,
    detail: String,
}

impl Reason {
    /// A field that every event has is not there.
    pub const MISSING_FIELD: &'static str = "missing_field";
    /// The body is not a JSON text.
    pub const NOT_JSON: &'static str = "not_json";
    /// A field, or the whole body, is JSON of another type than the event has there.
    pub const WRONG_TYPE: &'static str = "wrong_type";
    /// A field has the right type and an absurd value, or a number anywhere is beyond what readers
    /// hold.
    pub const OUT_OF_RANGE: &'static str = "out_of_range";
    /// The body begins with a byte order mark, which JSON has not.
    pub const BYTE_ORDER_MARK: &'static str = "byte_order_mark";
    /// An object has a key twice, and readers would differ in which they believe.
    pub const DUPLICATE_KEY: &'static str = "duplicate_key";
    /// Keys differ only in case, and are one column to readers that ignore it.
    pub const CASE_CONFLICT: &'static str = "case_conflict";
    /// A key is the empty text, of which no column can be made.
    pub const EMPTY_KEY: &'static str = "empty_key";
    /// A `\u` escape is one half of a surrogate pair, which is not a character.
    pub const LONE_SURROGATE: &'static str = "lone_surrogate";
    /// Arrays and objects are nested deeper than readers go.
    pub const TOO_DEEP: &'static str = "too_deep";
    /// The elements of an array have no type in common.
    pub const MIXED_TYPES: &'static str = "mixed_types";
    /// The body is an envelope of SNS or EventBridge around an event.
    pub const ENVELOPE: &'static str = "envelope";
    /// The type of the event is missing, or names no known one.
    pub const UNKNOWN_EVENT_TYPE: &'static str = "unknown_event_type";
    /// Another event with the same identity and other bytes is already stored.
    pub const CONFLICT: &'static str = "conflict";
    /// The day of the event was deleted: what is stored for it now would not be live.
    pub const TOO_OLD: &'static str = "too_old";
    /// The queue or the store refuses the message itself, for example for its size.
    pub const REFUSED: &'static str = "refused";
    /// The handler panicked on the message alone, again and again.
    pub const PANICKED: &'static str = "panicked";

    /// Details longer than this are cut: some quote the input, and a log line or an object key
    /// must not grow with what a stranger sends.
    const MAX_DETAIL: usize = 200;

    /// A reason with this code (lower case with underscores, as the constants) and detail.
    pub fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: Self::cut(detail.into()) }
    }

    /// A detail, or any other text that may quote the input, at its greatest length.
    pub(crate) fn cut(mut detail: String) -> String {
        if detail.len() > Self::MAX_DETAIL {
            // At the end of a character; 0 is one.
            let mut ends = (0..=Self::MAX_DETAIL).rev();
            detail.truncate(ends.find(|&end| detail.is_char_boundary(end)).unwrap_or(0));
            detail.push('…');
        }
        detail
    }

    /// The code, for metrics and key layout.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for a person; it may quote the message.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_cut_between_characters() {
        let reason = Reason::new("x", "é".repeat(500));
        assert_eq!(reason.detail().chars().count(), 101);
    }

    #[test]
    fn a_reason_prints_on_one_line() {
        assert!(!Reason::new("x", "a\nb").to_string().contains('\n'));
    }
    #[test]
    fn a_detail_is_kept_whole_up_to_its_longest() {
        let (whole, cut) = (Reason::new("x", "a".repeat(200)), Reason::new("x", "a".repeat(201)));
        assert_eq!(whole.detail(), "a".repeat(200));
        assert_eq!(cut.detail(), "a".repeat(200) + "…");
    }

    #[test]
    fn a_reason_prints_its_code_and_its_detail() {
        assert_eq!(Reason::new("no_stock", "sku 7").to_string(), "no_stock: sku 7");
    }
}
