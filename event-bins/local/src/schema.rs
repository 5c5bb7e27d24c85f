//! What events mean: settings of every program that stores or reads them.

use std::sync::Arc;

use clap::Args;
use event_core::log::Manifest;
use event_core::schema::SchemaSettings;
use event_core::{Error, Result, Retail, Schema};

/// The settings of the schema. What is not given, or blank, is as the prefix was made.
#[derive(Clone, Debug, Default, Args)]
pub struct SchemaArgs {
    /// What a message means: `retail`, the sale and inventory events of a store chain, or `fields`,
    /// any JSON objects by the names of a few fields; blank: as the prefix was made, and retail for
    /// a new one
    #[arg(long, value_name = "retail|fields", env = "EVENT_SCHEMA", default_value = "",
          hide_default_value = true, value_parser = ["", "retail", "fields"])]
    pub event_schema: String,

    /// With `fields`: the field that says which event it is, a text or a whole number
    #[arg(
        long,
        value_name = "FIELD",
        env = "EVENT_ID_FIELD",
        default_value = "",
        hide_default_value = true
    )]
    pub event_id_field: String,

    /// With `fields`: the field that says when it happened, such as 2026-11-22T22:16:48Z
    #[arg(
        long,
        value_name = "FIELD",
        env = "EVENT_TIME_FIELD",
        default_value = "",
        hide_default_value = true
    )]
    pub event_time_field: String,

    /// With `fields`: the attribute of the message that is the type of the event, if it has one
    #[arg(
        long,
        value_name = "ATTRIBUTE",
        env = "EVENT_TYPE_ATTRIBUTE",
        default_value = "",
        hide_default_value = true
    )]
    pub event_type_attribute: String,

    /// With `fields`: the field that is the type of the event, if it has one
    #[arg(
        long,
        value_name = "FIELD",
        env = "EVENT_TYPE_FIELD",
        default_value = "",
        hide_default_value = true
    )]
    pub event_type_field: String,

    /// With `fields`: further fields that events are stored by, parted by commas, three at most
    #[arg(
        long,
        value_name = "FIELD,…",
        env = "EVENT_PARTITION_FIELDS",
        default_value = "",
        hide_default_value = true
    )]
    pub event_partition_fields: String,

    /// Whether a partition holds a `day` of events or an `hour`; blank: as the prefix was made, and
    /// day for a new one
    #[arg(long, value_name = "day|hour", env = "PARTITION_BY", default_value = "",
          hide_default_value = true, value_parser = ["", "day", "hour"])]
    pub partition_by: String,
}

/// The attribute that has the type of an event of a store chain.
const RETAIL_ATTRIBUTE: &str = "event_type";

impl SchemaArgs {
    /// The settings that are given, under the names that a manifest has for them.
    pub fn settings(&self) -> SchemaSettings {
        let given = [
            ("name", &self.event_schema),
            ("id_field", &self.event_id_field),
            ("time_field", &self.event_time_field),
            ("type_attribute", &self.event_type_attribute),
            ("type_field", &self.event_type_field),
            ("partition_fields", &self.event_partition_fields),
            ("partition_by", &self.partition_by),
        ];
        let given = given.into_iter().filter(|(_, value)| !value.is_empty());
        given.fold(SchemaSettings::default(), |all, (name, value)| all.with(name, value))
    }

    /// The schema of a prefix with this manifest, or of one that is to be made.
    ///
    /// # Errors
    ///
    /// `Invalid` if the settings make none, or if this program does not know the one of the prefix.
    pub fn schema(&self, manifest: Option<&Manifest>) -> Result<Arc<dyn Schema>> {
        match manifest {
            Some(manifest) => manifest.schema().schema(),
            None => self.settings().schema().map_err(|error| named(&error)),
        }
    }

    /// The attribute of bare events of this type.
    ///
    /// # Errors
    ///
    /// `Invalid` if no event has that type, or none in an attribute.
    pub fn attribute(&self, event_type: &str) -> Result<(String, String)> {
        let invalid = |message| Err(Error::invalid("event-type", message));
        if !self.event_type_attribute.is_empty() {
            return Ok((self.event_type_attribute.clone(), event_type.to_owned()));
        }
        if self.event_schema == "fields" {
            let text = "events have their type in no attribute: set EVENT_TYPE_ATTRIBUTE, or leave \
                        --event-type out";
            return invalid(text.to_owned());
        }
        if !Retail::EVENT_TYPES.contains(&event_type) {
            let expected = Retail::EVENT_TYPES.join(" or ");
            return invalid(format!("--event-type is {event_type:?}: expected {expected}"));
        }
        Ok((RETAIL_ATTRIBUTE.to_owned(), event_type.to_owned()))
    }
}

/// The same error, by the names of the settings that a program has.
fn named(error: &Error) -> Error {
    let names = [
        ("\"id_field\"", "EVENT_ID_FIELD"),
        ("\"time_field\"", "EVENT_TIME_FIELD"),
        ("\"type_attribute\"", "EVENT_TYPE_ATTRIBUTE"),
        ("\"type_field\"", "EVENT_TYPE_FIELD"),
        ("\"partition_fields\"", "EVENT_PARTITION_FIELDS"),
        ("partition_fields", "EVENT_PARTITION_FIELDS"),
    ];
    let text = error.message().to_owned();
    let text = names.iter().fold(text, |text, (field, variable)| text.replace(field, variable));
    Error::invalid("schema", text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        schema: SchemaArgs,
    }

    fn args(arguments: &[&str]) -> SchemaArgs {
        Program::try_parse_from(["program"].iter().chain(arguments)).expect("sound").schema
    }

    const FIELDS: [&str; 6] =
        ["--event-schema", "fields", "--event-id-field", "ride_id", "--event-time-field", "at"];

    #[test]
    fn what_is_given_makes_the_schema() {
        let given = args(&[&FIELDS[..], &["--event-partition-fields", "city,zone"]].concat());
        let keys = given.schema(None).expect("a schema").partition_keys();
        assert_eq!(keys, ["dt", "city", "zone"]);
        let retail = args(&["--partition-by", "hour"]).schema(None).expect("a schema");
        assert_eq!(retail.partition_keys(), ["event_type", "dt", "hr"]);
        assert_eq!(args(&[]).settings(), SchemaSettings::default());
    }

    #[test]
    fn every_setting_has_the_name_of_the_manifest() {
        let all = args(
            &[
                ["--event-schema", "fields"],
                ["--event-id-field", "i"],
                ["--event-time-field", "t"],
                ["--event-type-attribute", "a"],
                ["--event-type-field", "f"],
                ["--event-partition-fields", "p"],
                ["--partition-by", "hour"],
            ]
            .concat(),
        );
        let settings = all.settings();
        for (name, value) in [
            ("name", "fields"),
            ("id_field", "i"),
            ("time_field", "t"),
            ("type_attribute", "a"),
            ("type_field", "f"),
            ("partition_fields", "p"),
            ("partition_by", "hour"),
        ] {
            assert_eq!(settings.get(name), Some(value), "{name}");
        }
        assert_eq!(settings.iter().count(), 7);
    }

    #[test]
    fn what_is_wrong_is_told_by_the_variable() {
        for (arguments, named) in [
            (&["--event-schema", "fields"][..], "EVENT_ID_FIELD"),
            (&FIELDS[..4], "EVENT_TIME_FIELD"),
            (&["--event-id-field", "x"], "EVENT_ID_FIELD"),
            (
                &[&FIELDS[..], &["--event-partition-fields", "a-b"]].concat(),
                "EVENT_PARTITION_FIELDS",
            ),
        ] {
            let error = args(arguments).schema(None).err().expect("refused").to_string();
            assert!(error.contains(named), "{arguments:?}: {error}");
        }
        let both = ["--event-type-field", "a", "--event-type-attribute", "b"];
        let both = args(&[&FIELDS[..], &both].concat()).schema(None).err().expect("refused");
        for named in ["EVENT_TYPE_FIELD", "EVENT_TYPE_ATTRIBUTE"] {
            assert!(both.to_string().contains(named), "{both}");
        }
        assert!(Program::try_parse_from(["program", "--event-schema", "orders"]).is_err());
        assert!(Program::try_parse_from(["program", "--partition-by", "week"]).is_err());
    }

    #[test]
    fn the_type_of_bare_events_is_that_of_their_schema() {
        let of = |arguments: &[&str], event_type| args(arguments).attribute(event_type);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for event_type in Retail::EVENT_TYPES {
            assert_eq!(of(&[], event_type).unwrap(), pair("event_type", event_type));
        }
        assert!(of(&[], "order").unwrap_err().to_string().contains(Retail::EVENT_TYPES[1]));
        let typed = [&FIELDS[..], &["--event-type-attribute", "kind"]].concat();
        assert_eq!(of(&typed, "order").unwrap(), pair("kind", "order"));
        let untyped = of(&FIELDS, "sale_event").unwrap_err().to_string();
        assert!(untyped.contains("EVENT_TYPE_ATTRIBUTE"), "{untyped}");
    }
}
