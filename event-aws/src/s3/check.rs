//! Whether the bucket is there, and whose it is.

use std::sync::Arc;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use event_core::{Error, Result};

use super::{Inner, S3Store};
use crate::error::{OWNER_SETTING, Subject};
use crate::name;

impl S3Store {
    /// The same bucket, which must belong to this account: each request says so
    /// ([`x-amz-expected-bucket-owner`](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)),
    /// and S3 refuses it with `Denied` where another account owns a bucket of that name.
    ///
    /// # Errors
    ///
    /// `Invalid`, unless `account` has 12 digits. S3 would refuse each put with an error that
    /// looks like one of the object.
    pub fn owned_by(self, account: &str) -> Result<Self> {
        if !name::is_account(account) {
            let message = format!(
                "{OWNER_SETTING} is {account:?}, which is not an AWS account: give its 12 digits"
            );
            return Err(Error::invalid("configure", message));
        }
        let Inner { bucket, write, read, delete, .. } = &*self.inner;
        let inner = Inner {
            subject: Subject::Bucket { name: (**bucket).into(), owner: Some(account.into()) },
            bucket: bucket.clone(),
            write: write.clone(),
            read: read.clone(),
            delete: delete.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Looks whether the bucket is there, the credentials are valid and the owner is the expected
    /// one, by one cheap request (`HeadBucket`) that changes nothing: for readiness probes.
    ///
    /// It needs the right `s3:ListBucket` on the bucket itself. Whether objects can be written,
    /// [`Manifest::open`](event_core::log::Manifest::open) tells.
    ///
    /// # Errors
    ///
    /// `NotFound` for a bucket that is missing or in another region, `Denied` without the right
    /// or with another owner, `Unknown` where S3 gives no reason, as for credentials that have
    /// expired.
    pub async fn check(&self) -> Result<()> {
        self.head_bucket().await.map_err(|error| self.error("check", &error))
    }

    pub(super) async fn head_bucket(&self) -> Result<(), SdkError<HeadBucketError, HttpResponse>> {
        let Inner { bucket, read, .. } = &*self.inner;
        let request = read.head_bucket().bucket(&**bucket);
        request.set_expected_bucket_owner(self.owner()).send().await.map(drop)
    }

    /// For each request to S3: one without it would go to whoever owns the bucket.
    pub(super) fn owner(&self) -> Option<String> {
        match &self.inner.subject {
            Subject::Bucket { owner, .. } => owner.as_deref().map(str::to_owned),
            Subject::Queue(_) => None,
        }
    }
}
