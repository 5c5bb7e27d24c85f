//! How objects of many events are compressed.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::error::{Error, Result};

/// How an object of many events is compressed, which the end of its key tells whoever reads it:
/// Athena, DuckDB and Spark go by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// `.ndjson`
    #[default]
    None,
    /// `.ndjson.gz`, by [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952); needs the feature
    /// `gzip`.
    Gzip,
    /// `.ndjson.zst`, by [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878); needs the feature
    /// `zstd`.
    Zstd,
}

impl Compression {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// The name: `none`, `gzip` or `zstd`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the keys of such objects end with, the dot before it included.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => ".ndjson",
            Self::Gzip => ".ndjson.gz",
            Self::Zstd => ".ndjson.zst",
        }
    }

    /// How the object under this key is compressed; none if it is not an object of many events.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| key.ends_with(compression.suffix()))
    }

    /// Whether this build of the library can write and read it.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// Compresses a whole object.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in.
    pub fn compress(self, lines: Vec<u8>) -> Result<Bytes> {
        match self {
            Self::None => Ok(lines.into()),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut gzip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                let written = std::io::Write::write_all(&mut gzip, &lines);
                Ok(written
                    .and_then(|()| gzip.finish())
                    .map_err(|error| self.failed(&error))?
                    .into())
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let level = zstd::DEFAULT_COMPRESSION_LEVEL;
                let object = zstd::bulk::compress(&lines, level);
                Ok(object.map_err(|error| self.failed(&error))?.into())
            }
            #[allow(unreachable_patterns, reason = "reached where a feature is not built in")]
            _ => Err(self.missing()),
        }
    }

    /// Reads a whole object that was compressed, by this library or another.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in, or the object is damaged.
    pub fn decompress(self, object: Bytes) -> Result<Bytes> {
        match self {
            Self::None => Ok(object),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut lines = Vec::new();
                let mut gzip = flate2::bufread::MultiGzDecoder::new(&*object);
                let read = std::io::Read::read_to_end(&mut gzip, &mut lines);
                read.map_err(|error| self.failed(&error))?;
                Ok(lines.into())
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let lines = zstd::stream::decode_all(&*object);
                Ok(lines.map_err(|error| self.failed(&error))?.into())
            }
            #[allow(unreachable_patterns, reason = "reached where a feature is not built in")]
            _ => Err(self.missing()),
        }
    }

    #[cfg(any(feature = "gzip", feature = "zstd"))]
    fn failed(self, error: &std::io::Error) -> Error {
        Error::invalid("compression", format!("{self}: {error}"))
    }

    fn missing(self) -> Error {
        let message = format!("{self} is not built in: build event-core with the feature {self}");
        Error::invalid("compression", message)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or_else(|| {
            let message = format!("unknown compression {name:?}: expected none, gzip or zstd");
            Error::invalid("compression", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> impl Iterator<Item = Compression> {
        Compression::ALL.into_iter().filter(|compression| compression.is_built_in())
    }

    #[test]
    fn an_object_is_read_as_it_was_written() {
        for compression in built_in() {
            for lines in ["", "{}\n", &"{\"a\": 1}\n".repeat(1000)] {
                let object = compression.compress(lines.as_bytes().to_vec()).unwrap();
                assert_eq!(compression.decompress(object).unwrap(), lines, "{compression}");
            }
        }
    }

    #[test]
    fn what_is_not_built_in_says_which_feature_it_needs() {
        for compression in Compression::ALL.into_iter().filter(|known| !known.is_built_in()) {
            let message = compression.compress(Vec::new()).unwrap_err().to_string();
            assert!(message.contains(&format!("feature {compression}")), "{message}");
        }
    }

    #[test]
    fn a_key_and_a_name_tell_the_compression() {
        for compression in Compression::ALL {
            let key = format!("dt=2026_11_22/0000000000{}", compression.suffix());
            assert_eq!(Compression::of_key(&key), Some(compression));
            assert_eq!(compression.as_str().parse::<Compression>().unwrap(), compression);
        }
        assert_eq!(Compression::of_key("dt=2026_11_22/r1.json"), None);
        for name in ["lz4", "GZIP", "", "gz", ".ndjson"] {
            assert!(name.parse::<Compression>().is_err(), "{name}");
        }
    }

    /// Or the events at its end would be lost without a word.
    #[test]
    fn an_object_that_was_cut_is_an_error() {
        for compression in built_in().filter(|compression| *compression != Compression::None) {
            let lines = (0..1000).map(|number| format!("{{\"a\": {number}}}\n"));
            let object = compression.compress(lines.collect::<String>().into()).unwrap();
            for length in [object.len() - 1, object.len() / 2, 5] {
                let error = compression.decompress(object.slice(..length)).unwrap_err();
                assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{compression} {length}");
            }
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn an_object_of_several_zstd_frames_is_read_whole() {
        let frame = |line: &str| Compression::Zstd.compress(line.into()).unwrap();
        let frames = [frame("{}\n"), frame("[]\n")].concat();
        assert_eq!(Compression::Zstd.decompress(frames.into()).unwrap(), "{}\n[]\n");
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn a_damaged_object_is_an_error() {
        assert!(Compression::Gzip.decompress("no gzip".into()).is_err());
        let member = Compression::Gzip.compress(b"{}\n".to_vec()).unwrap();
        let with_rubbish = [&member[..], b"rubbish"].concat();
        assert!(Compression::Gzip.decompress(with_rubbish.into()).is_err());
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn an_object_of_several_gzip_members_is_read_whole() {
        let member = |line: &str| Compression::Gzip.compress(line.into()).unwrap();
        let members = [member("{}\n"), member("[]\n")].concat();
        assert_eq!(Compression::Gzip.decompress(members.into()).unwrap(), "{}\n[]\n");
    }
}
