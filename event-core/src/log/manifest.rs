//! The manifest of a prefix: what all writers below it must agree on.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Layout;
use crate::object::Object;
use crate::retry::{Retry, Retryable};
use crate::schema::SchemaSettings;
use crate::shutdown::Shutdown;
use crate::store::{ListRequest, ObjectStore, PutMode, PutOutcome};

/// How many events are in an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectLayout {
    /// One, under its identity: [`StoreWriter`](crate::StoreWriter).
    Event,
    /// Many, in the numbered segments of a log: [`BatchWriter`](crate::BatchWriter).
    #[default]
    Batch,
}

impl fmt::Display for ObjectLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event",
            Self::Batch => "batch",
        })
    }
}

impl FromStr for ObjectLayout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "event" => Ok(Self::Event),
            "batch" => Ok(Self::Batch),
            _ => Err(invalid(format!("unknown layout {text:?}: expected event or batch"))),
        }
    }
}

/// What a prefix was made with: `_manifest.json` below it, created once by whichever writer came
/// first. As JSON, one object with these names; an unknown one is an error, since it may change what
/// an object means.
///
/// ```json
/// {"format": 1, "id": "5b0c…", "layout": "batch",
///  "schema": {"name": "retail", "partition_by": "day"},
///  "compression": "zstd", "least_days_kept": 30}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    id: String,
    layout: ObjectLayout,
    schema: SchemaSettings,
    compression: String,
    least_days_kept: u32,
}

/// What a writer is set to. What is not given is as the prefix has it, and for a new prefix the
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestOptions {
    /// How many events are in an object. Default: none given.
    pub layout: Option<ObjectLayout>,
    /// What a new prefix has where none is given. Default: [`ObjectLayout::Batch`].
    pub default_layout: ObjectLayout,
    /// The schema, or those of its settings that are given. Default: [`Retail`](crate::Retail) by day.
    pub schema: SchemaSettings,
    /// How segments are compressed. Default: zstd in the layout `batch`, where alone it counts.
    pub compression: Option<Compression>,
    /// No day is ever deleted before it is so many days old; at least 2. Default: 30.
    pub least_days_kept: Option<u32>,
}

const FORMAT: u32 = 1;
const LEAST_DAYS_KEPT: u32 = 30;
/// The clocks of a store and of a pod may be a day apart.
const MIN_DAYS_KEPT: u32 = 2;

impl Manifest {
    /// Reads the manifest of a prefix; none if it has none.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is of another version; that of a request, once `stop` is requested.
    pub async fn read(
        store: &dyn ObjectStore,
        layout: &Layout,
        retry: &Retry,
        stop: &Shutdown,
    ) -> Result<Option<Self>> {
        let key = layout.manifest_key();
        let there = retry.one(Error::is_retryable, stop, || store.get(&key)).await?;
        there.map(|bytes| Self::decode(&key, &bytes)).transpose()
    }

    /// Reads the manifest of a prefix, or makes it where nothing is below the prefix yet, and holds
    /// what is given against it. It is also the proof that the store keeps to create-only puts.
    ///
    /// # Errors
    ///
    /// `Invalid` if a given setting differs or cannot be, if there is data and no manifest, if the
    /// prefix is inside of another one, or if the store does not keep to create-only puts; that of a
    /// request, once `stop` is requested.
    pub async fn open(
        store: &dyn ObjectStore,
        layout: &Layout,
        options: &ManifestOptions,
        retry: &Retry,
        stop: &Shutdown,
    ) -> Result<Self> {
        Opening { store, layout, retry, retryable: Error::is_retryable, stop }.open(options).await
    }

    /// The random name of the prefix: one that was wiped and made anew has another.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many events are in an object.
    pub fn layout(&self) -> ObjectLayout {
        self.layout
    }

    /// What its events mean.
    pub fn schema(&self) -> &SchemaSettings {
        &self.schema
    }

    /// How segments are compressed: a slot must be one key for all writers.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in.
    pub fn compression(&self) -> Result<Compression> {
        let compression: Compression = self.compression.parse()?;
        compression.compress(Vec::new()).map(|_| compression)
    }

    /// No day is deleted before it is so many days old.
    pub fn least_days_kept(&self) -> u32 {
        self.least_days_kept
    }

    /// That of a new prefix.
    pub(crate) fn new(options: &ManifestOptions) -> Result<Self> {
        let layout = options.layout.unwrap_or(options.default_layout);
        let compression = match layout {
            ObjectLayout::Event => Compression::None,
            ObjectLayout::Batch => options.compression.unwrap_or(Compression::Zstd),
        };
        Ok(Self {
            format: FORMAT,
            id: format!("{:032x}", fastrand::u128(..)),
            layout,
            schema: options.schema.whole()?,
            compression: compression.to_string(),
            least_days_kept: options.least_days_kept.unwrap_or(LEAST_DAYS_KEPT),
        })
    }

    fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers always serialise").into()
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let not_valid = |what: &dyn fmt::Display| {
            invalid(format!("{key} is not a valid manifest ({what}): it needs manual repair"))
        };
        let Object(Version { format }) =
            serde_json::from_slice(bytes).map_err(|error| not_valid(&error))?;
        if format != FORMAT {
            return Err(invalid(format!(
                "{key} has format {format}, and this version writes format {FORMAT}: use a version \
                 that knows it, or another prefix"
            )));
        }
        let Object::<Self>(manifest) =
            serde_json::from_slice(bytes).map_err(|error| not_valid(&error))?;
        let known = manifest.compression.parse::<Compression>();
        known.map_err(|error| not_valid(&error))?;
        Ok(manifest)
    }

    /// Whether what is given is what the prefix has.
    fn check(&self, key: &str, options: &ManifestOptions) -> Result<()> {
        let differs = |setting: &str, there: &dyn fmt::Display, given: &dyn fmt::Display| {
            Err(invalid(format!(
                "{key} says {setting} \"{there}\", and \"{given}\" was given: leave it out or give \
                 \"{there}\", or take another prefix"
            )))
        };
        if let Some(layout) = options.layout.filter(|given| *given != self.layout) {
            return differs("layout", &self.layout, &layout);
        }
        for (setting, given) in options.schema.iter() {
            let there = self.schema.get(setting).unwrap_or("nothing");
            if there != given {
                let setting = if setting == "name" { "schema" } else { setting };
                return differs(setting, &there, &given);
            }
        }
        let is_batch = self.layout == ObjectLayout::Batch;
        let compression = options.compression.filter(|_| is_batch);
        if let Some(given) = compression.filter(|given| given.as_str() != self.compression) {
            return differs("compression", &self.compression, &given);
        }
        match options.least_days_kept {
            Some(given) if given != self.least_days_kept => {
                differs("least_days_kept", &self.least_days_kept, &given)
            }
            _ => Ok(()),
        }
    }
}

/// Opens a manifest.
pub(super) struct Opening<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) layout: &'a Layout,
    pub(super) retry: &'a Retry,
    pub(super) retryable: Retryable,
    pub(super) stop: &'a Shutdown,
}

impl Opening<'_> {
    pub(super) async fn open(&self, options: &ManifestOptions) -> Result<Manifest> {
        if options.least_days_kept.is_some_and(|days| days < MIN_DAYS_KEPT) {
            let message = format!("least_days_kept is under {MIN_DAYS_KEPT}: give more days");
            return Err(invalid(message));
        }
        let key = self.layout.manifest_key();
        let bytes = match self.read_or_refuse(&key).await? {
            Some(bytes) => bytes,
            None => self.make(&key, options).await?,
        };
        let manifest = Manifest::decode(&key, &bytes)?;
        manifest.check(&key, options)?;
        if self.create(&key, bytes).await? == PutOutcome::Written {
            return Err(invalid(format!(
                "the store created {key} although it exists: it does not keep to create-only puts, \
                 without which events would be lost"
            )));
        }
        Ok(manifest)
    }

    /// The manifest; none if nothing is below the prefix.
    async fn read_or_refuse(&self, key: &str) -> Result<Option<Bytes>> {
        let there = self.get(key).await?;
        if there.is_some() {
            return Ok(there);
        }
        let root = self.layout.data_root();
        let request = ListRequest { prefix: root.clone(), after: None, max: 1 };
        let list = || self.store.list(request.clone());
        let page = self.retry.one(self.retryable, self.stop, list).await?;
        let Some(first) = page.objects.into_iter().next() else { return Ok(None) };
        // Another writer may have made it a moment ago.
        let there = self.get(key).await?;
        if there.is_none() {
            return Err(invalid(format!(
                "there are objects below {root}, {} among them, and no manifest {key}: give a prefix \
                 that is empty or was made by this version",
                first.key
            )));
        }
        Ok(there)
    }

    /// The manifest that is there once it was made, by whomever.
    async fn make(&self, key: &str, options: &ManifestOptions) -> Result<Bytes> {
        for (place, _) in self.layout.prefix().match_indices('/') {
            // A part of a prefix is one.
            let outer = Layout::new(&self.layout.prefix()[..place])?.manifest_key();
            if self.get(&outer).await?.is_some() {
                return Err(invalid(format!(
                    "the prefix {:?} is inside of the one of {outer}: take one beside it",
                    self.layout.prefix()
                )));
            }
        }
        self.create(key, Manifest::new(options)?.encode()).await?;
        self.get(key).await?.ok_or_else(|| {
            let message = format!("{key} was created and is not there");
            Error::new(ErrorKind::Transient, "log", message)
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.retry.one(self.retryable, self.stop, || self.store.get(key)).await
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        let put = || self.store.put(key, bytes.clone(), PutMode::Create);
        self.retry.one(self.retryable, self.stop, put).await
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("log", message)
}
