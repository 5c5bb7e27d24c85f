//! What producers send in a simulated world, and what must become of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use event_core::{AttributeValue, Bytes, Message};
use fastrand::Rng;

use super::fault::Fault;
use super::plan::Plan;
use crate::twins::twins;

/// What must become of a message, known from how it was made and not from the code under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// One of the bodies that share this name is stored, the others are quarantined.
    Stored(EventName),
    /// Quarantined, for a reason with this code.
    Quarantined {
        /// The code of the reason.
        code: &'static str,
    },
    /// Every handler panics on it: it ends in the dead-letter queue.
    Poison,
}

/// What makes two events the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventName {
    /// As the folders below the prefix are called, such as `event_type=sale_event/dt=2026_11_22`.
    pub partition: String,
    /// Which event of the partition it is.
    pub identity: String,
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.identity, self.partition)
    }
}

/// All messages of a world, each with its fate.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// In the order in which producers get them, repetitions included.
    pub messages: VecDeque<Message>,
    /// By body and attributes.
    fates: BTreeMap<Identity, (Message, Fate)>,
    /// The name of each event, by its body.
    by_body: BTreeMap<Bytes, EventName>,
    /// The names of events so far, poisonous ones included.
    names: BTreeSet<EventName>,
    /// Identities that differ in little.
    twins: Vec<String>,
    /// How often each fault of the messages themselves is in them.
    pub(super) hits: BTreeMap<Fault, u64>,
}

/// The body, and of each attribute its name, its type and its value.
pub(super) type Identity = (Bytes, Vec<(String, String, Vec<u8>)>);

pub(super) fn identity(message: &Message) -> Identity {
    let attributes = message.attributes.iter().map(|(name, value)| {
        (name.to_owned(), value.data_type().to_owned(), value.as_bytes().to_vec())
    });
    (message.body.clone(), attributes.collect())
}

/// Two types and three days, so that partitions are shared and told apart.
const PARTITIONS: [(&str, &str, &str); 3] = [
    ("sale_event", "2026-11-22", "2026_11_22"),
    ("inventory_event", "2026-11-22", "2026_11_22"),
    ("sale_event", "2024-02-29", "2024_02_29"),
];

/// A body that makes handlers of a simulated world panic holds this.
pub(super) const POISON: &str = "poison";

impl Traffic {
    /// What the producers of a plan send: events of a store chain.
    pub(super) fn draw(plan: &Plan, rng: &mut Rng) -> Self {
        let mut traffic = Self { twins: twins(), ..Self::default() };
        for number in 0..plan.events {
            traffic.add_event(plan, number, rng);
        }
        if plan.has(Fault::HostileInput) {
            for (message, fate) in hostile(plan.limits.message_bytes) {
                if rng.bool() {
                    traffic.add(message, fate);
                    traffic.hit(Fault::HostileInput, 1);
                }
            }
        }
        traffic.repeated(plan, rng)
    }

    /// The same of other events.
    pub(super) fn of(messages: Vec<(Message, Fate)>, plan: &Plan, rng: &mut Rng) -> Self {
        let mut traffic = Self::default();
        messages.into_iter().for_each(|(message, fate)| traffic.add(message, fate));
        traffic.repeated(plan, rng)
    }

    /// In any order, and with repetitions if there shall be any.
    fn repeated(mut self, plan: &Plan, rng: &mut Rng) -> Self {
        if let Some(&rate) = plan.faults.get(&Fault::Duplicates) {
            let again: Vec<_> =
                self.messages.iter().filter(|_| rng.f64() < rate).cloned().collect();
            self.hit(Fault::Duplicates, again.len());
            self.messages.extend(again);
        }
        rng.shuffle(self.messages.make_contiguous());
        self
    }

    /// What must become of this message; none if nobody sent it.
    pub fn fate(&self, message: &Message) -> Option<&Fate> {
        self.fates.get(&identity(message)).map(|(_, fate)| fate)
    }

    /// Each message once, with its fate.
    pub fn fates(&self) -> impl Iterator<Item = (&Message, &Fate)> {
        self.fates.values().map(|(message, fate)| (message, fate))
    }

    /// The name of the event that has this body; none if it is not an event that anyone sent.
    pub fn name_of(&self, body: &Bytes) -> Option<&EventName> {
        self.by_body.get(body)
    }

    /// How many events are stored in the end: one of each name.
    pub fn stored(&self) -> usize {
        self.by_body.values().collect::<BTreeSet<_>>().len()
    }

    /// How many identities are those of stored events of more than one partition.
    pub(super) fn elsewhere(&self) -> usize {
        let names: BTreeSet<_> = self.by_body.values().collect();
        let mut ids = BTreeMap::new();
        for name in names {
            *ids.entry(&name.identity).or_insert(0) += 1;
        }
        ids.values().filter(|&&times| times > 1).count()
    }

    /// How many messages are in quarantine in the end.
    pub fn quarantined(&self) -> usize {
        let poison = self.fates.values().filter(|(_, fate)| *fate == Fate::Poison).count();
        self.fates.len() - poison - self.stored()
    }

    fn add_event(&mut self, plan: &Plan, number: usize, rng: &mut Rng) {
        let (kind, day, dt) = PARTITIONS[rng.usize(..PARTITIONS.len())];
        let strikes =
            |fault, rng: &mut Rng| plan.faults.get(&fault).is_some_and(|&rate| rng.f64() < rate);
        let id = match strikes(Fault::HostileInput, rng) {
            true => hostile_id(number, rng),
            // Of the same few for all types and days.
            false if rng.bool() => self.twins[rng.usize(..self.twins.len())].clone(),
            false => format!("e{number}"),
        };
        let poisonous = strikes(Fault::Poison, rng);
        let partition = format!("event_type={kind}/dt={dt}");
        let name = |id: &str| EventName { partition: partition.clone(), identity: id.to_owned() };
        let is_taken = !self.names.insert(name(&id));
        let id = if poisonous || is_taken { format!("e{number}") } else { id };
        let longest = if rng.u8(..) < 32 { 1200 } else { 50 };
        let filler = rng.usize(0..longest);
        let remark = if poisonous { POISON.to_owned() } else { "x".repeat(filler) };
        // A body does not say its type, and no two events shall have the same.
        let body = event(&id, day, 1, &format!("{remark}{}", &kind[..1]));
        let fate = match poisonous {
            true => Fate::Poison,
            false => Fate::Stored(name(&id)),
        };
        self.add(typed(body.clone(), kind), fate.clone());
        if !poisonous && strikes(Fault::Conflicts, rng) {
            let mut others = altered(&body);
            rng.shuffle(&mut others);
            for other in others.into_iter().take(rng.usize(1..4)) {
                self.hit(Fault::Conflicts, 1);
                self.add(typed(other, kind), fate.clone());
            }
        }
    }

    fn hit(&mut self, fault: Fault, times: usize) {
        *self.hits.entry(fault).or_default() += times as u64;
    }

    fn add(&mut self, message: Message, fate: Fate) {
        if let Fate::Stored(name) = &fate {
            self.by_body.insert(message.body.clone(), name.clone());
        }
        self.fates.insert(identity(&message), (message.clone(), fate));
        self.messages.push_back(message);
    }
}

fn typed(body: impl Into<Bytes>, kind: &str) -> Message {
    Message::new(body).with_attribute("event_type", kind.to_owned())
}

fn event(id: &str, day: &str, qty: u64, remark: &str) -> String {
    let id = serde_json::Value::from(id);
    format!(
        r#"{{"request_id": {id}, "store_id": 8, "cust_id": 538, "category": "Games", "sku": 42515, "price": 64.08, "qty": {qty}, "discount": 4.9, "gift_wrap": false, "variant": "black", "priority_shipping": true, "ts": "{day}T23:59:59.999999", "remark": "{remark}"}}"#
    )
}

/// Other bodies of the same event, each of which differs in as little as can be.
fn altered(body: &str) -> Vec<String> {
    let cut = &body[..body.len() - 1];
    vec![
        body.replacen("\"qty\": 1", "\"qty\": 2", 1),
        body.replacen("Games", "games", 1),
        body.replacen("64.08", "64.080", 1),
        body.replacen("black", "bl\u{e1}ck", 1),
        body.replacen("black", "bla\u{301}ck", 1),
        format!("{body} "),
        format!(" {body}"),
        format!("{cut} }}"),
    ]
}

/// Identities that are valid and would break a key that held them as they are.
fn hostile_id(number: usize, rng: &mut Rng) -> String {
    let shapes =
        ["../../{}", "{}/../x", "{}/dt=2030_01_01/y", "{} é\u{202e}", "%2e%2e%2f{}", ".{}", "{}~"];
    let shape = rng.usize(..shapes.len() + 1);
    match shapes.get(shape) {
        Some(shape) => shape.replace("{}", &number.to_string()),
        None => format!("{number}{}", "long".repeat(60)),
    }
}

/// The values of an event without the names of their fields.
fn as_list(event: &str) -> String {
    let pairs = event.trim_matches(['{', '}']).split(", ");
    let values: Vec<_> = pairs.filter_map(|pair| Some(pair.split_once(": ")?.1)).collect();
    format!("[{}, false, false]", values[..values.len() - 1].join(", "))
}

/// Messages that are not events, whole: as many ways to be wrong as a consumer has to tell apart.
fn hostile(message_bytes: usize) -> Vec<(Message, Fate)> {
    let good = event("h", "2026-11-22", 1, "");
    let without = |field: &str| good.replacen(&format!("\"{field}\""), "\"another\"", 1);
    let with = |field: &str, value: &str| {
        let start = good.find(&format!("\"{field}\": ")).map_or(0, |at| at + field.len() + 4);
        let end = start + good[start..].find(", \"").unwrap_or(0);
        format!("{}{value}{}", &good[..start], &good[end..])
    };
    let long_id = format!("\"{}\"", "x".repeat(257));
    let bodies: Vec<(Bytes, &'static str)> = vec![
        (good.replacen('{', r#"{"bad_msg": true, "#, 1).into(), "bad_msg"),
        (good.replacen('{', r#"{"bad_msg": null, "#, 1).into(), "bad_msg"),
        (without("store_id").into(), "missing_store_id"),
        (without("request_id").into(), "missing_field"),
        (without("ts").into(), "missing_field"),
        ("".into(), "not_json"),
        ("not json".into(), "not_json"),
        ("Not JSON".into(), "not_json"),
        ("not json ".into(), "not_json"),
        (" not json".into(), "not_json"),
        ("n\u{f3}t json".into(), "not_json"),
        ("no\u{301}t json".into(), "not_json"),
        (good[..good.len() - 1].to_owned().into(), "not_json"),
        (Bytes::from_static(b"\xfe\x00"), "not_json"),
        (format!("{good}{good}").into(), "not_json"),
        ("[".repeat(1000).into(), "not_json"),
        (format!("{}{}", "[".repeat(1000), "]".repeat(1000)).into(), "wrong_type"),
        ("[]".into(), "wrong_type"),
        (as_list(&good).into(), "wrong_type"),
        ("null".into(), "wrong_type"),
        (with("store_id", "\"8\"").into(), "wrong_type"),
        (with("qty", "-1").into(), "wrong_type"),
        (with("request_id", "17").into(), "wrong_type"),
        (good.replacen('{', r#"{"store_id": 1, "#, 1).into(), "duplicate_key"),
        (good.replacen('{', r#"{"x": 1e999, "#, 1).into(), "out_of_range"),
        (good.replacen('{', r#"{"x": "\ud83d", "#, 1).into(), "lone_surrogate"),
        (good.replacen('{', r#"{"x": 1, "X": 2, "#, 1).into(), "case_conflict"),
        (format!("\u{feff}{good}").into(), "byte_order_mark"),
        (with("request_id", "\"\"").into(), "out_of_range"),
        (with("request_id", r#""a\u0000b""#).into(), "out_of_range"),
        (with("request_id", &long_id).into(), "out_of_range"),
        (with("store_id", "0").into(), "out_of_range"),
        (with("price", "-0.01").into(), "out_of_range"),
        (with("discount", "100.5").into(), "out_of_range"),
        (with("ts", "\"9999-12-31T00:00:00\"").into(), "out_of_range"),
        (with("ts", "\"../../2026-11-22T00:00:00\"").into(), "out_of_range"),
        ("x".repeat(message_bytes).into(), "refused"),
    ];
    let fate = |code| Fate::Quarantined { code };
    let mut all: Vec<_> =
        bodies.into_iter().map(|(body, code)| (typed(body, "sale_event"), fate(code))).collect();
    for kind in ["", "SALE_EVENT", "sale_event/../../x", "dt=2030_01_01", "é"] {
        all.push((typed(good.clone(), kind), fate("unknown_event_type")));
    }
    for kind in [" sale_event", "sale_event ", "Sale_event", "sale_event\u{301}", "sale"] {
        all.push((typed(good.clone(), kind), fate("unknown_event_type")));
    }
    for (name, value) in [("a", "b"), ("A", "b"), ("a", "B"), ("a", "b "), ("a ", "b"), ("ab", "b")]
    {
        all.push((typed("no json", "sale_event").with_attribute(name, value), fate("not_json")));
    }
    all.push((Message::new(good), fate("unknown_event_type")));
    // They differ in nothing but the bytes, or the type, of an attribute.
    let traces = [vec![1].into(), vec![2].into(), AttributeValue::from("\u{1}")];
    for trace in traces {
        let message = typed("{}", "sale_event").with_attribute("trace", trace);
        all.push((message, fate("missing_store_id")));
    }
    all
}
