//! A store in S3.

#[cfg(test)]
mod answers;
mod check;
mod delete;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use event_core::store::MAX_KEY_BYTES;
use event_core::{
    Bytes, Error, ErrorKind, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome,
    Result, async_trait,
};

use crate::config::Aws;
use crate::error::{Subject, from_sdk};

/// Most objects that one listing answers.
const MAX_PAGE: usize = 1_000;

/// A bucket in S3, or in a store that speaks its language.
///
/// Clones are handles to the same bucket and share its connections.
///
/// - [`PutMode::Create`] is `If-None-Match: *`, which looks at the current version alone: on a
///   versioned bucket a deleted key can be created again. A store that ignores the condition
///   overwrites; [`Manifest::open`](event_core::log::Manifest::open) finds out.
/// - The SDK adds a CRC32 to each body, which S3 verifies, and verifies that of each body it
///   reads.
/// - A missing bucket is `NotFound`, a missing object is none. Without the right to list the
///   bucket, S3 answers `Denied` for a missing object too.
/// - Bucket names are the same for all accounts: whoever takes one that was deleted receives what
///   is written to it. [`owned_by`](Self::owned_by) rules that out.
#[derive(Clone)]
pub struct S3Store {
    inner: Arc<Inner>,
}

struct Inner {
    subject: Subject,
    bucket: Box<str>,
    // One for each kind of call, since each has retries of its own.
    write: Client,
    read: Client,
    delete: Client,
}

impl S3Store {
    /// A bucket by its name. Nothing is sent.
    pub fn new(aws: &Aws, bucket: &str) -> Self {
        let inner = Inner {
            subject: Subject::bucket(bucket),
            bucket: bucket.into(),
            write: aws.s3_write(),
            read: aws.s3_for("read"),
            delete: aws.s3_for("delete"),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.inner.bucket
    }

    /// Of a store that cannot keep the first of two.
    fn unconditional(&self) -> Error {
        let what = "the store does not know If-None-Match, without which events would be lost; use \
                    one that honours it (`bucket_name`, AWS_ENDPOINT_URL)";
        self.inner.subject.error(ErrorKind::Invalid, "put", what)
    }

    async fn request_put(
        &self,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome, SdkError<PutObjectError, HttpResponse>> {
        let Inner { bucket, write, .. } = &*self.inner;
        let request = write
            .put_object()
            .bucket(&**bucket)
            .set_expected_bucket_owner(self.owner())
            .key(key)
            .body(ByteStream::from(body));
        let request = match mode {
            PutMode::Create => request.if_none_match("*"),
            PutMode::Overwrite => request,
        };
        match request.send().await {
            Ok(_) => Ok(PutOutcome::Written),
            Err(error) if mode == PutMode::Create && status(&error) == Some(412) => {
                Ok(PutOutcome::Exists)
            }
            Err(error) => Err(error),
        }
    }

    fn error<E>(&self, operation: &'static str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        from_sdk(error, operation, &self.inner.subject)
    }

    fn check_key(&self, operation: &'static str, key: &str) -> Result<()> {
        if (1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Ok(());
        }
        let what = format!("a key of {} bytes, 1 to {MAX_KEY_BYTES} are taken", key.len());
        Err(self.inner.subject.error(ErrorKind::Invalid, operation, what))
    }

    fn meta(&self, key: String, size: Option<i64>, modified: Option<&DateTime>) -> ObjectMeta {
        let modified = modified.and_then(|time| SystemTime::try_from(*time).ok());
        ObjectMeta {
            key,
            size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.check_key("put", key)?;
        // Among the errors 409, a conflict with a creation at the same time: `Transient`.
        self.request_put(key, body, mode).await.map_err(|error| match status(&error) {
            // Not implemented, or the answer to a conditional read.
            Some(501 | 304) if mode == PutMode::Create => self.unconditional(),
            _ => self.error("put", &error),
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.check_key("get", key)?;
        let Inner { subject, bucket, read, .. } = &*self.inner;
        let request = read.get_object().bucket(&**bucket).key(key);
        let answer = match request.set_expected_bucket_owner(self.owner()).send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.error("get", &error)),
        };
        match answer.body.collect().await {
            Ok(body) => Ok(Some(body.into_bytes())),
            // To read again does no harm.
            Err(error) => {
                let what = format!("the body of {key} broke off: {error}");
                Err(subject.error(ErrorKind::Transient, "get", what))
            }
        }
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.check_key("head", key)?;
        let Inner { bucket, read, .. } = &*self.inner;
        let request = read.head_object().bucket(&**bucket).key(key);
        let error = match request.set_expected_bucket_owner(self.owner()).send().await {
            Ok(found) => {
                let modified = found.last_modified();
                return Ok(Some(self.meta(key.to_owned(), found.content_length(), modified)));
            }
            Err(error) => error,
        };
        if status(&error) != Some(404) {
            return Err(self.error("head", &error));
        }
        // The answer to a `HEAD` has no body that would say what is missing.
        match self.head_bucket().await {
            Ok(()) => Ok(None),
            // Not to be looked at is to be there.
            Err(error) if status(&error) == Some(403) => Ok(None),
            Err(error) => Err(self.error("head", &error)),
        }
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        let Inner { subject, bucket, read, .. } = &*self.inner;
        if request.max == 0 {
            return Err(subject.error(ErrorKind::Invalid, "list", "max is 0, give at least 1"));
        }
        // At most 1,000.
        let max = i32::try_from(request.max.min(MAX_PAGE)).unwrap_or(i32::MAX);
        let mut token = None;
        loop {
            let answer = read
                .list_objects_v2()
                .bucket(&**bucket)
                .set_expected_bucket_owner(self.owner())
                .prefix(&request.prefix)
                .set_start_after(request.after.clone().filter(|after| !after.is_empty()))
                .max_keys(max)
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|error| self.error("list", &error))?;
            let more = answer.is_truncated().unwrap_or_default();
            token = answer.next_continuation_token;
            let objects: Vec<_> = answer
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(|object| {
                    let modified = object.last_modified;
                    Some(self.meta(object.key?, object.size, modified.as_ref()))
                })
                .collect();
            // S3 may answer an empty page before the last; the reader of ours need not know.
            if !objects.is_empty() || !more || token.is_none() {
                let more = more && !objects.is_empty();
                return Ok(Page { objects, more });
            }
        }
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.delete_all(keys).await
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether the object is missing, and not the bucket.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(404) && error.code() == Some("NoSuchKey")
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("bucket", &self.inner.bucket).finish_non_exhaustive()
    }
}
