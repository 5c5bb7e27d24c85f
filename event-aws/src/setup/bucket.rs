//! A bucket that is the caller's own.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use event_core::{Error, ErrorKind, Result};

use super::Change;
use crate::config::Aws;
use crate::error::{BUCKET_SETTING, Subject, from_sdk};
use crate::name;

const OPERATION: &str = "setup_bucket";

/// The region that a request to create a bucket must not name.
const FIRST_REGION: &str = "us-east-1";

/// Makes a bucket of this name in the region and account of the caller, with versions kept and all
/// public access blocked, or sets what differs in one that is there; what was changed, in order,
/// and nothing if all was as it should be.
///
/// It needs the rights `s3:ListAllMyBuckets`, `s3:CreateBucket`, `s3:GetBucketVersioning`,
/// `s3:PutBucketVersioning`, `s3:GetBucketPublicAccessBlock` and `s3:PutBucketPublicAccessBlock`.
///
/// # Errors
///
/// `Invalid` if no bucket can have the name, or another account has one of that name; `NotFound`
/// if it is in another region; `Denied` without one of the rights. What was done before an error
/// stays, and another call does the rest.
pub async fn setup_bucket(aws: &Aws, name: &str) -> Result<Vec<Change>> {
    name::check_bucket(OPERATION, name)?;
    let setup = Setup { client: aws.s3(), name, subject: Subject::bucket(name) };
    let mut changes = Vec::new();
    // Not by trying to create it: in us-east-1 S3 would reset the access list of one that is there.
    if !setup.is_own().await? && setup.create(aws.region()).await? {
        changes.push(setup.change("created"));
    }
    changes.extend(setup.enable_versioning().await?);
    changes.extend(setup.block_public_access().await?);
    Ok(changes)
}

struct Setup<'a> {
    client: Client,
    name: &'a str,
    subject: Subject,
}

impl Setup<'_> {
    /// Whether the caller's account has the bucket. S3 answers other questions for a bucket that
    /// somebody else has shared as well.
    async fn is_own(&self) -> Result<bool> {
        // The bucket itself is the first of those whose names start so.
        let request = self.client.list_buckets().prefix(self.name).max_buckets(1_000);
        let answer = request.send().await.map_err(|error| self.error(&error))?;
        Ok(answer.buckets().iter().any(|bucket| bucket.name() == Some(self.name)))
    }

    /// Whether it was created now.
    async fn create(&self, region: &str) -> Result<bool> {
        let place = (region != FIRST_REGION).then(|| {
            let place = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        let request = self.client.create_bucket().bucket(self.name);
        match request.set_create_bucket_configuration(place).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(false),
            Err(error) if error.code() == Some("BucketAlreadyExists") => {
                let what = format!(
                    "it belongs to another account; set {BUCKET_SETTING} to a name that is free"
                );
                Err(self.subject.error(ErrorKind::Invalid, OPERATION, what))
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn enable_versioning(&self) -> Result<Option<Change>> {
        let answer = self.client.get_bucket_versioning().bucket(self.name).send().await;
        let versioning = answer.map_err(|error| self.error(&error))?;
        if versioning.status() == Some(&BucketVersioningStatus::Enabled) {
            return Ok(None);
        }
        let enabled = BucketVersioningStatus::Enabled;
        let enabled = VersioningConfiguration::builder().status(enabled).build();
        let request = self.client.put_bucket_versioning().bucket(self.name);
        let answer = request.versioning_configuration(enabled).send().await;
        answer.map_err(|error| self.error(&error))?;
        Ok(Some(self.change("versioning enabled")))
    }

    async fn block_public_access(&self) -> Result<Option<Change>> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let present = match self.client.get_public_access_block().bucket(self.name).send().await {
            Ok(answer) => answer.public_access_block_configuration,
            Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => None,
            Err(error) => return Err(self.error(&error)),
        };
        if present.as_ref() == Some(&all) {
            return Ok(None);
        }
        let request = self.client.put_public_access_block().bucket(self.name);
        let answer = request.public_access_block_configuration(all).send().await;
        answer.map_err(|error| self.error(&error))?;
        Ok(Some(self.change("public access blocked")))
    }

    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        from_sdk(error, OPERATION, &self.subject)
    }

    fn change(&self, what: &str) -> Change {
        Change::new("bucket", self.name, what)
    }
}
