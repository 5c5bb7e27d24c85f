//! Listings in pages of any size and deletes answered in any order, by a service that counts.

use std::collections::BTreeSet;

use event_core::store::list_all;
use fastrand::Rng;

use super::*;
use crate::fake::{Answer, answering};
use crate::script::Request;

fn query(request: &Request, name: &str) -> Option<String> {
    let (_, query) = request.uri.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut parts = value.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        // No key of these tests has anything but ASCII.
        text.push(char::from(u8::from_str_radix(&part[..2], 16).ok()?));
        text.push_str(&part[2..]);
    }
    Some(text)
}

/// A page of these keys as S3 may answer it: of fewer than were asked for, or of none although
/// there are others.
fn page(keys: &BTreeSet<String>, request: &Request) -> Answer {
    let most: usize = query(request, "max-keys").unwrap().parse().unwrap();
    assert!((1..=1000).contains(&most));
    let prefix = query(request, "prefix").unwrap_or_default();
    let token = query(request, "continuation-token").map(|token| token[1..].to_owned());
    let after = token.or_else(|| query(request, "start-after")).unwrap_or_default();
    let rest: Vec<_> =
        keys.iter().filter(|key| key.starts_with(&prefix) && **key > after).collect();
    let count = fastrand::usize(0..=most).min(rest.len());
    let last = if count == 0 { &after } else { rest[count - 1] };
    let mut body = format!(
        "<ListBucketResult><IsTruncated>{}</IsTruncated>\
         <NextContinuationToken>t{last}</NextContinuationToken>",
        count < rest.len()
    );
    for key in &rest[..count] {
        body += &format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", key.len());
    }
    (body + "</ListBucketResult>", Vec::new())
}

#[tokio::test]
async fn a_listing_is_whole_in_whatever_pages_s3_answers() {
    let below: Vec<_> = (0..23).map(|number| format!("p/{number:02}")).collect();
    let others = ["o", "p", "p-", "p0", "pp/1", "q/1"].map(str::to_owned);
    let keys: BTreeSet<_> = below.iter().cloned().chain(others).collect();
    let listed = keys.clone();
    let store = S3Store::new(&answering(move |request| page(&listed, request)), "events");
    for _ in 0..20 {
        let all = list_all(&store, "p/").await.unwrap();
        assert!(all.iter().map(|object| &object.key).eq(&below), "{all:?}");
        assert!(all.iter().all(|object| object.size == object.key.len() as u64));
        assert_eq!(list_all(&store, "").await.unwrap().len(), keys.len());
        for max in [1, 2, 5, 30, 5_000] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let request = ListRequest { prefix: "p".into(), after: after.clone(), max };
                let page = store.list(request).await.unwrap();
                assert!(page.objects.len() <= max && !(page.more && page.objects.is_empty()));
                found.extend(page.objects.into_iter().map(|object| object.key));
                after = found.last().cloned();
                if !page.more {
                    break;
                }
            }
            let expected = keys.iter().filter(|key| key.starts_with('p'));
            assert!(found.iter().eq(expected), "{found:?} in pages of {max}");
        }
    }
}

/// What S3 says of a key: deleted, failed, nothing, or both.
fn fate(key: &str) -> usize {
    key.bytes().map(usize::from).sum::<usize>() % 4
}

#[tokio::test]
async fn each_key_of_a_delete_has_its_own_outcome() {
    let aws = answering(|request| {
        let mut keys: Vec<_> = request.body.split("<Key>").skip(1).collect();
        keys.iter_mut().for_each(|key| *key = key.split_once('<').unwrap().0);
        assert!((1..=1000).contains(&keys.len()), "{} keys in one request", keys.len());
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        fastrand::shuffle(&mut keys);
        let mut body = "<DeleteResult>".to_owned();
        for key in keys {
            if [0, 3].contains(&fate(key)) {
                body += &format!("<Deleted><Key>{key}</Key></Deleted>");
            }
            if [1, 3].contains(&fate(key)) {
                body += &format!("<Error><Key>{key}</Key><Code>InternalError</Code></Error>");
            }
        }
        (body + "</DeleteResult>", Vec::new())
    });
    let store = S3Store::new(&aws, "events");
    for count in [1, 2, 10, 999, 1000, 1001, 2500] {
        let mut rng = Rng::with_seed(count);
        let mut keys: Vec<_> = (0..count).map(|key| format!("{key}/{}", rng.u16(..))).collect();
        // Some twice, and one that is refused without a request.
        keys.extend_from_within(..keys.len() / 2);
        keys.push("k".repeat(MAX_KEY_BYTES + 1));
        rng.shuffle(&mut keys);
        let outcomes = store.delete(&keys).await;
        assert_eq!(outcomes.len(), keys.len());
        for (key, outcome) in keys.iter().zip(outcomes) {
            let kind = outcome.err().map(|error| error.kind());
            let expected = match fate(key) {
                _ if key.len() > MAX_KEY_BYTES => Some(ErrorKind::Invalid),
                0 => None,
                1 | 3 => Some(ErrorKind::Transient),
                _ => Some(ErrorKind::Ambiguous),
            };
            assert_eq!(kind, expected, "{key} of {count}");
        }
    }
}

/// An object that cannot be read whole is neither missing nor another object.
#[tokio::test]
async fn a_damaged_object_is_an_error_that_may_heal() {
    let with = |digest: &'static str| {
        let headers = vec![("x-amz-checksum-crc32", digest.to_owned())];
        S3Store::new(&answering(move |_| ("{}".to_owned(), headers.clone())), "events")
    };
    assert_eq!(with("o6a/Qw==").get("a").await.unwrap(), Some("{}".into()));
    let error = with("AAAAAA==").get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn a_head_tells_the_size_and_the_time_of_an_object() {
    let headers = vec![
        ("content-length", "7".to_owned()),
        ("last-modified", "Mon, 23 Nov 2026 10:00:00 GMT".to_owned()),
    ];
    let aws = answering(move |_| (String::new(), headers.clone()));
    let found = S3Store::new(&aws, "events").head("a/b").await.unwrap().unwrap();
    assert_eq!((found.key.as_str(), found.size), ("a/b", 7));
    let modified = found.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(modified.as_secs(), 1_795_428_000);
}
