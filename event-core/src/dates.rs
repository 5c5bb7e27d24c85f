//! Days, and where the events of one are.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::event::EventType;

/// A range of days by the events' own `ts`, both ends included; without an end, all to that side.
///
/// As JSON `{"from": "2026-11-22", "to": null}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dates {
    #[serde(serialize_with = "text")]
    from: Option<Date>,
    #[serde(serialize_with = "text")]
    to: Option<Date>,
}

impl Dates {
    /// From this day to that.
    ///
    /// # Errors
    ///
    /// `Invalid` if the first is after the last.
    pub fn new(from: Option<Date>, to: Option<Date>) -> Result<Self> {
        match (from, to) {
            (Some(from), Some(to)) if from > to => {
                let message =
                    format!("--from {from} is after --to {to}: give the earlier day first");
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

impl fmt::Display for Dates {
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

/// A partition, read back from its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) name: String,
    pub(crate) event_type: EventType,
    pub(crate) day: Date,
}

impl Partition {
    /// None if no event belongs to a partition of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        const DAY: &str = "%Y_%m_%d";
        let (kind, text) = name.strip_prefix("event_type=")?.split_once("/dt=")?;
        let event_type = EventType::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let day = Date::strptime(DAY, text).ok()?;
        // One day has one name.
        let same = day.strftime(DAY).to_string() == text;
        same.then(|| Self { name: name.to_owned(), event_type, day })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_range_has_both_its_ends() {
        let (first, last) = (date(2026, 11, 22), date(2026, 11, 23));
        let dates = Dates::new(Some(first), Some(last)).unwrap();
        let inside = [21, 22, 23, 24].map(|day| dates.contains(date(2026, 11, day)));
        assert_eq!(inside, [false, true, true, false]);
        assert!(Dates::default().contains(first));
        let error = Dates::new(Some(last), Some(first)).unwrap_err().to_string();
        assert!(error.contains("2026-11-23") && error.contains("2026-11-22"), "{error}");
    }

    #[test]
    fn a_range_is_told_in_words_and_in_json() {
        let day = Some(date(2026, 1, 2));
        let told = [(None, None), (day, None), (None, day), (day, day)]
            .map(|(from, to)| Dates::new(from, to).unwrap().to_string());
        assert_eq!(told, ["all", "from 2026-01-02", "to 2026-01-02", "2026-01-02 to 2026-01-02"]);
        let json = serde_json::to_string(&Dates::new(day, None).unwrap()).unwrap();
        assert_eq!(json, r#"{"from":"2026-01-02","to":null}"#);
    }

    #[test]
    fn only_the_name_that_the_layout_gives_is_that_of_a_partition() {
        let partition = Partition::parse("event_type=sale_event/dt=2026_01_02").unwrap();
        assert_eq!((partition.event_type, partition.day), (EventType::Sale, date(2026, 1, 2)));
        for name in [
            "",
            "event_type=sale_event",
            "event_type=other/dt=2026_01_02",
            "event_type=sale_event/dt=2026_1_2",
            "event_type=sale_event/dt=2026_02_30",
            "event_type=sale_event/dt=2026_01_02/x",
            "event_type=sale_event/dt=2026-01-02",
        ] {
            assert_eq!(Partition::parse(name), None, "{name}");
        }
    }
}
