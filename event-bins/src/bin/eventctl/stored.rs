//! Where stored events are, and of which days: what `audit` and `compact` have in common.

use std::sync::Arc;

use clap::Args;
use event_aws::{Aws, S3Store};
use event_bins::aws::{AwsArgs, bucket, with_retries};
use event_bins::pod::Failure;
use event_core::log::Manifest;
use event_core::retry::Retry;
use event_core::{Layout, Result, Schema, Shutdown};
use event_local::cli;
use jiff::civil::Date;

use crate::answered;

#[derive(Clone, Debug, Args)]
pub(crate) struct StoredArgs {
    #[command(flatten)]
    aws: AwsArgs,

    /// Bucket that events are stored in
    #[arg(long, value_name = "BUCKET", env = "STORE_EVENTS_BKT", value_parser = bucket)]
    store_events_bkt: String,

    /// Prefix of the stored events
    #[arg(long, value_name = "PREFIX", env = "S3_PREFIX", default_value = Layout::DEFAULT_PREFIX,
          value_parser = cli::layout)]
    pub(crate) s3_prefix: Layout,

    /// First day, by the events' own time [default: the first there is]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = cli::day)]
    pub(crate) from: Option<Date>,

    /// Last day [default: the last there is]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = cli::day)]
    pub(crate) to: Option<Date>,
}

impl StoredArgs {
    /// The store. Nothing is sent.
    pub(crate) async fn open(&self) -> Result<(Aws, Arc<S3Store>)> {
        let aws = self.aws.load().await?;
        let store = Arc::new(S3Store::new(&aws, &self.store_events_bkt));
        Ok((aws, store))
    }

    /// What the events of the prefix mean, as its manifest says; where there is none, there is
    /// nothing to be read either.
    pub(crate) async fn schema(
        &self,
        store: &S3Store,
        shutdown: &Shutdown,
    ) -> std::result::Result<Arc<dyn Schema>, Failure> {
        let retry = Retry::default();
        let read = || async {
            // Once: the caller tries again.
            let (stop, stopped) = Shutdown::new();
            stop.shutdown();
            Manifest::read(store, &self.s3_prefix, &retry, &stopped).await
        };
        let manifest = answered(with_retries(shutdown, read).await)?;
        let settings = manifest.as_ref().map(Manifest::schema).cloned().unwrap_or_default();
        settings.schema().map_err(|error| Failure::at_start(&error))
    }
}
