//! The fields of a body, each known one by its type and all others by whether readers take them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::reason::Reason;
use crate::schema::body::{Text, refusal, text_of};
use crate::schema::readable::{self, Fault};
use crate::schema::shape::{Members, Shape, same_name};

/// The fields as they may come: anything may be missing, so that the most telling fault is named.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) request_id: Option<Text<'a>>,
    pub(super) store_id: Option<u64>,
    pub(super) cust_id: Option<u64>,
    pub(super) category: Option<Text<'a>>,
    pub(super) sku: Option<u64>,
    pub(super) price: Option<f64>,
    pub(super) qty: Option<u64>,
    pub(super) discount: Option<f64>,
    pub(super) gift_wrap: Option<bool>,
    pub(super) variant: Option<Text<'a>>,
    pub(super) priority_shipping: Option<bool>,
    pub(super) ts: Option<Text<'a>>,
    pub(super) is_return: Option<bool>,
    /// Whether it is there, whatever its value: `null` and `false` too.
    pub(super) bad_msg: bool,
    /// A known number may be one that readers refuse.
    odd_number: bool,
}

/// A field that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    RequestId,
    StoreId,
    CustId,
    Category,
    Sku,
    Price,
    Qty,
    Discount,
    GiftWrap,
    Variant,
    PriorityShipping,
    Ts,
    IsReturn,
    BadMsg,
}

impl Known {
    /// In the order of their declaration.
    pub(super) const NAMES: [&str; 14] = [
        "request_id",
        "store_id",
        "cust_id",
        "category",
        "sku",
        "price",
        "qty",
        "discount",
        "gift_wrap",
        "variant",
        "priority_shipping",
        "ts",
        "is_return",
        "bad_msg",
    ];

    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "request_id" => Self::RequestId,
            "store_id" => Self::StoreId,
            "cust_id" => Self::CustId,
            "category" => Self::Category,
            "sku" => Self::Sku,
            "price" => Self::Price,
            "qty" => Self::Qty,
            "discount" => Self::Discount,
            "gift_wrap" => Self::GiftWrap,
            "variant" => Self::Variant,
            "priority_shipping" => Self::PriorityShipping,
            "ts" => Self::Ts,
            "is_return" => Self::IsReturn,
            "bad_msg" => Self::BadMsg,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl<'a> Fields<'a> {
    /// Reads the fields of the one JSON object that `body` is.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Reason> {
        let text = text_of(body)?;
        let (mut fields, mut wrong) = (Self::default(), Wrong::default());
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read = Body { fields: &mut fields, wrong: &mut wrong }.deserialize(&mut deserializer);
        read.and_then(|()| deserializer.end())
            .map_err(|error| refusal(text, wrong.fault, wrong.field.map(Known::name), &error))?;
        if fields.odd_number && fields.needs_check(text) {
            readable::check(text)?;
        }
        Ok(fields)
    }
}

enum Key<'a> {
    Known(Known),
    Unknown(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Known::of(key).map_or(Key::Unknown(Cow::Borrowed(key)), Key::Known))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Known::of(key).map_or_else(|| Key::Unknown(Cow::Owned(key.to_owned())), Key::Known))
    }
}

impl Fields<'_> {
    /// Whether an odd number is more than a zero such as `0.0`, which is common. One with an exponent
    /// may be a zero as well, or so small that it is read as one.
    fn needs_check(&self, text: &str) -> bool {
        let is_huge = |number: Option<f64>| number.is_some_and(|number| number.abs() >= 1e38);
        let has_exponent = || ["0e", "0E", "e-", "E-"].iter().any(|of| text.contains(of));
        is_huge(self.price) || is_huge(self.discount) || has_exponent()
    }
}

/// What serde's errors cannot carry.
#[derive(Default)]
struct Wrong {
    /// The known field that was read last.
    field: Option<Known>,
    fault: Option<Fault>,
}

impl Wrong {
    fn refuse<E: Error>(&mut self, fault: Fault) -> E {
        self.fault = Some(fault);
        E::custom("refused")
    }
}

struct Body<'f, 'a> {
    fields: &'f mut Fields<'a>,
    wrong: &'f mut Wrong,
}

impl<'a> DeserializeSeed<'a> for Body<'_, 'a> {
    type Value = ();

    /// As a map: serde's own code for a struct takes a list of its values as well, and such a list
    /// means nothing to anyone else who reads it.
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Body<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, wrong } = self;
        let mut seen = 0_u16;
        let mut unknown = Members::default();
        while let Some(key) = map.next_key()? {
            let known = match key {
                Key::Known(known) => known,
                Key::Unknown(key) => {
                    let value: &RawValue = map.next_value()?;
                    let checked = check_unknown(key, value.get(), &mut unknown);
                    checked.map_err(|fault| wrong.refuse(fault))?;
                    continue;
                }
            };
            let bit = 1 << known as u16;
            if seen & bit != 0 {
                return Err(wrong.refuse(Fault::duplicate(known.name())));
            }
            seen |= bit;
            wrong.field = Some(known);
            fields.set(known, &mut map)?;
        }
        Ok(())
    }
}

fn check_unknown<'a>(
    key: Cow<'a, str>,
    value: &'a str,
    unknown: &mut Members<'a>,
) -> Result<(), Fault> {
    // In lower case it would be the known name itself.
    let is_lower = key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let known = || Known::NAMES.into_iter().find(|known| same_name(known, &key));
    if !is_lower && let Some(known) = known() {
        return Err(Fault::case(&key, known));
    }
    readable::check_field(value).map_err(|fault| fault.within(&key))?;
    // Only its name counts: fields of one object need not be of one type.
    unknown.insert(key, Shape::Null)
}

impl<'a> Fields<'a> {
    fn set<A: MapAccess<'a>>(&mut self, field: Known, map: &mut A) -> Result<(), A::Error> {
        match field {
            Known::RequestId => self.request_id = map.next_value()?,
            Known::StoreId => self.store_id = map.next_value()?,
            Known::CustId => self.cust_id = map.next_value()?,
            Known::Category => self.category = map.next_value()?,
            Known::Sku => self.sku = map.next_value()?,
            Known::Price => self.price = self.number(map)?,
            Known::Qty => self.qty = map.next_value()?,
            Known::Discount => self.discount = self.number(map)?,
            Known::GiftWrap => self.gift_wrap = map.next_value()?,
            Known::Variant => self.variant = map.next_value()?,
            Known::PriorityShipping => self.priority_shipping = map.next_value()?,
            Known::Ts => self.ts = map.next_value()?,
            Known::IsReturn => self.is_return = map.next_value()?,
            Known::BadMsg => {
                map.next_value::<IgnoredAny>()?;
                self.bad_msg = true;
            }
        }
        Ok(())
    }

    fn number<A: MapAccess<'a>>(&mut self, map: &mut A) -> Result<Option<f64>, A::Error> {
        let number: Option<Number> = map.next_value()?;
        self.odd_number |= number.as_ref().is_some_and(|number| !number.is_plain);
        Ok(number.map(|number| number.value))
    }
}

/// A number, of which a reader may mind the text although the value is fine: an exponent of a zero,
/// more digits than 128 bits have.
struct Number {
    value: f64,
    is_plain: bool,
}

impl Number {
    fn plain(value: f64) -> Self {
        Self { value, is_plain: true }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number::plain(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Number::plain(number as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number { value, is_plain: value != 0.0 && value.abs() < 1e38 })
    }
}
