//! What was sent, and how an event is told from another.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::id::Id;
use super::scope::Scope;
use crate::error::{Error, Result};
use crate::maintain::dates::Dates;
use crate::message::Message;
use crate::object::Object;
use crate::schema::retail::{EVENT_TYPE, EventType, day_of};

/// What was sent, as far as it is known.
#[derive(Clone, Debug, Default)]
pub enum Sent {
    /// Nobody knows: the books can only agree among themselves.
    #[default]
    Unknown,
    /// So many different events, on the days that are looked at.
    Count(u64),
    /// These events.
    Events(SentEvents),
}

/// The events that were sent, each once, by `request_id`, type and day; a message without a
/// `request_id` goes by its bytes. Where type or day is not known, it is taken for any.
///
/// ```
/// let mut sent = event_core::SentEvents::default();
/// sent.add_body(br#"{"request_id": "r1", "ts": "2026-11-22T22:16:48"}"#);
/// sent.add_request_id("r1").unwrap();
/// assert_eq!(sent.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SentEvents {
    by_id: BTreeMap<Id, (String, BTreeSet<Scope>)>,
    len: usize,
}

impl SentEvents {
    /// The message with this body was sent. Its `ts`, if it has one, says on which day it counts.
    pub fn add_body(&mut self, body: &[u8]) {
        self.add(Identity::of(body));
    }

    /// This message was sent. Besides the body its attribute `event_type` says where it counts.
    pub fn add_message(&mut self, message: &Message) {
        self.add(Identity::of_message(message));
    }

    fn add(&mut self, Identity { id, name, scope }: Identity) {
        let (_, scopes) = self.by_id.entry(id).or_insert((name, BTreeSet::new()));
        let before = scopes.len();
        // The day is told by a body, and by no bare request_id beside it.
        scope.add_to(scopes);
        self.len = self.len - before + scopes.len();
    }

    /// What this line says was sent: a JSON object is the body of a message, and anything else a
    /// `request_id`.
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
        let request_id = str::from_utf8(line.trim_ascii())
            .map_err(|_| Error::invalid("sent", "this is not UTF-8"))?;
        self.add_request_id(request_id)
    }

    /// The event with this `request_id` was sent, on a day that is looked at.
    ///
    /// # Errors
    ///
    /// `Invalid` if no event has such a one: it is empty, a JSON text that was cut, or starts with a
    /// byte order mark.
    pub fn add_request_id(&mut self, request_id: &str) -> Result<()> {
        let odd = request_id.is_empty()
            || request_id.starts_with(['{', '[', '"', '\u{feff}'])
            || request_id.chars().any(char::is_control);
        if odd {
            let message = "this is neither a message, nor the body of one, nor a request_id";
            return Err(Error::invalid("sent", message));
        }
        let (id, name) = (Id::of(request_id), request_id.to_owned());
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
    pub(super) fn on(&self, dates: Dates) -> impl Iterator<Item = (Id, Scope, &str)> {
        let all = self.by_id.iter().flat_map(|(&id, (name, scopes))| {
            scopes.iter().map(move |&scope| (id, scope, &**name))
        });
        all.filter(move |(_, scope, _)| scope.day.is_none_or(|day| dates.contains(day)))
    }
}

/// Who a message is, valid or not.
pub(super) struct Identity {
    pub(super) id: Id,
    /// The `request_id`, or what stands for it.
    pub(super) name: String,
    pub(super) scope: Scope,
}

/// Any object.
#[derive(Deserialize)]
struct Ignored {}

/// Whatever is there.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    request_id: Value,
    #[serde(default)]
    ts: Value,
}

impl Identity {
    pub(super) fn of_message(message: &Message) -> Self {
        let event_type = message.attributes.value(EVENT_TYPE);
        let known = EventType::ALL.into_iter().find(|known| Some(known.as_str()) == event_type);
        let mut identity = Self::of(&message.body);
        identity.scope.event_type = known;
        identity
    }

    pub(super) fn of(body: &[u8]) -> Self {
        let names = serde_json::from_slice::<Object<Names>>(body).ok().map(|Object(names)| names);
        let day = names.as_ref().and_then(|names| day_of(names.ts.as_str()?));
        let scope = Scope { event_type: None, day };
        let request_id = names.as_ref().and_then(|names| names.request_id.as_str());
        match request_id.filter(|request_id| !request_id.is_empty()) {
            Some(request_id) => Self { id: Id::of(request_id), name: request_id.to_owned(), scope },
            None => {
                let id = Id::of_bytes(body);
                Self { id, name: format!("message without request_id, {:032x}", id.0), scope }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::schema::retail::{EVENT_TYPE, Event};
    use jiff::civil::date;

    fn names(sent: &SentEvents, dates: Dates) -> Vec<&str> {
        let mut names: Vec<_> = sent.on(dates).map(|(_, _, name)| name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn an_event_counts_once_and_on_its_day() {
        let mut sent = SentEvents::default();
        sent.add_request_id("b").unwrap();
        for (id, day) in [("a", "21"), ("b", "22"), ("b", "22"), ("c", "23")] {
            let body = format!(r#"{{"request_id": "{id}", "ts": "2026-11-{day}T00:00:00"}}"#);
            sent.add_body(body.as_bytes());
        }
        sent.add_request_id("d").unwrap();
        assert_eq!((sent.len(), sent.is_empty()), (4, false));
        let day = Some(date(2026, 11, 22));
        assert_eq!(names(&sent, Dates::new(day, day).unwrap()), ["b", "d"]);
        assert_eq!(names(&sent, Dates::default()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn one_request_id_on_two_days_or_of_two_types_was_sent_twice() {
        let mut sent = SentEvents::default();
        let body = |day: u8| format!(r#"{{"request_id": "a", "ts": "2026-11-{day}T00:00:00"}}"#);
        sent.add_body(body(22).as_bytes());
        for (day, kind) in [(22, "sale_event"), (22, "inventory_event"), (23, "sale_event")] {
            sent.add_message(&Message::new(body(day)).with_attribute(EVENT_TYPE, kind));
        }
        assert_eq!((sent.len(), names(&sent, Dates::default())), (3, vec!["a"; 3]));
        let scope = |event_type, day| Scope { event_type, day: Some(date(2026, 11, day)) };
        let contains = |scope| sent.contains(Id::of("a"), scope);
        assert!(contains(scope(Some(EventType::Sale), 23)) && contains(scope(None, 23)));
        assert!(!contains(scope(Some(EventType::Inventory), 23)) && !contains(scope(None, 24)));
        assert!(contains(Scope::default()) && !sent.contains(Id::of("b"), Scope::default()));
    }

    #[test]
    fn what_has_no_request_id_goes_by_its_bytes() {
        let of = |body: &str| Identity::of(body.as_bytes());
        for body in ["no json", "{}", r#"{"request_id": 7}"#, r#"{"request_id": ""}"#, "[1]"] {
            assert_eq!(of(body).id, of(body).id);
            assert_ne!(of(body).id, of("{ }").id, "{body}");
            assert!(of(body).name.starts_with("message without request_id"), "{body}");
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
            let mut sent = SentEvents::default();
            sent.add_line(body.as_bytes()).unwrap();
            sent.add_request_id("a").unwrap();
            assert_eq!(names(&sent, Dates::default()), ["a"], "{body}");
        }
        let mut sent = SentEvents::default();
        sent.add_line(b" a ").unwrap();
        assert_eq!(names(&sent, Dates::default()), ["a"]);
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
        let who = Identity::of(whole.as_bytes());
        assert_eq!((&*who.name, who.scope.day), (&*event.request_id, Some(event.ts.date())));
    }

    #[test]
    fn a_line_that_is_nothing_is_refused() {
        let mut sent = SentEvents::default();
        for odd in ["", "{\"request_id\": \"a", "[1, 2", "a\u{0}b", "\u{feff}good-0"] {
            assert!(sent.add_request_id(odd).is_err(), "{odd:?}");
        }
    }
}
