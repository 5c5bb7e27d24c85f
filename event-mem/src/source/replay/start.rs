//! What an input is, by how it starts.

use event_core::codec::ForeignLine;

use super::Format;

/// Bytes that tell any of [`other_format`]: the longest of its signatures.
pub(super) const LOOK: usize = 8;

/// What an input is that starts with these bytes and has no lines of UTF-8, and what would do.
pub(super) fn other_format(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const UTF_16: (&str, &str) =
        ("text in UTF-16", "convert it to UTF-8, for example with `iconv -f UTF-16 -t UTF-8`");
    const SIGNATURES: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "compressed with gzip", "decompress it, for example with `gzip -dc`"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it, for example with `zstd -dc`"),
        (b"BZh91AY&", "compressed with bzip2", "decompress it, for example with `bzip2 -dc`"),
        (b"\xfd7zXZ\x00", "compressed with xz", "decompress it, for example with `xz -dc`"),
        (b"PK\x03\x04", "a zip archive", "unpack it, for example with `unzip -p`"),
        (b"PAR1\x15", "a Parquet file", "write its rows as JSON, one a line"),
        (b"Obj\x01", "an Avro file", "write its records as JSON, one a line"),
        (b"\xff\xfe", UTF_16.0, UTF_16.1),
        (b"\xfe\xff", UTF_16.0, UTF_16.1),
    ];
    let known = SIGNATURES.iter().find(|(signature, ..)| start.starts_with(signature));
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match (known, start) {
        (Some((_, what, would_do)), _) => Some((what, would_do)),
        // Half of each character.
        (None, &[0, byte, ..] | &[byte, 0, ..]) if is_text(byte) => Some(UTF_16),
        (None, _) => None,
    }
}

/// What an input is whose first line is this, if not lines of that format, and what would do.
pub(super) fn other_lines(
    line: &[u8],
    is_record: bool,
    format: &Format,
) -> Option<(&'static str, &'static str)> {
    match (format, is_record) {
        (Format::Any, _) | (Format::Records, true) => None,
        (Format::Bodies(_), true) => {
            Some(("message records, not bare events", "leave out the event type"))
        }
        (_, false) => match ForeignLine::of(line)? {
            ForeignLine::Body if matches!(format, Format::Bodies(_)) => None,
            ForeignLine::Body => Some((
                "bare events, not message records with `body` and `attributes`",
                "give their `event_type`",
            )),
            ForeignLine::List => {
                Some(("a JSON list", "write its items one a line, for example with `jq -c '.[]'`"))
            }
            ForeignLine::Unfinished => Some((
                "JSON over several lines",
                "write each object on a line of its own, for example with `jq -c .`",
            )),
            ForeignLine::Table => Some(("a table", "write its rows as JSON objects, one a line")),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_lines_is_told_by_its_first_bytes() {
        for (start, what) in [
            (&b"\x1f\x8b\x08\x00"[..], "gzip"),
            (b"\x28\xb5\x2f\xfd\x04", "zstd"),
            (b"BZh91AY&SY", "bzip2"),
            (b"\xfd7zXZ\x00\x00", "xz"),
            (b"PK\x03\x04\x14", "zip"),
            (b"PAR1\x15\x04", "Parquet"),
            (b"Obj\x01\x04", "Avro"),
            (b"\xff\xfe{\x00\"\x00", "UTF-16"),
            (b"\xfe\xff\x00{\x00\"", "UTF-16"),
            (b"{\x00\"\x00", "UTF-16"),
            (b"\x00{\x00\"", "UTF-16"),
        ] {
            assert!(other_format(start).is_some_and(|(told, _)| told.contains(what)), "{what}");
        }
        for text in ["", "{", "{\"", "PAR1-0001", "Object", "BZh", "PK1", "\u{feff}{", "\0\u{1}"] {
            assert_eq!(other_format(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(other_format(b"\xff"), None);
    }
}
