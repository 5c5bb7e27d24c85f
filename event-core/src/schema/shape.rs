//! What type a reader gives to a value, and whether it has one for all elements of an array.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;

use super::readable::Fault;

/// The type of a value, as far as readers tell types apart. A whole number and another are of one.
pub(super) enum Shape<'a> {
    /// Of any type: `null`, or what the elements of an empty array are.
    Null,
    Bool,
    Number,
    Text,
    Array(Box<Self>),
    Object(Box<Members<'a>>),
}

impl Shape<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The one type of two elements of an array.
    pub(super) fn and(self, other: Self) -> Result<Self, Fault> {
        match (self, other) {
            (shape, Self::Null) | (Self::Null, shape) => Ok(shape),
            (Self::Bool, Self::Bool) => Ok(Self::Bool),
            (Self::Number, Self::Number) => Ok(Self::Number),
            (Self::Text, Self::Text) => Ok(Self::Text),
            (Self::Array(mut one), Self::Array(other)) => {
                *one = mem::replace(&mut *one, Self::Null).and(*other)?;
                Ok(Self::Array(one))
            }
            (Self::Object(one), Self::Object(other)) => {
                let (mut one, other) =
                    if one.len() < other.len() { (other, one) } else { (one, other) };
                one.join(*other)?;
                Ok(Self::Object(one))
            }
            (one, other) => Err(Fault::mixed(one.name(), other.name())),
        }
    }
}

/// The fields of an object, or of all objects in an array.
#[derive(Default)]
pub(super) struct Members<'a> {
    members: Vec<(Cow<'a, str>, Shape<'a>)>,
    /// Where a field is, by its name in lower case, once there are many: a hostile object has 100,000.
    places: HashMap<String, usize>,
}

/// So many names are compared one by one.
const FEW: usize = 8;

impl<'a> Members<'a> {
    fn len(&self) -> usize {
        self.members.len()
    }

    /// One more field of an object.
    pub(super) fn insert(&mut self, key: Cow<'a, str>, shape: Shape<'a>) -> Result<(), Fault> {
        if key.is_empty() {
            return Err(Fault::empty());
        }
        match self.find(&key) {
            Some(there) if self.members[there].0 == key => Err(Fault::duplicate(&key)),
            Some(there) => Err(Fault::case(&self.members[there].0, &key)),
            None => {
                self.push(key, shape);
                Ok(())
            }
        }
    }

    /// The fields of another object beside it in an array.
    fn join(&mut self, other: Self) -> Result<(), Fault> {
        for (key, shape) in other.members {
            match self.find(&key) {
                Some(there) => {
                    let (name, own) = &mut self.members[there];
                    if *name != key {
                        return Err(Fault::case(name, &key));
                    }
                    let joined = mem::replace(own, Shape::Null).and(shape);
                    *own = joined.map_err(|fault| fault.within(&key))?;
                }
                None => self.push(key, shape),
            }
        }
        Ok(())
    }

    fn push(&mut self, key: Cow<'a, str>, shape: Shape<'a>) {
        self.members.push((key, shape));
        // The first time all of them.
        let unplaced = if self.places.is_empty() { 0 } else { self.len() - 1 };
        if self.len() > FEW {
            let fresh = self.members[unplaced..].iter().zip(unplaced..);
            self.places.extend(fresh.map(|((key, _), place)| (key.to_lowercase(), place)));
        }
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.places.is_empty() {
            return self.members.iter().position(|(there, _)| same_name(there, key));
        }
        self.places.get(&key.to_lowercase()).copied()
    }
}

/// Whether two names are one to a reader that ignores case.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}
