//! The manifest of a prefix: what all writers below it must agree on.

use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::object::Object;
use crate::retry::{Retry, Retryable};
use crate::shutdown::Shutdown;
use crate::store::{ListRequest, ObjectStore, PutMode, PutOutcome};

/// What a prefix was made with. As JSON, one object with these names; an unknown one is an error,
/// since it may change what a segment means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// Chosen at random: a prefix that was wiped and made anew has another.
    id: String,
    layout: String,
    schema: String,
    partition_by: String,
    compression: String,
    least_days_kept: u32,
}

const FORMAT: u32 = 1;
const LEAST_DAYS_KEPT: u32 = 30;

impl Manifest {
    fn new(compression: Compression) -> Self {
        Self {
            format: FORMAT,
            id: format!("{:032x}", fastrand::u128(..)),
            layout: "batch".to_owned(),
            schema: "retail".to_owned(),
            partition_by: "day".to_owned(),
            compression: compression.to_string(),
            least_days_kept: LEAST_DAYS_KEPT,
        }
    }

    /// How segments are compressed: a slot must be one key for all writers.
    pub(crate) fn compression(&self) -> Result<Compression> {
        self.compression.parse()
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always serialise")
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self> {
        let Object::<Self>(manifest) = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("{key} is not a valid manifest ({error})")))?;
        let Self { format, layout, schema, partition_by, .. } = &manifest;
        if *format != FORMAT {
            return Err(invalid(format!(
                "{key} has format {format}, and this version writes format {FORMAT}: use a version \
                 that knows it, or another prefix"
            )));
        }
        let expected = [("layout", layout, "batch"), ("schema", schema, "retail")];
        let by = ("partition_by", partition_by, "day");
        for (setting, there, given) in expected.into_iter().chain([by]) {
            if there != given {
                return Err(differs(key, setting, there, given));
            }
        }
        let unknown = |error: Error| invalid(format!("{key} is not a valid manifest ({error})"));
        manifest.compression().map_err(unknown)?;
        Ok(manifest)
    }
}

/// Reads the manifest of a prefix, or makes it where nothing is below the prefix yet. A setting that is
/// not given takes the manifest's value.
///
/// # Errors
///
/// `Invalid` if a given setting differs, if there is data and no manifest, or if the store does not
/// keep to create-only puts; that of a request, once `stop` is requested.
pub(crate) async fn open(
    store: &dyn ObjectStore,
    layout: &Layout,
    compression: Option<Compression>,
    retry: &Retry,
    retryable: Retryable,
    stop: &Shutdown,
) -> Result<Manifest> {
    let key = layout.manifest_key();
    let read = || async { retry.one(retryable, stop, || store.get(&key)).await };
    let mut there = read().await?;
    if there.is_none() {
        let request = ListRequest { prefix: layout.data_root(), after: None, max: 1 };
        let list = || store.list(request.clone());
        let is_used = !retry.one(retryable, stop, list).await?.objects.is_empty();
        if is_used {
            // Another writer may have made it a moment ago.
            there = read().await?;
            if there.is_none() {
                return Err(invalid(format!(
                    "there are objects below {} and no manifest {key}: give a prefix that is \
                     empty or was made by this version",
                    layout.data_root()
                )));
            }
        }
    }
    let bytes = match there {
        Some(bytes) => bytes,
        None => {
            let manifest = Manifest::new(compression.unwrap_or(Compression::Zstd)).encode();
            let put = || store.put(&key, manifest.clone().into(), PutMode::Create);
            retry.one(retryable, stop, put).await?;
            // Whoever created it.
            read().await?.ok_or_else(|| {
                let message = format!("{key} was created and is not there");
                Error::new(crate::error::ErrorKind::Transient, "log", message)
            })?
        }
    };
    let again = || store.put(&key, bytes.clone(), PutMode::Create);
    if retry.one(retryable, stop, again).await? == PutOutcome::Written {
        return Err(invalid(format!(
            "the store created {key} although it exists: it does not keep to create-only puts, \
             without which events would be lost"
        )));
    }
    let manifest = Manifest::decode(&key, &bytes)?;
    match compression {
        Some(given) if given.as_str() != manifest.compression => {
            Err(differs(&key, "compression", &manifest.compression, given.as_str()))
        }
        _ => Ok(manifest),
    }
}

fn differs(key: &str, setting: &str, there: &str, given: &str) -> Error {
    invalid(format!(
        "{key} says {setting} {there:?}, and {given:?} was given: leave it out or give {there:?}, \
         or take another prefix"
    ))
}

fn invalid(message: String) -> Error {
    Error::invalid("log", message)
}
