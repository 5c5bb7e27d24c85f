//! Events out of nothing, as the original producer makes them.

#[cfg(test)]
mod tests;

use event_core::schema::retail::{EVENT_TYPE, EventType};
use event_core::{Attributes, Bytes, EventSource, Message, Result, async_trait};
use fastrand::Rng;
use jiff::civil::{Date, DateTime};
use tokio::task::consume_budget;

use super::check_rate;

/// An endless source of events with the fields, ranges and spacing of the original producer.
///
/// The same options give the same bytes. Half the events are sales and half inventory, half are
/// returns, and some are invalid by intent: without `store_id` and with `bad_msg`.
///
/// ```
/// use event_core::schema::retail::Event;
/// use event_core::EventSource;
/// use event_mem::{Synthetic, SyntheticOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let options = SyntheticOptions { invalid_rate: 0.0, ..SyntheticOptions::default() };
/// let batch = Synthetic::new(options)?.next_batch(10).await?;
/// assert!(batch.iter().all(|message| Event::parse(message).is_ok()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Synthetic {
    rng: Rng,
    invalid_rate: f64,
    date: Date,
    /// Microseconds since midnight.
    time: u64,
    /// By whether it is a sale and whether it is shipped with priority.
    attributes: [[Attributes; 2]; 2],
    /// Where each body is written before it is copied out at its exact size.
    body: Vec<u8>,
}

/// What a [`Synthetic`] source makes; fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyntheticOptions {
    /// Decides everything that is random. Default: 0.
    pub seed: u64,
    /// The share of events that are invalid, 0.0 to 1.0. Default: 0.1.
    pub invalid_rate: f64,
    /// When the first event happens; each later one 1 to 40 ms after the one before. What is
    /// less than a microsecond is cut off. Default: 2026-01-01 at midnight.
    pub start: DateTime,
}

const CATEGORIES: [&str; 16] = [
    "Books",
    "Games",
    "Mobiles",
    "Groceries",
    "Shoes",
    "Stationaries",
    "Laptops",
    "Tablets",
    "Notebooks",
    "Camera",
    "Printers",
    "Monitors",
    "Speakers",
    "Projectors",
    "Cables",
    "Furniture",
];

const MICROS_PER_DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// Most messages of one batch, whatever is asked for: the source has no end to bound it.
const MAX_BATCH: usize = 10_000;

impl Synthetic {
    /// A source with these options; fails with `Invalid` for a rate that is none.
    pub fn new(options: SyntheticOptions) -> Result<Self> {
        check_rate("synthetic", "invalid_rate", options.invalid_rate)?;
        let SyntheticOptions { seed, invalid_rate, start } = options;
        let nanos = start.time().duration_since(jiff::civil::Time::midnight()).as_nanos();
        let of = |event_type: EventType| {
            ["False", "True"].map(|priority| {
                Attributes::from_iter([
                    (EVENT_TYPE, event_type.as_str()),
                    ("priority_shipping", priority),
                ])
            })
        };
        Ok(Self {
            rng: Rng::with_seed(seed),
            invalid_rate,
            date: start.date(),
            // A time of day is 0 to 24 hours.
            time: u64::try_from(nanos / 1000).unwrap_or_default(),
            attributes: [of(EventType::Inventory), of(EventType::Sale)],
            body: Vec::with_capacity(512),
        })
    }

    fn next_message(&mut self) -> Message {
        let rng = &mut self.rng;
        let (is_sale, is_invalid) = (rng.bool(), rng.f64() < self.invalid_rate);
        let body = &mut self.body;
        body.clear();
        body.extend_from_slice(br#"{"request_id": ""#);
        let mut id_text = uuid::Uuid::encode_buffer();
        let id = uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid();
        let id = id.hyphenated().encode_lower(&mut id_text);
        body.extend_from_slice(id.as_bytes());
        let store_id = rng.u32(1..=10);
        if is_invalid {
            body.push(b'"');
        } else {
            body.extend_from_slice(br#"", "store_id": "#);
            push_number(body, store_id);
        }
        body.extend_from_slice(br#", "cust_id": "#);
        push_number(body, rng.u32(100..=999));
        body.extend_from_slice(br#", "category": ""#);
        body.extend_from_slice(CATEGORIES[rng.usize(..CATEGORIES.len())].as_bytes());
        body.extend_from_slice(br#"", "sku": "#);
        push_number(body, rng.u32(18_981..=189_281));
        body.extend_from_slice(br#", "price": "#);
        push_hundredths(body, rng.u32(0..=10_000));
        body.extend_from_slice(br#", "qty": "#);
        push_number(body, rng.u32(1..=38));
        body.extend_from_slice(br#", "discount": "#);
        push_hundredths(body, rng.u32(0..=200) * 10);
        body.extend_from_slice(br#", "gift_wrap": "#);
        push_bool(body, rng.bool());
        body.extend_from_slice(br#", "variant": ""#);
        body.extend_from_slice(if rng.bool() { b"black" } else { b"red" });
        body.extend_from_slice(br#"", "priority_shipping": "#);
        let priority = rng.bool();
        push_bool(body, priority);
        body.extend_from_slice(br#", "ts": ""#);
        push_timestamp(body, self.date, self.time);
        body.extend_from_slice(br#"", "contact_me": "github.com/miztiik""#);
        if rng.bool() {
            body.extend_from_slice(br#", "is_return": true"#);
        }
        if is_invalid {
            body.extend_from_slice(br#", "bad_msg": true"#);
        }
        body.push(b'}');
        self.time += rng.u64(1_000..=40_000);
        if self.time >= MICROS_PER_DAY {
            self.time -= MICROS_PER_DAY;
            // On the last day of the calendar the clock starts again.
            self.date = self.date.tomorrow().unwrap_or(self.date);
        }
        let attributes = &self.attributes[usize::from(is_sale)][usize::from(priority)];
        Message { body: Bytes::copy_from_slice(&self.body), attributes: attributes.clone() }
    }
}

#[async_trait]
impl EventSource for Synthetic {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        // Nothing below waits: a loop over this source would keep the rest of its thread from
        // running.
        consume_budget().await;
        Ok((0..max.min(MAX_BATCH)).map(|_| self.next_message()).collect())
    }
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        Self { seed: 0, invalid_rate: 0.1, start: jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0) }
    }
}

// Bodies are written by hand: the source must never be what a measurement measures.

fn push_number(text: &mut Vec<u8>, number: u32) {
    let digits = number.checked_ilog10().unwrap_or(0) + 1;
    push_digits(text, number, digits as usize);
}

/// The last digits of a number, zeros included.
fn push_digits(text: &mut Vec<u8>, mut number: u32, digits: usize) {
    let start = text.len();
    text.resize(start + digits, b'0');
    for digit in text[start..].iter_mut().rev() {
        // A remainder by ten is one digit.
        *digit += (number % 10) as u8;
        number /= 10;
    }
}

/// As Python prints a float: at least one digit after the point, and no zero behind it.
fn push_hundredths(text: &mut Vec<u8>, hundredths: u32) {
    push_number(text, hundredths / 100);
    text.push(b'.');
    match hundredths % 100 {
        fraction if fraction % 10 == 0 => push_digits(text, fraction / 10, 1),
        fraction => push_digits(text, fraction, 2),
    }
}

fn push_bool(text: &mut Vec<u8>, value: bool) {
    text.extend_from_slice(if value { b"true" } else { b"false" });
}

fn push_timestamp(text: &mut Vec<u8>, date: Date, micros: u64) {
    // A year before 0 has no such form and is written as 0000.
    let year = date.year().max(0).unsigned_abs();
    // A day has fewer seconds than fit.
    let (seconds, micros) = ((micros / 1_000_000) as u32, (micros % 1_000_000) as u32);
    push_digits(text, year.into(), 4);
    for (mark, number) in [
        (b'-', date.month().unsigned_abs().into()),
        (b'-', date.day().unsigned_abs().into()),
        (b'T', seconds / 3600),
        (b':', seconds / 60 % 60),
        (b':', seconds % 60),
    ] {
        text.push(mark);
        push_digits(text, number, 2);
    }
    text.push(b'.');
    push_digits(text, micros, 6);
}
