//! A bucket that is the caller's own.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use event_core::{Error, ErrorKind, Result};

use super::BucketSetup;
use super::plan::{self, Change, Plan, Setting, Step, What};
use crate::config::Aws;
use crate::error::{BUCKET_SETTING, Subject, from_sdk};
use crate::name;

const OPERATION: &str = "setup_bucket";

/// The region that a request to create a bucket must not name.
const FIRST_REGION: &str = "us-east-1";

/// What it takes to have a bucket of this name in the region and account of the caller, as wanted.
/// Only reads.
///
/// It needs the rights `s3:ListAllMyBuckets`, `s3:GetBucketVersioning` and
/// `s3:GetBucketPublicAccessBlock`; its steps need `s3:CreateBucket`, `s3:PutBucketVersioning` and
/// `s3:PutBucketPublicAccessBlock` as well. Nothing is asked about what is not wanted.
///
/// # Errors
///
/// `Invalid` if no bucket can have the name; `NotFound` if it is in another region; `Denied`
/// without one of the rights. That another account has one of that name is an `Invalid` of the step
/// that would create it.
pub async fn plan_bucket(aws: &Aws, name: &str, setup: &BucketSetup) -> Result<Plan> {
    name::check_bucket(OPERATION, name)?;
    let bucket = Bucket { client: aws.s3(), name, subject: Subject::bucket(name) };
    // Not by trying to create it: in us-east-1 S3 would reset the access list of one that is there.
    if !bucket.is_own().await? {
        return Ok(Plan { steps: vec![bucket.step(What::Created, Ask::Create(*setup))] });
    }
    let mut steps = Vec::new();
    if setup.versioning {
        steps.extend(bucket.versioning().await?);
    }
    if setup.public_access_block {
        steps.extend(bucket.public_access_block().await?);
    }
    Ok(Plan { steps })
}

/// What a step asks of S3.
#[derive(Clone, Debug)]
pub(super) struct Action {
    name: String,
    ask: Ask,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Create(BucketSetup),
    EnableVersioning,
    BlockPublicAccess,
}

impl Action {
    pub(super) async fn apply(&self, aws: &Aws) -> Result<()> {
        let Self { name, ask } = self;
        let bucket = Bucket { client: aws.s3(), name, subject: Subject::bucket(name) };
        match ask {
            Ask::Create(setup) => {
                bucket.create(aws.region()).await?;
                if setup.versioning {
                    bucket.enable_versioning().await?;
                }
                if setup.public_access_block {
                    bucket.block_public_access().await?;
                }
                Ok(())
            }
            Ask::EnableVersioning => bucket.enable_versioning().await,
            Ask::BlockPublicAccess => bucket.block_public_access().await,
        }
    }
}

struct Bucket<'a> {
    client: Client,
    name: &'a str,
    subject: Subject,
}

impl Bucket<'_> {
    /// Whether the caller's account has the bucket. S3 answers other questions for a bucket that
    /// somebody else has shared as well.
    async fn is_own(&self) -> Result<bool> {
        // The bucket itself is the first of those whose names start so.
        let request = self.client.list_buckets().prefix(self.name).max_buckets(1_000);
        let answer = request.send().await.map_err(|error| self.error(&error))?;
        Ok(answer.buckets().iter().any(|bucket| bucket.name() == Some(self.name)))
    }

    async fn create(&self, region: &str) -> Result<()> {
        let place = (region != FIRST_REGION).then(|| {
            let place = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        let request = self.client.create_bucket().bucket(self.name);
        match request.set_create_bucket_configuration(place).send().await {
            Ok(_) => Ok(()),
            // By the try before this one, whose answer was lost.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Err(error) if error.code() == Some("BucketAlreadyExists") => {
                let what = format!(
                    "it belongs to another account; set {BUCKET_SETTING} to a name that is free"
                );
                Err(self.subject.error(ErrorKind::Invalid, OPERATION, what))
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn versioning(&self) -> Result<Option<Step>> {
        let answer = self.client.get_bucket_versioning().bucket(self.name).send().await;
        let versioning = answer.map_err(|error| self.error(&error))?;
        let enabled = BucketVersioningStatus::Enabled;
        let present = versioning.status();
        if present == Some(&enabled) {
            return Ok(None);
        }
        let present = present.map_or("none", BucketVersioningStatus::as_str);
        let what = difference(Setting::Versioning, present, enabled.as_str());
        Ok(Some(self.step(what, Ask::EnableVersioning)))
    }

    async fn enable_versioning(&self) -> Result<()> {
        let enabled = BucketVersioningStatus::Enabled;
        let enabled = VersioningConfiguration::builder().status(enabled).build();
        let request = self.client.put_bucket_versioning().bucket(self.name);
        let answer = request.versioning_configuration(enabled).send().await;
        answer.map(drop).map_err(|error| self.error(&error))
    }

    async fn public_access_block(&self) -> Result<Option<Step>> {
        let present = match self.client.get_public_access_block().bucket(self.name).send().await {
            Ok(answer) => answer.public_access_block_configuration,
            Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => None,
            Err(error) => return Err(self.error(&error)),
        };
        if present == Some(all_blocks()) {
            return Ok(None);
        }
        let present = present.as_ref().map_or_else(|| "none".to_owned(), blocks);
        let what = difference(Setting::PublicAccessBlock, &present, &blocks(&all_blocks()));
        Ok(Some(self.step(what, Ask::BlockPublicAccess)))
    }

    async fn block_public_access(&self) -> Result<()> {
        let request = self.client.put_public_access_block().bucket(self.name);
        let answer = request.public_access_block_configuration(all_blocks()).send().await;
        answer.map(drop).map_err(|error| self.error(&error))
    }

    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        from_sdk(error, OPERATION, &self.subject)
    }

    fn step(&self, what: What, ask: Ask) -> Step {
        Step {
            is_of_existing: what != What::Created,
            changes: vec![Change { resource: "bucket", name: self.name.to_owned(), what }],
            action: plan::Action::Bucket(Action { name: self.name.to_owned(), ask }),
        }
    }
}

fn difference(setting: Setting, present: &str, wanted: &str) -> What {
    What::Set { setting, present: present.to_owned(), wanted: wanted.to_owned() }
}

fn all_blocks() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

/// Those that are on.
fn blocks(of: &PublicAccessBlockConfiguration) -> String {
    let on: Vec<_> = [
        (of.block_public_acls(), "BlockPublicAcls"),
        (of.ignore_public_acls(), "IgnorePublicAcls"),
        (of.block_public_policy(), "BlockPublicPolicy"),
        (of.restrict_public_buckets(), "RestrictPublicBuckets"),
    ]
    .into_iter()
    .filter_map(|(on, name)| (on == Some(true)).then_some(name))
    .collect();
    match on.len() {
        0 => "none".to_owned(),
        4 => "all".to_owned(),
        _ => on.join("+"),
    }
}
