//! A range of days.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::error::{Error, Result};

/// A range of days by the events' own `ts`, both ends included; without an end, all to that side.
///
/// As JSON `{"from": "2026-11-22", "to": null}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DateRange {
    #[serde(serialize_with = "text")]
    from: Option<Date>,
    #[serde(serialize_with = "text")]
    to: Option<Date>,
}

impl DateRange {
    /// From this day to that.
    ///
    /// # Errors
    ///
    /// `Invalid` if the first is after the last.
    pub fn new(from: Option<Date>, to: Option<Date>) -> Result<Self> {
        match (from, to) {
            (Some(from), Some(to)) if from > to => {
                let message =
                    format!("`from` {from} is after `to` {to}: give the earlier day first");
                Err(Error::invalid("dates", message))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Whether a day is in the range.
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => f.write_str("all"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(to)) => write!(f, "to {to}"),
            (Some(from), Some(to)) => write!(f, "{from} to {to}"),
        }
    }
}

fn text<S: serde::Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    day.map(|day| day.to_string()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_range_has_both_its_ends() {
        let (first, last) = (date(2026, 11, 22), date(2026, 11, 23));
        let dates = DateRange::new(Some(first), Some(last)).unwrap();
        let inside = [21, 22, 23, 24].map(|day| dates.contains(date(2026, 11, day)));
        assert_eq!(inside, [false, true, true, false]);
        assert!(DateRange::default().contains(first));
        let error = DateRange::new(Some(last), Some(first)).unwrap_err().to_string();
        assert!(error.contains("2026-11-23") && error.contains("2026-11-22"), "{error}");
    }

    #[test]
    fn a_range_is_told_in_words_and_in_json() {
        let day = Some(date(2026, 1, 2));
        let told = [(None, None), (day, None), (None, day), (day, day)]
            .map(|(from, to)| DateRange::new(from, to).unwrap().to_string());
        assert_eq!(told, ["all", "from 2026-01-02", "to 2026-01-02", "2026-01-02 to 2026-01-02"]);
        let json = serde_json::to_string(&DateRange::new(day, None).unwrap()).unwrap();
        assert_eq!(json, r#"{"from":"2026-01-02","to":null}"#);
    }
}
