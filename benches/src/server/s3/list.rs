//! `ListObjectsV2`.

use std::fmt::Write;

use event_core::{ListRequest, ObjectStore};
use hyper::StatusCode;

use super::wire::{Query, iso_date};
use super::{Answer, Fault, Result, State, refused, xml};
use crate::server::answer::escaped;

/// Most objects of one answer.
const MAX_KEYS: usize = 1_000;

pub(super) async fn list(state: &State, query: &Query) -> Result<Answer> {
    if query.value("delimiter").is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(Fault::unknown("a delimiter in a listing"));
    }
    // The token is the last key of the page before.
    let after = query.value("continuation-token").or(query.value("start-after"));
    let request = ListRequest {
        prefix: query.value("prefix").unwrap_or_default().to_owned(),
        after: after.map(str::to_owned),
        max: query.value("max-keys").and_then(|max| max.parse().ok()).unwrap_or(MAX_KEYS),
    };
    let page = state.store().list(request).await.map_err(|error| refused(&error))?;
    let mut body = format!("<ListBucketResult><IsTruncated>{}</IsTruncated>", page.more);
    for object in &page.objects {
        let (key, time) = (escaped(&object.key), iso_date(object.modified)?);
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><Size>{}</Size></Contents>",
            object.size
        );
    }
    if let Some(last) = page.objects.last().filter(|_| page.more) {
        let token = escaped(&last.key);
        let _ = write!(body, "<NextContinuationToken>{token}</NextContinuationToken>");
    }
    body.push_str("</ListBucketResult>");
    Ok(xml(StatusCode::OK, body))
}
