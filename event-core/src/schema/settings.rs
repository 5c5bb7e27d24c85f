//! What decides how messages are read, as it is written down.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Fields, PartitionBy, Retail, Schema, TypeFrom};
use crate::error::{Error, Result};

/// The name of a schema and its settings: texts by name. Two schemas with equal settings read every
/// message alike.
///
/// The manifest of a prefix holds them, so that its writers agree. As JSON, one object:
/// `{"name": "retail", "partition_by": "day"}`.
///
/// ```
/// use event_core::schema::SchemaSettings;
///
/// let settings = SchemaSettings::named("rides").with("currency", "EUR");
/// assert_eq!(settings.get("currency"), Some("EUR"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaSettings(BTreeMap<String, String>);

/// The setting that holds the name of the schema.
const NAME: &str = "name";
const RETAIL: &str = "retail";
const FIELDS: &str = "fields";
const PARTITION_BY: &str = "partition_by";
const ID_FIELD: &str = "id_field";
const TIME_FIELD: &str = "time_field";
const TYPE_ATTRIBUTE: &str = "type_attribute";
const TYPE_FIELD: &str = "type_field";
const PARTITION_FIELDS: &str = "partition_fields";

impl SchemaSettings {
    /// Those of a schema of this name, which has no others yet.
    pub fn named(name: &str) -> Self {
        Self::default().with(NAME, name)
    }

    /// With one more; a second value for a setting replaces the first.
    #[must_use]
    pub fn with(mut self, setting: &str, value: impl Into<String>) -> Self {
        self.0.insert(setting.to_owned(), value.into());
        self
    }

    /// The value of a setting.
    pub fn get(&self, setting: &str) -> Option<&str> {
        self.0.get(setting).map(String::as_str)
    }

    /// Settings and their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(setting, value)| (setting.as_str(), value.as_str()))
    }

    /// The schema of this crate with these settings: [`Retail`], which is the default, or [`Fields`].
    ///
    /// # Errors
    ///
    /// `Invalid` if there is none of that name, if it lacks a setting or has no such one, or if a
    /// value cannot be.
    pub fn schema(&self) -> Result<Arc<dyn Schema>> {
        let by = self.get(PARTITION_BY).map_or(Ok(PartitionBy::default()), str::parse)?;
        let name = self.get(NAME).unwrap_or(RETAIL);
        let known: &[&str] = match name {
            RETAIL => &[NAME, PARTITION_BY],
            FIELDS => &[
                NAME,
                PARTITION_BY,
                ID_FIELD,
                TIME_FIELD,
                TYPE_ATTRIBUTE,
                TYPE_FIELD,
                PARTITION_FIELDS,
            ],
            other => {
                return Err(invalid(format!(
                    "unknown schema {other:?}: expected retail or fields"
                )));
            }
        };
        if let Some((setting, value)) = self.iter().find(|(setting, _)| !known.contains(setting)) {
            return Err(invalid(format!(
                "the schema {name:?} has no setting {setting:?}, and {value:?} was given: leave it \
                 out, or take the schema fields"
            )));
        }
        if name == RETAIL {
            return Ok(Arc::new(Retail::new(by)));
        }
        let need = |setting: &str| {
            let missing = || invalid(format!("the schema fields needs the setting {setting:?}"));
            self.get(setting).ok_or_else(missing)
        };
        let event_type = match (self.get(TYPE_ATTRIBUTE), self.get(TYPE_FIELD)) {
            (None, None) => None,
            (Some(attribute), None) => Some(TypeFrom::Attribute(attribute.to_owned())),
            (None, Some(field)) => Some(TypeFrom::Field(field.to_owned())),
            (Some(_), Some(_)) => {
                return Err(invalid(format!(
                    "{TYPE_ATTRIBUTE:?} and {TYPE_FIELD:?} are both given: a type has one place"
                )));
            }
        };
        let partition_fields = self.get(PARTITION_FIELDS).unwrap_or_default().split(',');
        let partition_fields = partition_fields.filter(|field| !field.is_empty());
        Ok(Arc::new(Fields::new(
            need(ID_FIELD)?,
            need(TIME_FIELD)?,
            event_type,
            partition_fields.map(str::to_owned).collect(),
            by,
        )?))
    }

    /// All settings of the schema of this name, those that are not given by their default. Of a schema
    /// that is not of this crate they are what is given.
    pub(crate) fn whole(&self) -> Result<Self> {
        match self.get(NAME) {
            None | Some(RETAIL | FIELDS) => Ok(self.schema()?.settings()),
            Some(_) => Ok(self.clone()),
        }
    }

    pub(super) fn retail(by: PartitionBy) -> Self {
        Self::named(RETAIL).with(PARTITION_BY, by.to_string())
    }

    pub(super) fn fields(
        id: &str,
        time: &str,
        event_type: Option<&TypeFrom>,
        partition: &[String],
        by: PartitionBy,
    ) -> Self {
        let settings = Self::named(FIELDS)
            .with(PARTITION_BY, by.to_string())
            .with(ID_FIELD, id)
            .with(TIME_FIELD, time);
        let settings = match event_type {
            Some(TypeFrom::Attribute(name)) => settings.with(TYPE_ATTRIBUTE, name),
            Some(TypeFrom::Field(name)) => settings.with(TYPE_FIELD, name),
            None => settings,
        };
        if partition.is_empty() {
            settings
        } else {
            settings.with(PARTITION_FIELDS, partition.join(","))
        }
    }
}

impl fmt::Display for SchemaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.iter().map(|(setting, value)| format!("{setting}={value}"));
        f.write_str(&texts.collect::<Vec<_>>().join(" "))
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("schema", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> SchemaSettings {
        SchemaSettings::named("fields").with("id_field", "ride_id").with("time_field", "at")
    }

    #[test]
    fn a_schema_is_made_from_the_settings_that_it_tells() {
        for settings in [
            SchemaSettings::named("retail").with("partition_by", "hour"),
            fields().with("partition_by", "day"),
            fields().with("partition_by", "hour").with("type_field", "kind"),
            fields()
                .with("partition_by", "day")
                .with("type_attribute", "kind")
                .with("partition_fields", "zone,city,a_b"),
        ] {
            assert_eq!(settings.schema().unwrap().settings(), settings);
        }
        let default = SchemaSettings::default().schema().unwrap().settings();
        assert_eq!(default.to_string(), "name=retail partition_by=day");
    }

    #[test]
    fn defaults_are_written_down_and_a_schema_of_another_crate_keeps_to_its_own() {
        let other = SchemaSettings::named("rides").with("currency", "EUR");
        for (given, whole) in [
            (SchemaSettings::default(), "name=retail partition_by=day"),
            (SchemaSettings::named("x").with("name", "retail"), "name=retail partition_by=day"),
            (
                SchemaSettings::default().with("partition_by", "hour"),
                "name=retail partition_by=hour",
            ),
            (fields(), "id_field=ride_id name=fields partition_by=day time_field=at"),
            (other, "currency=EUR name=rides"),
        ] {
            assert_eq!(given.whole().unwrap().to_string(), whole);
        }
        assert!(SchemaSettings::named("fields").whole().is_err());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (settings, named) in [
            (SchemaSettings::named("orders"), "orders"),
            (SchemaSettings::named(""), "unknown schema"),
            (SchemaSettings::named("Retail"), "unknown schema"),
            (SchemaSettings::default().with("partition_by", ""), "neither"),
            (SchemaSettings::default().with("partition_by", "Hour"), "neither"),
            (SchemaSettings::default().with("id_field", "x"), "id_field"),
            (SchemaSettings::default().with("partition_by", "week"), "week"),
            (SchemaSettings::named("fields").with("id_field", "x"), "time_field"),
            (SchemaSettings::named("fields").with("time_field", "x"), "id_field"),
            (fields().with("type_field", "a").with("type_attribute", "b"), "one place"),
            (fields().with("partition_fields", "dt"), "dt"),
            (fields().with("partition_fields", "a-b"), "a-b"),
            (fields().with("partition_fields", "a, b"), "\" b\""),
            (fields().with("partition_fields", "a,A"), "twice"),
            (fields().with("partition_fields", "a,b,c,d"), "three"),
            (fields().with("partition_fields", "a,AT"), "\"at\" is given twice"),
            (fields().with("id_field", "Ä").with("time_field", "ä"), "twice"),
            (fields().with("type_field", "Ride_Id"), "twice"),
            (fields().with("id_field", ""), "id_field"),
            (fields().with("time_field", ""), "time_field is empty"),
            (fields().with("type_field", ""), "type_field is empty"),
            (fields().with("type_attribute", ""), "type_attribute is empty"),
        ] {
            let error = settings.schema().err().expect("refused").to_string();
            assert!(error.contains(named), "{settings}: {error}");
        }
    }
}
