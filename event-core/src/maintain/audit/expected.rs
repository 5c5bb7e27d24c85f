//! What was sent, and how an event is told from another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::id::Id;
use super::scope::Scope;
use crate::error::{Error, Result};
use crate::maintain::dates::DateRange;
use crate::message::Message;
use crate::object::Object;
use crate::schema::Schema;

/// What was sent, as far as it is known.
#[derive(Clone, Debug, Default)]
pub enum Expected {
    /// Nobody knows: the books can only agree among themselves.
    #[default]
    Unknown,
    /// So many different events, on the days that are looked at.
    Count(u64),
    /// These events.
    Events(ExpectedEvents),
}

/// The events that were sent, each once, by identity and partition; a message without an identity
/// goes by its bytes. Where the partition is not known, the day counts, and where that is not known
/// it is taken for any.
///
/// ```
/// use std::sync::Arc;
///
/// let mut sent = event_core::maintain::ExpectedEvents::new(Arc::new(event_core::Retail::default()));
/// sent.add_body(br#"{"request_id": "r1", "ts": "2026-11-22T22:16:48"}"#);
/// sent.add_identity("r1").unwrap();
/// assert_eq!(sent.len(), 1);
/// ```
#[derive(Clone)]
pub struct ExpectedEvents {
    schema: Arc<dyn Schema>,
    by_id: BTreeMap<Id, (String, BTreeSet<Scope>)>,
    len: usize,
}

impl ExpectedEvents {
    /// None yet, of this schema.
    pub fn new(schema: Arc<dyn Schema>) -> Self {
        Self { schema, by_id: BTreeMap::new(), len: 0 }
    }

    /// A message with this body was sent, with whatever attributes. Its time, if it has one, says on
    /// which day it counts.
    pub fn add_body(&mut self, body: &[u8]) {
        self.add_message(&Message::new(body.to_vec()));
    }

    /// This message was sent.
    pub fn add_message(&mut self, message: &Message) {
        self.add(Identity::of(&*self.schema, message));
    }

    fn add(&mut self, Identity { id, name, scope }: Identity) {
        let (_, scopes) = self.by_id.entry(id).or_insert((name, BTreeSet::new()));
        let before = scopes.len();
        // The day is told by a body, and by no bare identity beside it.
        scope.add_to(scopes);
        self.len = self.len - before + scopes.len();
    }

    /// What this line says was sent: a JSON object is the body of a message, and anything else a
    /// identity.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is neither.
    pub fn add_line(&mut self, line: &[u8]) -> Result<()> {
        // By the grammar alone: a body that is refused for what is in it was sent as well, and is
        // in quarantine.
        if serde_json::from_slice::<Object<Ignored>>(line).is_ok() {
            self.add_body(line);
            return Ok(());
        }
        let identity = str::from_utf8(line.trim_ascii())
            .map_err(|_| Error::invalid("sent", "this is not UTF-8"))?;
        self.add_identity(identity)
    }

    /// The event with this identity was sent, on a day that is looked at.
    ///
    /// # Errors
    ///
    /// `Invalid` if no event has such a one: it is empty, a JSON text that was cut, or starts with a
    /// byte order mark.
    pub fn add_identity(&mut self, identity: &str) -> Result<()> {
        let odd = identity.is_empty()
            || identity.starts_with(['{', '[', '"', '\u{feff}'])
            || identity.chars().any(char::is_control);
        if odd {
            let message = "this is neither a message, nor the body of one, nor an identity";
            return Err(Error::invalid("sent", message));
        }
        let (id, name) = (Id::of(identity), identity.to_owned());
        self.add(Identity { id, name, scope: Scope::default() });
        Ok(())
    }

    /// How many different events.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains(&self, id: Id, scope: Scope) -> bool {
        let scopes = self.by_id.get(&id).map(|(_, scopes)| scopes);
        scopes.is_some_and(|scopes| scopes.iter().any(|sent| sent.agrees(scope)))
    }

    /// Those of these days, and those of which no day is known.
    pub(super) fn on(&self, dates: DateRange) -> impl Iterator<Item = (Id, Scope, &str)> {
        let all = self.by_id.iter().flat_map(|(&id, (name, scopes))| {
            scopes.iter().map(move |&scope| (id, scope, &**name))
        });
        all.filter(move |(_, scope, _)| scope.day.is_none_or(|day| dates.contains(day)))
    }
}

/// Who a message is, valid or not.
pub(super) struct Identity {
    pub(super) id: Id,
    /// The identity of the event, or what stands for it.
    pub(super) name: String,
    pub(super) scope: Scope,
}

/// Any object.
#[derive(Deserialize)]
struct Ignored {}

impl Identity {
    pub(super) fn of(schema: &dyn Schema, message: &Message) -> Self {
        let trace = schema.trace(message);
        let scope = Scope::from(&trace);
        match trace.identity {
            Some(name) => Self { id: Id::of(&name), name, scope },
            None => {
                let id = Id::of_bytes(&message.body);
                Self { id, name: format!("message without an identity, {:032x}", id.0), scope }
            }
        }
    }
}

impl fmt::Debug for ExpectedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedEvents").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::retail::{EVENT_TYPE, Event};
    use crate::schema::{Partition, PartitionBy, Retail};
    use jiff::civil::date;

    fn sent_events() -> ExpectedEvents {
        ExpectedEvents::new(Arc::new(Retail::default()))
    }

    fn of(body: &str) -> Identity {
        Identity::of(&Retail::default(), &Message::new(body.to_owned()))
    }

    fn names(sent: &ExpectedEvents, dates: DateRange) -> Vec<&str> {
        let mut names: Vec<_> = sent.on(dates).map(|(_, _, name)| name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn an_event_counts_once_and_on_its_day() {
        let mut sent = sent_events();
        sent.add_identity("b").unwrap();
        for (id, day) in [("a", "21"), ("b", "22"), ("b", "22"), ("c", "23")] {
            let body = format!(r#"{{"request_id": "{id}", "ts": "2026-11-{day}T00:00:00"}}"#);
            sent.add_body(body.as_bytes());
        }
        sent.add_identity("d").unwrap();
        assert_eq!((sent.len(), sent.is_empty()), (4, false));
        let day = Some(date(2026, 11, 22));
        assert_eq!(names(&sent, DateRange::new(day, day).unwrap()), ["b", "d"]);
        assert_eq!(names(&sent, DateRange::default()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn one_request_id_on_two_days_or_of_two_types_was_sent_twice() {
        let mut sent = sent_events();
        let body = |day: u8| format!(r#"{{"request_id": "a", "ts": "2026-11-{day}T00:00:00"}}"#);
        sent.add_body(body(22).as_bytes());
        for (day, kind) in [(22, "sale_event"), (22, "inventory_event"), (23, "sale_event")] {
            sent.add_message(&Message::new(body(day)).with_attribute(EVENT_TYPE, kind));
        }
        assert_eq!((sent.len(), names(&sent, DateRange::default())), (3, vec!["a"; 3]));
        let scope = |kind, day| {
            let time = date(2026, 11, day).at(0, 0, 0, 0);
            Scope::from(&Partition::new(Some(kind), time, PartitionBy::Day))
        };
        let contains = |scope| sent.contains(Id::of("a"), scope);
        assert!(contains(scope("sale_event", 23)) && contains(scope("inventory_event", 22)));
        assert!(!contains(scope("inventory_event", 23)) && !contains(scope("sale_event", 24)));
        assert!(contains(Scope::default()) && !sent.contains(Id::of("b"), Scope::default()));
    }

    #[test]
    fn what_has_no_identity_goes_by_its_bytes() {
        for body in ["no json", "{}", r#"{"request_id": 7}"#, r#"{"request_id": ""}"#, "[1]"] {
            assert_eq!(of(body).id, of(body).id);
            assert_ne!(of(body).id, of("{ }").id, "{body}");
            assert!(of(body).name.starts_with("message without an identity"), "{body}");
        }
        assert_eq!(of(r#"{"request_id": "r", "ts": 7}"#).id, Id::of("r"));
        // A body that is the text of a request_id is not the event of that request_id.
        assert_ne!(of("r").id, Id::of("r"));
    }

    #[test]
    fn a_body_counts_as_that_whatever_is_wrong_with_it() {
        let deep = format!(r#"{{"request_id": "a", "x": {}{}}}"#, "[".repeat(500), "]".repeat(500));
        for body in [
            r#"{"request_id": "a", "x": 1e999}"#,
            r#"{"request_id": "a", "x": "\ud83d"}"#,
            r#"{"request_id": "a", "x": 1, "x": 2, "": {"X": 1, "x": [1, "a"]}}"#,
            &deep,
        ] {
            let mut sent = sent_events();
            sent.add_line(body.as_bytes()).unwrap();
            sent.add_identity("a").unwrap();
            assert_eq!(names(&sent, DateRange::default()), ["a"], "{body}");
        }
        let mut sent = sent_events();
        sent.add_line(b" a ").unwrap();
        assert_eq!(names(&sent, DateRange::default()), ["a"]);
        for odd in [&b"[1]"[..], b"{\"request_id\": \"a\"", b"\xff"] {
            assert!(sent.add_line(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn what_is_stored_is_the_same_event_to_audit() {
        let whole = r#"{"request_id": "a\u0062", "store_id": 8, "cust_id": 538, "category": "Games",
            "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
            "variant": "black", "priority_shipping": true, "ts": "1998-06-05 22:16+01", "x": [{}]}"#;
        let message = Message::new(whole).with_attribute(EVENT_TYPE, "sale_event");
        let event = Event::parse(&message).unwrap();
        let who = of(whole);
        assert_eq!((&*who.name, who.scope.day), (&*event.request_id, Some(event.ts.date())));
    }

    #[test]
    fn a_line_that_is_nothing_is_refused() {
        let mut sent = sent_events();
        for odd in
            ["", "{\"request_id\": \"a", "[1, 2", "\"a", "a\u{0}b", "a\u{85}", "\u{feff}good-0"]
        {
            assert!(sent.add_identity(odd).is_err(), "{odd:?}");
        }
    }
}
