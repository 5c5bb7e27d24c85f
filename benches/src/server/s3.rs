//! The part of the REST protocol of S3 that a store of this project uses, on one bucket addressed
//! in the path.

mod list;
mod wire;

use bytes::Bytes;
use event_core::{ObjectStore, PutMode, PutOutcome};
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, ETAG, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

use super::answer::{Answer, Fault, answer, xml};
use super::{BUCKET, State};
use wire::{Query, http_date, keys_to_delete, path};

type Result<T> = std::result::Result<T, Fault>;

pub(super) async fn answer_to(state: &State, head: &Parts, body: Bytes) -> Answer {
    let answer = route(state, head, body).await;
    answer.unwrap_or_else(|fault| match head.method {
        // An answer to this one has no body.
        Method::HEAD => empty(fault.status),
        _ => fault.xml(),
    })
}

async fn route(state: &State, head: &Parts, body: Bytes) -> Result<Answer> {
    let (bucket, key) = path(&head.uri)?;
    if bucket != BUCKET {
        let message = format!("the bucket {bucket} does not exist, there is {BUCKET} alone");
        return Err(Fault::new(StatusCode::NOT_FOUND, "NoSuchBucket", message));
    }
    let query = Query::of(&head.uri);
    let count = |api| state.counts().add(api);
    match (&head.method, key.is_empty()) {
        (&Method::PUT, false) => {
            count("PutObject");
            put(state, &head.headers, &key, body).await
        }
        (&Method::GET, false) => {
            count("GetObject");
            get(state, &key).await
        }
        (&Method::HEAD, false) => {
            count("HeadObject");
            head_object(state, &key).await
        }
        (&Method::HEAD, true) => {
            count("HeadBucket");
            let is_refused = state.refuses("HeadBucket");
            Ok(empty(if is_refused { StatusCode::FORBIDDEN } else { StatusCode::OK }))
        }
        (&Method::GET, true) if query.value("list-type") == Some("2") => {
            count("ListObjectsV2");
            list::list(state, &query).await
        }
        (&Method::POST, true) if query.value("delete").is_some() => {
            count("DeleteObjects");
            delete(state, &body).await
        }
        (method, _) => Err(Fault::unknown(format_args!("{method} {} of S3", head.uri))),
    }
}

async fn put(state: &State, headers: &HeaderMap, key: &str, body: Bytes) -> Result<Answer> {
    if headers.contains_key("x-amz-decoded-content-length") {
        return Err(Fault::unknown("a body in chunks of aws-chunked"));
    }
    let mode = match headers.get(IF_NONE_MATCH).map(HeaderValue::as_bytes) {
        None => PutMode::Overwrite,
        Some(b"*") => PutMode::Create,
        Some(_) => return Err(Fault::unknown("an If-None-Match other than *")),
    };
    let outcome = state.store().put(key, body, mode).await;
    if let Ok(outcome) = &outcome
        && !key.rsplit('/').next().unwrap_or(key).starts_with('_')
    {
        state.counts().put(access_key(headers), *outcome == PutOutcome::Written);
    }
    match outcome {
        Ok(PutOutcome::Written) => {
            let mut answer = empty(StatusCode::OK);
            // Nobody here compares it.
            answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"0\""));
            Ok(answer)
        }
        Ok(PutOutcome::Exists) => {
            let message = "At least one of the pre-conditions you specified did not hold";
            Err(Fault::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The id of the access key that signed a request; nobody here checks the signature.
fn access_key(headers: &HeaderMap) -> &str {
    let signed = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = signed.and_then(|signed| signed.split_once("Credential="));
    let id = credential.and_then(|(_, credential)| credential.split('/').next());
    id.unwrap_or_default()
}

async fn get(state: &State, key: &str) -> Result<Answer> {
    match state.store().get(key).await.map_err(|error| refused(&error))? {
        Some(body) => Ok(answer(StatusCode::OK, "application/octet-stream", body)),
        None => Err(missing(key)),
    }
}

async fn head_object(state: &State, key: &str) -> Result<Answer> {
    let found = state.store().head(key).await.map_err(|error| refused(&error))?;
    let found = found.ok_or_else(|| missing(key))?;
    let mut answer = empty(StatusCode::OK);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, found.size.into());
    headers.insert(LAST_MODIFIED, http_date(found.modified)?);
    Ok(answer)
}

async fn delete(state: &State, body: &Bytes) -> Result<Answer> {
    let keys = keys_to_delete(body)?;
    let outcomes = state.store().delete(&keys).await;
    if let Some(error) = outcomes.into_iter().find_map(event_core::Result::err) {
        return Err(refused(&error));
    }
    let deleted: String = keys
        .iter()
        .map(|key| format!("<Deleted><Key>{}</Key></Deleted>", super::answer::escaped(key)))
        .collect();
    Ok(xml(StatusCode::OK, format!("<DeleteResult>{deleted}</DeleteResult>")))
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

fn missing(key: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "NoSuchKey", format!("there is no object {key}"))
}

/// A store in memory refuses what is wrong, and nothing else.
fn refused(error: &event_core::Error) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "InvalidArgument", error.to_string())
}
