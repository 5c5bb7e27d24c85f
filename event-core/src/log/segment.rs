//! A segment: lines, each one event or quarantined message, compressed together.

use bytes::Bytes;

use super::content::Content;
use super::index::FingerprintKey;
use super::{Pending, commit};
use crate::compression::Compression;
use crate::error::{Error, Result};

/// The lines of a segment, uncompressed.
pub(super) struct Lines(Bytes);

impl Lines {
    pub(super) fn read(key: &str, compression: Compression, object: Bytes) -> Result<Self> {
        compression.decompress(object).map(Self).map_err(|error| invalid(key, &error.to_string()))
    }

    /// What a commit needs to know of them. `pending` is what it holds.
    pub(super) fn compare(
        &self,
        key: &str,
        content: &Content,
        fingerprints: FingerprintKey,
        pending: &PendingByFingerprint<'_>,
    ) -> Result<commit::Segment> {
        let mut segment = commit::Segment::default();
        for (number, line) in lines_of(&self.0).enumerate() {
            let identity = content
                .identity_of(line)
                .ok_or_else(|| invalid(key, &format!("line {} has no identity", number + 1)))?;
            let fingerprint = fingerprints.of(&identity);
            segment.fingerprints.push(fingerprint);
            for (place, pending) in pending.of(fingerprint) {
                if *pending.identity == *identity {
                    segment.matches.push((place, pending.line == line));
                }
            }
        }
        Ok(segment)
    }
}

/// What a commit holds, to look up by fingerprint.
pub(super) struct PendingByFingerprint<'a> {
    pending: &'a [Pending],
    /// Places in order of their fingerprints.
    places: Vec<usize>,
}

impl<'a> PendingByFingerprint<'a> {
    pub(super) fn new(pending: &'a [Pending]) -> Self {
        let mut places: Vec<_> = (0..pending.len()).collect();
        places.sort_unstable_by_key(|&place| pending[place].fingerprint);
        Self { pending, places }
    }

    fn of(
        &self,
        fingerprint: super::index::Fingerprint,
    ) -> impl Iterator<Item = (usize, &'a Pending)> + '_ {
        let first =
            self.places.partition_point(|&place| self.pending[place].fingerprint < fingerprint);
        let alike = self.places[first..].iter().map(|&place| (place, &self.pending[place]));
        alike.take_while(move |(_, pending)| pending.fingerprint == fingerprint)
    }
}

/// The object that holds these lines.
pub(super) fn encode<'a>(
    compression: Compression,
    lines: impl Iterator<Item = &'a Bytes> + Clone,
) -> Result<Bytes> {
    let size = lines.clone().map(|line| line.len() + 1).sum();
    let mut object = Vec::with_capacity(size);
    for line in lines {
        object.extend_from_slice(line);
        object.push(b'\n');
    }
    compression.compress(object)
}

/// The lines of an object, without their ends.
pub(crate) fn lines_of(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = lines.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// A line break can only be between the tokens of a JSON text, where a space means the same.
pub(crate) fn one_line(body: Bytes) -> Bytes {
    // Almost always there is none, and these two look at many bytes at once.
    if !body.contains(&b'\n') && !body.contains(&b'\r') {
        return body;
    }
    body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

pub(super) fn invalid(key: &str, fault: &str) -> Error {
    let message = format!(
        "{key} is not a valid segment ({fault}): nothing of its partition is stored until it is repaired"
    );
    Error::invalid("log", message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::log::index::Fingerprint;
    use crate::schema::Retail;

    #[test]
    fn a_line_break_of_any_kind_becomes_a_space() {
        let line = |body: &'static str| one_line(body.into());
        assert_eq!(line("{\"a\":1,\r\"b\":2}"), "{\"a\":1, \"b\":2}");
        assert_eq!(line("\r"), " ");
        assert_eq!(line("{\r\n}\n"), "{  } ");
        assert_eq!(line("{\t}"), "{\t}");
    }

    proptest! {
        #[test]
        fn one_line_has_no_line_break_and_is_else_the_same(
            body in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..40),
        ) {
            let line = one_line(body.clone().into());
            prop_assert_eq!(line.len(), body.len());
            for (&there, &byte) in line.iter().zip(&body) {
                prop_assert_eq!(there, if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
            }
        }
    }

    /// The places of what is pending that these lines hold, each with whether the bytes are the same.
    fn matches(
        key: FingerprintKey,
        lines: &'static str,
        pending: &[(&str, &'static str, Fingerprint)],
    ) -> Vec<(usize, bool)> {
        let pending: Vec<_> = pending
            .iter()
            .map(|&(identity, line, fingerprint)| Pending {
                identity: identity.into(),
                line: line.into(),
                fingerprint,
            })
            .collect();
        let content = Content::Events(Arc::new(Retail::default()));
        let by_fingerprint = PendingByFingerprint::new(&pending);
        let lines = Lines(lines.into());
        let mut matches = lines.compare("key", &content, key, &by_fingerprint).unwrap().matches;
        matches.sort_unstable();
        matches
    }

    /// However alike two identities look, and whichever of them comes first.
    #[test]
    fn what_has_the_fingerprint_of_another_event_is_told_from_it_by_its_identity() {
        let (a, b) = (r#"{"request_id":"a"}"#, r#"{"request_id":"b"}"#);
        let key = FingerprintKey::random();
        let alike = key.of("a");
        let pending = [("b", b, alike), ("a", a, alike), ("c", "c", key.of("c")), ("a", b, alike)];
        assert_eq!(matches(key, "{\"request_id\":\"a\"}\n", &pending), [(1, true), (3, false)]);
        assert_eq!(matches(key, "", &pending), []);
    }

    #[test]
    fn lines_that_differ_in_a_space_at_their_end_are_other_bytes() {
        let key = FingerprintKey::random();
        let line = r#"{"request_id":"a"}"#;
        let others = [r#" {"request_id":"a"}"#, r#"{"request_id":"a"} "#, r#"{"request_id": "a"}"#];
        for other in others {
            let pending = [("a", line, key.of("a")), ("a", other, key.of("a"))];
            assert_eq!(matches(key, line, &pending), [(0, true), (1, false)], "{other}");
            assert_eq!(matches(key, other, &pending), [(0, false), (1, true)], "{other}");
        }
    }

    #[test]
    fn lines_end_with_a_line_break_or_with_the_object() {
        let lines = |text: &'static str| lines_of(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(lines(""), [b""; 0]);
        assert_eq!(lines("a\nb\n"), [b"a", b"b"]);
        assert_eq!(lines("a\nb"), [b"a", b"b"]);
    }
}
