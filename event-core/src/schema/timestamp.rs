//! The times that readers take.

use jiff::civil::{Date, DateTime, Time};

use super::out_of_range;
use crate::reason::Reason;

/// Years outside are refused: an absurd date would open a partition of its own for ever. Archives
/// of purchases go back some decades.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2099;

/// Reads a time of the forms that DuckDB, polars and pyarrow all take in a column of type `TIMESTAMP`
/// (of nanoseconds, where there are more than six decimals).
///
/// ISO 8601 knows more, of which one or the other refuses each: `:60`, an hour alone, a lower-case
/// `t` or `z`, a comma, basic format, weeks, seconds in an offset, and the zone in brackets of RFC 9557.
pub(super) fn read(field: &str, text: &str) -> Result<DateTime, Reason> {
    let Some(time) = parse(text.as_bytes()) else {
        return Err(out_of_range(format_args!(
            "{field} {text:?} is not a date and time like 2026-11-22T22:16:48.469759"
        )));
    };
    if !YEARS.contains(&time.year()) {
        return Err(out_of_range(format_args!(
            "{field} {text:?} is not in the years {} to {}",
            YEARS.start(),
            YEARS.end()
        )));
    }
    Ok(time)
}

fn parse(text: &[u8]) -> Option<DateTime> {
    let mut rest = Rest(text);
    let year = rest.digits(2)? * 100 + rest.digits(2)?;
    rest.one_of(b"-")?;
    let month = rest.digits(2)?;
    rest.one_of(b"-")?;
    let day = rest.digits(2)?;
    rest.one_of(b"T ")?;
    let hour = rest.digits(2)?;
    rest.one_of(b":")?;
    let minute = rest.digits(2)?;
    let (mut second, mut nanosecond) = (0, 0);
    if rest.one_of(b":").is_some() {
        second = rest.digits(2)?;
        if rest.one_of(b".").is_some() {
            nanosecond = rest.fraction()?;
        }
    }
    rest.offset()?;
    // All of two digits each, but for the year.
    let date = Date::new(year, month as i8, day as i8).ok()?;
    let time = Time::new(hour as i8, minute as i8, second as i8, nanosecond).ok()?;
    rest.0.is_empty().then(|| DateTime::from_parts(date, time))
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn one_of(&mut self, these: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        these.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn digit(&mut self) -> Option<u8> {
        self.one_of(b"0123456789").map(|digit| digit - b'0')
    }

    fn digits(&mut self, count: usize) -> Option<i16> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + i16::from(self.digit()?)))
    }

    /// One to nine decimals, in nanoseconds.
    fn fraction(&mut self) -> Option<i32> {
        let mut nanoseconds = i32::from(self.digit()?) * 100_000_000;
        let mut unit = 10_000_000;
        while let Some(digit) = self.digit() {
            // The tenth has no unit left.
            if unit == 0 {
                return None;
            }
            nanoseconds += i32::from(digit) * unit;
            unit /= 10;
        }
        Some(nanoseconds)
    }

    /// `Z`, `+01`, `+0100`, `+01:00`, or none. It is not applied, so only its form counts.
    fn offset(&mut self) -> Option<()> {
        if self.one_of(b"Z").is_some() || self.one_of(b"+-").is_none() {
            return Some(());
        }
        let hours = self.digits(2)?;
        let colon = self.one_of(b":").is_some();
        let minutes = if colon || !self.0.is_empty() { self.digits(2)? } else { 0 };
        (hours < 24 && minutes < 60).then_some(())
    }
}
