//! A prefix, as one writer of events knows it.

use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::OnceCell;

use super::boundary::{Boundary, Source, Today};
use super::manifest::{Manifest, ManifestOptions, Opening};
use crate::error::Result;
use crate::layout::Layout;
use crate::retry::{Retry, Retryable};
use crate::shutdown::Shutdown;
use crate::store::ObjectStore;

/// What all writers below the prefix agree on, and which of its days are live.
pub(crate) struct Prefix {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) layout: Layout,
    pub(crate) retry: Retry,
    /// What the writer is set to.
    pub(crate) options: ManifestOptions,
    manifest: OnceCell<Manifest>,
    boundary: Boundary,
}

impl Prefix {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        layout: Layout,
        options: ManifestOptions,
    ) -> Self {
        let (manifest, boundary) = (OnceCell::new(), Boundary::default());
        Self { store, layout, retry: Retry::default(), options, manifest, boundary }
    }

    /// Takes the day from this clock, in place of the system's.
    pub(crate) fn today(&mut self, today: Today) {
        self.boundary.today = today;
    }

    /// Takes this for what is written below the prefix.
    pub(crate) fn opened(&mut self, manifest: Manifest) {
        self.manifest = OnceCell::new_with(Some(manifest));
    }

    /// The manifest, which is made if nothing is below the prefix yet.
    pub(crate) async fn manifest(
        &self,
        retryable: Retryable,
        stop: &Shutdown,
    ) -> Result<&Manifest> {
        let Self { store, layout, retry, .. } = self;
        let opening = Opening { store: &**store, layout, retry, retryable, stop };
        self.manifest.get_or_try_init(|| opening.open(&self.options)).await
    }

    /// Whether an event of this day, durable before this call, is below the boundary of expiry: then
    /// it is not live, and must not be acknowledged as stored.
    pub(crate) async fn is_too_old(&self, day: Date, stop: &Shutdown) -> Result<bool> {
        let manifest = self.manifest(|_| true, stop).await?;
        if self.boundary.is_safe(day, manifest.least_days_kept()) {
            return Ok(false);
        }
        self.has_passed(day, stop).await
    }

    /// Whether the boundary has passed a day.
    pub(super) async fn has_passed(&self, day: Date, stop: &Shutdown) -> Result<bool> {
        let Self { store, layout, retry, .. } = self;
        self.boundary.has_passed(day, Source { store: &**store, layout, retry, stop }).await
    }
}
