//! Deletes in batches, and whose outcome is which.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use event_core::{ErrorKind, Result};

use super::{Inner, S3Store};
use crate::error::{Said, Subject, from_sdk};

const OPERATION: &str = "delete";

/// Most keys of one request.
const MAX_KEYS: usize = 1_000;

impl S3Store {
    pub(super) async fn delete_all(&self, keys: &[String]) -> Vec<Result<()>> {
        let mut outcomes: HashMap<&str, Result<()>> = HashMap::new();
        // A key that is asked for twice is sent once, so that it has one answer.
        let mut sendable = BTreeSet::new();
        for key in keys {
            match self.check_key(OPERATION, key) {
                Ok(()) => drop(sendable.insert(key.as_str())),
                refused => drop(outcomes.insert(key, refused)),
            }
        }
        let sendable: Vec<_> = sendable.into_iter().collect();
        for batch in sendable.chunks(MAX_KEYS) {
            outcomes.extend(self.request(batch).await);
        }
        let outcome = |key: &String| outcomes.get(key.as_str()).cloned();
        let missing = || Err(not_mentioned(&self.inner.subject));
        keys.iter().map(|key| outcome(key).unwrap_or_else(missing)).collect()
    }

    async fn request<'a>(&self, keys: &[&'a str]) -> Vec<(&'a str, Result<()>)> {
        let Inner { subject, bucket, delete, .. } = &*self.inner;
        let objects = keys.iter().map(|key| {
            // The one required member is set.
            ObjectIdentifier::builder().key(*key).build().expect("a key")
        });
        let batch = Delete::builder().set_objects(Some(objects.collect()));
        // As above.
        let batch = batch.build().expect("a list of objects");
        let request = delete.delete_objects().bucket(&**bucket).delete(batch);
        match request.set_expected_bucket_owner(self.owner()).send().await {
            Ok(answer) => account(keys, &answer, subject),
            Err(error) => {
                let error = from_sdk(&error, OPERATION, subject);
                keys.iter().map(|key| (*key, Err(error.clone()))).collect()
            }
        }
    }
}

/// The outcome of each key: a key that the answer does not mention may be deleted or not.
fn account<'a>(
    keys: &[&'a str],
    answer: &DeleteObjectsOutput,
    subject: &Subject,
) -> Vec<(&'a str, Result<()>)> {
    let deleted: HashSet<_> = answer.deleted().iter().filter_map(|entry| entry.key()).collect();
    let failed = answer.errors().iter().filter_map(|entry| Some((entry.key()?, entry)));
    let failed: HashMap<_, _> = failed.collect();
    let outcome = |key: &'a str| match failed.get(key) {
        // What is not there is as good as deleted.
        Some(entry) if entry.code() == Some("NoSuchKey") => Ok(()),
        Some(entry) => {
            let said = Said { code: entry.code(), message: entry.message(), ..Said::default() };
            Err(subject.refused(OPERATION, &said))
        }
        None if deleted.contains(key) => Ok(()),
        None => Err(not_mentioned(subject)),
    };
    keys.iter().map(|key| (*key, outcome(key))).collect()
}

fn not_mentioned(subject: &Subject) -> event_core::Error {
    subject.error(ErrorKind::Ambiguous, OPERATION, "the answer does not mention this key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{DeletedObject, Error};

    #[test]
    fn each_key_has_its_own_outcome() {
        let failed = |key, code| Error::builder().key(key).code(code).build();
        let answer = DeleteObjectsOutput::builder()
            .deleted(DeletedObject::builder().key("a").build())
            .deleted(DeletedObject::builder().key("stranger").build())
            .errors(failed("b", "AccessDenied"))
            .errors(failed("c", "InternalError"))
            .errors(failed("d", "NoSuchKey"))
            .build();
        let subject = Subject::bucket("events");
        let outcomes = account(&["a", "b", "c", "d", "e"], &answer, &subject);
        let kinds: Vec<_> = outcomes
            .into_iter()
            .map(|(key, outcome)| (key, outcome.err().map(|e| e.kind())))
            .collect();
        let expected = [
            ("a", None),
            ("b", Some(ErrorKind::Denied)),
            ("c", Some(ErrorKind::Transient)),
            ("d", None),
            ("e", Some(ErrorKind::Ambiguous)),
        ];
        assert_eq!(kinds, expected);
    }
}
