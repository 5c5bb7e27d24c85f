//! What every reader takes of JSON: less than its grammar allows.

use std::borrow::Cow;

use super::body::Text;
use super::shape::{Members, Shape};
use crate::reason::Reason;

/// Values at most so deep, the event being the first: DuckDB detects no columns beyond.
const MAX_DEPTH: usize = 128;

/// A zero may have no larger exponent, less the decimals before it: pyarrow asks no further.
const MAX_EXPONENT: i64 = 308;

/// Polars gives up on exponents of eleven digits.
const MIN_EXPONENT: i64 = -9_999_999_999;

/// What readers would refuse, and where.
pub(super) struct Fault {
    code: &'static str,
    what: String,
    place: String,
}

impl Fault {
    fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), place: String::new() }
    }

    pub(super) fn empty() -> Self {
        Self::new(Reason::EMPTY_KEY, "a key is empty")
    }

    pub(super) fn duplicate(key: &str) -> Self {
        Self::new(Reason::DUPLICATE_KEY, format!("the key {key:?} is there twice"))
    }

    pub(super) fn case(one: &str, other: &str) -> Self {
        let what = format!("the keys {one:?} and {other:?} differ only in case");
        Self::new(Reason::CASE_CONFLICT, what)
    }

    pub(super) fn mixed(one: &str, other: &str) -> Self {
        Self::new(Reason::MIXED_TYPES, format!("an array holds {one} and {other}"))
    }

    /// The same, in the field of this name.
    #[must_use]
    pub(super) fn within(mut self, key: &str) -> Self {
        // What is longer is cut anyway, and a hostile body has a long way down.
        if self.place.len() < 200 {
            let dot = if self.place.is_empty() { "" } else { "." };
            self.place.insert_str(0, dot);
            self.place.insert_str(0, key);
        }
        self
    }
}

impl From<Fault> for Reason {
    fn from(Fault { code, what, place }: Fault) -> Self {
        let detail = if place.is_empty() { what } else { format!("{what}, in {place}") };
        Self::new(code, detail)
    }
}

/// Checks a whole body, which is JSON.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    Walk { text, at: 0 }.value(1).map(|_| ())
}

/// Checks the value of a field of the event, which is JSON.
pub(super) fn check_field(text: &str) -> Result<(), Fault> {
    // Most are texts without an escape.
    if text.starts_with('"') && !text.as_bytes().contains(&b'\\') {
        return Ok(());
    }
    Walk { text, at: 0 }.value(2).map(|_| ())
}

/// Checks a number by its text.
fn number(text: &str) -> Result<(), Fault> {
    let refused = |limit: &str| {
        let what = format!("the number {} is beyond {limit}", Reason::cut(text.to_owned()));
        Err(Fault::new(Reason::OUT_OF_RANGE, what))
    };
    let Ok(number) = text.parse::<f64>() else { return refused("a double") };
    if !number.is_finite() {
        return refused("a double");
    }
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len() as i64);
        let range = MIN_EXPONENT..=MAX_EXPONENT + decimals;
        if !exponent.parse().is_ok_and(|exponent: i64| range.contains(&exponent)) {
            return refused("the exponents of a double");
        }
    } else if !text.contains('.') && text.parse::<i128>().is_err() {
        return refused("128 bits");
    }
    Ok(())
}

/// Goes through a JSON text, once. That it is one has been seen to: what could only be there if it
/// were not is passed over in some way that ends.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, depth: usize) -> Result<Shape<'a>, Fault> {
        if depth > MAX_DEPTH {
            let what = format!("values are more than {MAX_DEPTH} levels deep");
            return Err(Fault::new(Reason::TOO_DEEP, what));
        }
        match self.next() {
            b'"' => self.string().map(|_| Shape::Text),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' | b'f' => {
                self.token();
                Ok(Shape::Bool)
            }
            b'n' => {
                self.token();
                Ok(Shape::Null)
            }
            _ => number(self.token()).map(|()| Shape::Number),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Shape<'a>, Fault> {
        let mut members = Members::default();
        self.at += 1;
        while self.next() == b'"' {
            let key = self.string()?;
            self.skip(b':');
            let shape = self.value(depth + 1).map_err(|fault| fault.within(&key))?;
            members.insert(key, shape)?;
            self.skip(b',');
        }
        self.skip(b'}');
        Ok(Shape::Object(Box::new(members)))
    }

    fn array(&mut self, depth: usize) -> Result<Shape<'a>, Fault> {
        let mut elements = Shape::Null;
        self.at += 1;
        while !matches!(self.next(), b']' | END) {
            elements = elements.and(self.value(depth + 1)?)?;
            self.skip(b',');
        }
        self.skip(b']');
        Ok(Shape::Array(Box::new(elements)))
    }

    /// The text of a string.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let end = self.at;
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(self.text.get(start + 1..end).unwrap_or_default()));
        }
        // Of what the grammar allows, only half a pair is not text.
        let token = self.text.get(start..=end).unwrap_or_default();
        serde_json::from_str(token).map(|Text(text)| text).map_err(|_| {
            let what = "a \\u escape is one half of a surrogate pair";
            Fault::new(Reason::LONE_SURROGATE, what)
        })
    }

    /// The characters up to the next that ends a number or a name.
    fn token(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        // A step at least, so that it ends.
        self.at += end.max(1);
        &rest[..end]
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> u8 {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let space = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let space = space.count();
        self.at += space;
        rest.get(space).copied().unwrap_or(END)
    }

    /// Goes past this byte, if it comes next.
    fn skip(&mut self, byte: u8) {
        if self.next() == byte {
            self.at += 1;
        }
    }
}

/// No byte of a JSON text.
const END: u8 = 0;
