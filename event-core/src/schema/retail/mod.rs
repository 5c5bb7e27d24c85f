//! The event: what a valid message says, and what is wrong with one that is not.

mod fields;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use jiff::civil::DateTime;
use serde::Serialize;
use serde::de::IgnoredAny;

use self::fields::Fields;
use super::body::identity_field;
use super::{
    DAY, HOUR, Identified, Partition, PartitionBy, Schema, SchemaSettings, Trace, check_identity,
    envelope, out_of_range, partition, timestamp,
};
use crate::message::{Attributes, Message};
use crate::reason::Reason;

/// The attribute that carries the type of an event; the body does not repeat it.
pub const EVENT_TYPE: &str = "event_type";

/// The two kinds of events that stores send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum EventType {
    /// Something was sold, or came back.
    #[serde(rename = "sale_event")]
    Sale,
    /// Stock was counted or moved.
    #[serde(rename = "inventory_event")]
    Inventory,
}

impl EventType {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::Sale, Self::Inventory];

    /// The name on the wire and in keys: `sale_event` or `inventory_event`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale_event",
            Self::Inventory => "inventory_event",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A valid event, borrowed from the message that carried it.
///
/// It is a view for handlers to read. What is stored is always the body itself, so fields that
/// this struct does not know survive.
///
/// ```
/// use event_core::schema::retail::{Event, EventType};
/// use event_core::Message;
///
/// let body = r#"{"request_id": "fbcb6bb3", "store_id": 8, "cust_id": 538, "category": "Games",
///     "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
///     "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48.469759"}"#;
/// let message = Message::new(body).with_attribute("event_type", "sale_event");
/// let event = Event::parse(&message).unwrap();
/// assert_eq!((event.event_type, event.price, event.is_return), (EventType::Sale, 64.08, false));
///
/// let reason = Event::parse(&Message::new("{}")).unwrap_err();
/// assert_eq!(reason.code(), "unknown_event_type");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// From the message's attribute of that name.
    pub event_type: EventType,
    /// The identity of the event. Two messages with the same `request_id` are the same event.
    pub request_id: Cow<'a, str>,
    /// The store that sent the event; at least 1.
    pub store_id: u64,
    /// The customer.
    pub cust_id: u64,
    /// The category of the product.
    pub category: Cow<'a, str>,
    /// The product.
    pub sku: u64,
    /// The price of one piece, in the store's currency; not negative.
    pub price: f64,
    /// How many pieces.
    pub qty: u64,
    /// The discount in percent; 0 to 100.
    pub discount: f64,
    /// Whether it is a gift.
    pub gift_wrap: bool,
    /// The variant of the product.
    pub variant: Cow<'a, str>,
    /// Whether the customer waits for it.
    pub priority_shipping: bool,
    /// When it happened, by the clock on the store's wall: an offset, if there is one, is not
    /// applied. The day of this time is the day that the event is stored under.
    pub ts: DateTime,
    /// Whether the goods came back; false where the body says nothing.
    pub is_return: bool,
}

/// The largest whole number of a `BIGINT`, as readers have them.
const MAX_WHOLE: u64 = i64::MAX as u64;

impl<'a> Event<'a> {
    /// Reads and validates the event in `message`; the error says what is wrong with it.
    ///
    /// A valid event has the attribute `event_type`, a body that is one JSON object with every
    /// field of this struct (`is_return` may be left out) in its type and range, and no field
    /// `bad_msg`. Other fields are kept as they are.
    ///
    /// What is valid is stored as it is, so the whole body must be one that
    /// [`readable_text`](crate::schema::readable_text) takes; nor may a key be that of a known field
    /// but for its case.
    ///
    /// Whole numbers of known fields are at most `i64::MAX`, a `BIGINT`. `ts` is what a column of
    /// type `TIMESTAMP` takes: `2026-11-22T22:16:48.469759`, with a space for the `T`, up to nine
    /// decimals, no seconds, and `Z` or an offset such as `+01:00` if need be; 1970 to 2099.
    pub fn parse(message: &'a Message) -> Result<Self, Reason> {
        let event_type =
            event_type(message).map_err(|reason| envelope::named(message, IDENTITY, reason))?;
        let fields = Fields::read(&message.body)
            .map_err(|reason| envelope::named(message, IDENTITY, reason))?;
        let has_id = fields.request_id.is_some();
        // An envelope has none, whatever else is in it.
        let refuse = |code, detail: &str| {
            let reason = Reason::new(code, detail);
            if has_id { reason } else { envelope::named(message, IDENTITY, reason) }
        };
        if fields.bad_msg {
            let detail = "the producer marked this event with bad_msg";
            return Err(refuse(Retail::BAD_MSG, detail));
        }
        let Some(store_id) = fields.store_id else {
            return Err(refuse(Retail::MISSING_STORE_ID, "store_id is not there"));
        };
        let Some(request_id) = fields.request_id else {
            return Err(refuse(Reason::MISSING_FIELD, "request_id is not there"));
        };
        let event = Self {
            event_type,
            request_id: request_id.0,
            store_id,
            cust_id: need("cust_id", fields.cust_id)?,
            category: need("category", fields.category)?.0,
            sku: need("sku", fields.sku)?,
            price: need("price", fields.price)?,
            qty: need("qty", fields.qty)?,
            discount: need("discount", fields.discount)?,
            gift_wrap: need("gift_wrap", fields.gift_wrap)?,
            variant: need("variant", fields.variant)?.0,
            priority_shipping: need("priority_shipping", fields.priority_shipping)?,
            ts: timestamp::read(TIME, &need(TIME, fields.ts)?.0)?,
            is_return: fields.is_return.unwrap_or(false),
        };
        event.check_ranges()?;
        Ok(event)
    }

    fn check_ranges(&self) -> Result<(), Reason> {
        check_identity(IDENTITY, &self.request_id)?;
        let whole = [self.store_id, self.cust_id, self.sku, self.qty];
        if let Some(over) = whole.iter().find(|&&number| number > MAX_WHOLE) {
            return Err(out_of_range(format_args!("the number {over} is over {MAX_WHOLE}")));
        }
        if self.store_id == 0 {
            return Err(out_of_range(format_args!("store_id is 0")));
        }
        if self.price < 0.0 {
            return Err(out_of_range(format_args!("price {} is negative", self.price)));
        }
        if !(0.0..=100.0).contains(&self.discount) {
            return Err(out_of_range(format_args!(
                "discount {} is not 0 to 100 percent",
                self.discount
            )));
        }
        Ok(())
    }
}

fn event_type(message: &Message) -> Result<EventType, Reason> {
    let value = message.attributes.value(EVENT_TYPE);
    EventType::ALL.into_iter().find(|known| value == Some(known.as_str())).ok_or_else(|| {
        let detail = match value {
            Some(value) => {
                format!("attribute event_type is {value:?}, not sale_event or inventory_event")
            }
            None => "attribute event_type is not there".to_owned(),
        };
        Reason::new(Reason::UNKNOWN_EVENT_TYPE, detail)
    })
}

fn need<T>(name: &str, field: Option<T>) -> Result<T, Reason> {
    field.ok_or_else(|| Reason::new(Reason::MISSING_FIELD, format!("{name} is not there")))
}

/// The field that is the identity.
const IDENTITY: &str = "request_id";
/// The field that is the time.
const TIME: &str = "ts";

/// The sale and inventory events that stores send: [`Event`] has their fields. The identity is the
/// `request_id`, a partition is a type and a day or an hour of the event's own `ts`.
///
/// ```
/// use event_core::schema::{Retail, Schema};
///
/// assert_eq!(Retail::default().partition_keys(), ["event_type", "dt"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retail {
    by: PartitionBy,
}

impl Retail {
    /// The code of an event that the producer itself marked as bad, with a field `bad_msg`.
    pub const BAD_MSG: &'static str = "bad_msg";
    /// The code of an event without a `store_id`.
    pub const MISSING_STORE_ID: &'static str = "missing_store_id";

    /// The types of events, as the attribute `event_type` has them.
    pub const EVENT_TYPES: [&'static str; 2] =
        [EventType::Sale.as_str(), EventType::Inventory.as_str()];

    /// With partitions of this length.
    pub fn new(by: PartitionBy) -> Self {
        Self { by }
    }

    /// True for the reasons of events that a producer makes invalid on purpose: those with `bad_msg`,
    /// or without `store_id`. About one in ten of the original demo's stream is.
    pub fn is_intended(reason: &Reason) -> bool {
        matches!(reason.code(), Self::BAD_MSG | Self::MISSING_STORE_ID)
    }

    fn partition(self, event_type: EventType, ts: DateTime) -> Partition {
        Partition::new(Some(event_type.as_str()), ts, self.by)
    }
}

impl Schema for Retail {
    fn settings(&self) -> SchemaSettings {
        SchemaSettings::retail(self.by)
    }

    fn partition_keys(&self) -> Vec<Cow<'static, str>> {
        let hour = (self.by == PartitionBy::Hour).then_some(HOUR);
        [partition::EVENT_TYPE, DAY].into_iter().chain(hour).map(Cow::Borrowed).collect()
    }

    fn identify(&self, message: &Message) -> Result<Identified, Reason> {
        let event = Event::parse(message)?;
        let partition = self.partition(event.event_type, event.ts);
        Ok(Identified { identity: Box::from(&*event.request_id), partition })
    }

    fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
        identity_field(line, IDENTITY)
    }

    fn attributes_of(&self, partition: &Partition) -> Attributes {
        let value = partition.value(partition::EVENT_TYPE);
        value.map(|value| (EVENT_TYPE, value.into_owned())).into_iter().collect()
    }

    /// By the grammar alone: a body that is refused for what is in it was sent as well.
    fn trace(&self, message: &Message) -> Trace {
        let body = &message.body;
        if serde_json::from_slice::<IgnoredAny>(body).is_err() {
            return Trace::default();
        }
        let ts = identity_field(body, TIME).and_then(|ts| timestamp::read(TIME, &ts).ok());
        let identity = identity_field(body, IDENTITY).filter(|id| !id.is_empty());
        let identity = identity.map(Cow::into_owned);
        let partition = ts.and_then(|ts| Some(self.partition(event_type(message).ok()?, ts)));
        Trace::new(identity).day(ts.map(DateTime::date)).partition(partition)
    }
}
