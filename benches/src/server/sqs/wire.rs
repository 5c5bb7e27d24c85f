//! Requests and answers as they are written.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event_core::{AttributeValue, Attributes, Message};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::server::answer::Fault;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<usize>,
    /// In seconds, as all times here.
    pub(super) wait_time_seconds: Option<u64>,
    pub(super) visibility_timeout: Option<u64>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub(super) queue_url: String,
    pub(super) entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outgoing {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) message: OutgoingMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: OutgoingMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OutgoingMessage {
    message_body: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, Value>,
    pub(super) delay_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    data_type: String,
    string_value: Option<String>,
    /// In base64.
    binary_value: Option<String>,
}

impl Value {
    fn read(self) -> Option<AttributeValue> {
        let value = match (self.string_value, self.binary_value) {
            (Some(text), None) => AttributeValue::from(text),
            (None, Some(bytes)) => STANDARD.decode(bytes).ok()?.into(),
            _ => return None,
        };
        value.with_type(self.data_type).ok().filter(|value| !value.as_bytes().is_empty())
    }
}

impl OutgoingMessage {
    pub(super) fn into_message(self) -> Result<Message, Fault> {
        let attribute = |(name, value): (String, Value)| match value.read() {
            Some(value) => Ok((name, value)),
            None => {
                let message = format!("the attribute {name} is neither text nor bytes of its type");
                Err(Fault::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", message))
            }
        };
        if self.message_body.is_empty() {
            let message = "an empty body";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", message));
        }
        let attributes = self.message_attributes.into_iter().map(attribute);
        let attributes = attributes.collect::<Result<Attributes, Fault>>()?;
        Ok(Message { body: self.message_body.into(), attributes })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deleted {
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    pub(super) id: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUrl {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received<'a> {
    pub(super) messages: Vec<Incoming<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Incoming<'a> {
    pub(super) message_id: &'a str,
    pub(super) receipt_handle: &'a str,
    #[serde(rename = "MD5OfBody")]
    pub(super) md5_of_body: String,
    pub(super) body: &'a str,
    pub(super) attributes: SystemAttributes,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub(super) md5_of_message_attributes: Option<String>,
    pub(super) message_attributes: BTreeMap<&'a str, Typed<'a>>,
}

/// Those that a consumer asks for, whether it does or not.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SystemAttributes {
    pub(super) approximate_receive_count: String,
    pub(super) sent_timestamp: String,
}

/// The value of an attribute.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Typed<'a> {
    data_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl<'a> From<&'a AttributeValue> for Typed<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        let string_value = value.as_text();
        let binary_value = string_value.is_none().then(|| STANDARD.encode(value.as_bytes()));
        Self { data_type: value.data_type(), string_value, binary_value }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outcomes<T> {
    pub(super) successful: Vec<T>,
    pub(super) failed: Vec<Failed>,
}

impl<T> Default for Outcomes<T> {
    fn default() -> Self {
        Self { successful: Vec::new(), failed: Vec::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accepted {
    /// That of the entry, in a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    pub(super) md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub(super) md5_of_message_attributes: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    pub(super) id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failed {
    pub(super) id: String,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) sender_fault: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Url {
    pub(super) queue_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueAttributes {
    pub(super) attributes: BTreeMap<&'static str, String>,
}
