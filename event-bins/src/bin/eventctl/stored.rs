//! Where stored events are, and of which days: what `audit` and `compact` have in common.

use std::sync::Arc;

use clap::Args;
use event_aws::{Aws, S3Store};
use event_bins::aws::{AwsArgs, bucket};
use event_core::{Layout, Result};
use event_local::cli;
use jiff::civil::Date;

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
}
