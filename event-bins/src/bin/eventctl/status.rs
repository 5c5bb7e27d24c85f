//! How much is where.

use std::collections::BTreeMap;
use std::fmt;

use std::time::Duration;

use event_aws::{Aws, S3Store, SqsQueue, age_of_oldest};
use event_core::{Depth, ListRequest, ObjectStore, Queue, Result};
use serde::Serialize;

use crate::Status;

/// What is on the queues and in the bucket; as JSON, one object with these names.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    queue: QueueReport,
    /// None if the queue has no dead-letter queue.
    dead_letters: Option<QueueReport>,
    /// None if no bucket was named.
    bucket: Option<BucketReport>,
}

#[derive(Debug, Serialize)]
struct QueueReport {
    name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    /// In seconds, as CloudWatch knew it some minutes ago; null where it does not.
    oldest_s: Option<u64>,
}

#[derive(Debug, Serialize)]
struct BucketReport {
    name: String,
    /// By what stands before the name of the object: `event_type=sale_event/dt=2026_11_22`.
    events: BTreeMap<String, Objects>,
    /// As above, for the layout of one object for each event: `reason=bad_msg`, an object for each
    /// message; and for that of many: `dt=2026_11_24`, the day on which the queue accepted the
    /// messages in its objects.
    quarantine: BTreeMap<String, Objects>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Objects {
    objects: u64,
    bytes: u64,
}

pub(crate) async fn look(aws: &Aws, args: &Status) -> Result<Report> {
    let queue = args.queue.connect(aws).await?;
    let dead_letters = match queue.dead_letters().await? {
        Some(dead_letters) => Some(queue_report(aws, &dead_letters).await?),
        None => None,
    };
    let bucket = match &args.store_events_bkt {
        Some(bucket) => {
            let store = S3Store::new(aws, bucket);
            Some(BucketReport {
                name: bucket.clone(),
                events: partitions(&store, format!("{}/", args.s3_prefix.prefix())).await?,
                quarantine: partitions(&store, args.s3_prefix.quarantine_root()).await?,
            })
        }
        None => None,
    };
    Ok(Report { queue: queue_report(aws, &queue).await?, dead_letters, bucket })
}

async fn queue_report(aws: &Aws, queue: &SqsQueue) -> Result<QueueReport> {
    let Depth { visible, in_flight, delayed, .. } = queue.depth().await?;
    let oldest = oldest(aws, queue.name()).await;
    let name = queue.name().to_owned();
    Ok(QueueReport { name, visible, in_flight, delayed, oldest_s: oldest.map(|age| age.as_secs()) })
}

/// The rest is worth telling where CloudWatch may not be asked, or is not there.
async fn oldest(aws: &Aws, queue: &str) -> Option<Duration> {
    age_of_oldest(aws, queue).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "the age of the oldest message is not known");
        None
    })
}

/// Counts what is below a prefix, page by page: a listing of a million objects is a thousand
/// requests, and only the counts are kept.
async fn partitions(store: &impl ObjectStore, prefix: String) -> Result<BTreeMap<String, Objects>> {
    let mut partitions: BTreeMap<String, Objects> = BTreeMap::new();
    let mut after = None;
    loop {
        let request = ListRequest { prefix: prefix.clone(), after, max: 1000 };
        let page = store.list(request).await?;
        for object in &page.objects {
            let path = object.key.strip_prefix(&prefix).unwrap_or(&object.key);
            let partition = path.rsplit_once('/').map_or("", |(partition, _)| partition);
            let counts = partitions.entry(partition.to_owned()).or_default();
            counts.objects += 1;
            counts.bytes += object.size;
        }
        after = page.objects.last().map(|object| object.key.clone());
        if !page.more || after.is_none() {
            return Ok(partitions);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue         {}", self.queue)?;
        match &self.dead_letters {
            Some(dead_letters) => write!(f, "\ndead letters  {dead_letters}")?,
            None => write!(f, "\ndead letters  none: the queue has no dead-letter queue")?,
        }
        if let Some(bucket) = &self.bucket {
            write!(f, "\nbucket        {}", bucket.name)?;
            write_objects(f, "events", &bucket.events)?;
            write_objects(f, "quarantine", &bucket.quarantine)?;
        }
        Ok(())
    }
}

impl fmt::Display for QueueReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, visible, in_flight, delayed, oldest_s } = self;
        write!(f, "{name}: {visible} visible, {in_flight} in flight, {delayed} delayed, ")?;
        match oldest_s {
            Some(seconds) => write!(f, "the oldest {seconds} s old"),
            None => write!(f, "age of the oldest unknown"),
        }
    }
}

fn write_objects(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    partitions: &BTreeMap<String, Objects>,
) -> fmt::Result {
    let total = partitions.values().fold(Objects::default(), |sum, partition| Objects {
        objects: sum.objects + partition.objects,
        bytes: sum.bytes + partition.bytes,
    });
    write!(f, "\n{name:<12} {:>9} objects {:>12} bytes", total.objects, total.bytes)?;
    for (partition, Objects { objects, bytes }) in partitions {
        write!(f, "\n             {objects:>9} objects {bytes:>12} bytes  {partition}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use event_core::PutMode;
    use event_mem::MemStore;
    use event_tests::Meanwhile;

    use super::*;

    #[tokio::test]
    async fn every_page_of_a_listing_counts_however_short_it_is() {
        // As S3 may answer, however many are asked for.
        let store = Meanwhile::new(MemStore::default(), |_| Box::pin(async { Ok(()) })).page(2);
        for (key, body) in [
            ("p/_manifest.json", "1"),
            ("p/a/1", "22"),
            ("p/a/2", "333"),
            ("p/a/b/1", "4444"),
            ("p/c/1", "55555"),
            ("p2/c/1", "other"),
        ] {
            store.put(key, body.into(), PutMode::Create).await.unwrap();
        }
        let found = partitions(&store, "p/".to_owned()).await.unwrap();
        let found: Vec<_> =
            found.iter().map(|(name, of)| (&**name, of.objects, of.bytes)).collect();
        assert_eq!(found, [("", 1, 1), ("a", 2, 5), ("a/b", 1, 4), ("c", 1, 5)]);
        assert!(partitions(&store, "none/".to_owned()).await.unwrap().is_empty());
    }

    fn queue(name: &str, oldest_s: Option<u64>) -> QueueReport {
        QueueReport { name: name.to_owned(), visible: 1, in_flight: 20, delayed: 300, oldest_s }
    }

    fn report() -> Report {
        let of =
            |partition: &str, objects, bytes| (partition.to_owned(), Objects { objects, bytes });
        Report {
            queue: queue("orders", Some(77)),
            dead_letters: Some(queue("lost", None)),
            bucket: Some(BucketReport {
                name: "events-of-mine".to_owned(),
                events: [of("dt=1", 2, 30), of("dt=2", 5, 600)].into(),
                quarantine: [of("reason=bad_msg", 4, 9)].into(),
            }),
        }
    }

    #[test]
    fn a_person_reads_what_is_where() {
        let expected = "\
queue         orders: 1 visible, 20 in flight, 300 delayed, the oldest 77 s old
dead letters  lost: 1 visible, 20 in flight, 300 delayed, age of the oldest unknown
bucket        events-of-mine
events               7 objects          630 bytes
                     2 objects           30 bytes  dt=1
                     5 objects          600 bytes  dt=2
quarantine           4 objects            9 bytes
                     4 objects            9 bytes  reason=bad_msg";
        assert_eq!(report().to_string(), expected);
        let alone = Report { dead_letters: None, bucket: None, ..report() }.to_string();
        let none = "dead letters  none: the queue has no dead-letter queue";
        assert_eq!(alone.lines().skip(1).collect::<Vec<_>>(), [none]);
    }

    #[test]
    fn a_machine_reads_each_figure_under_its_name() {
        let queue = |name, oldest: serde_json::Value| {
            serde_json::json!({
                "name": name, "visible": 1, "in_flight": 20, "delayed": 300, "oldest_s": oldest
            })
        };
        let expected = serde_json::json!({
            "queue": queue("orders", 77.into()),
            "dead_letters": queue("lost", serde_json::Value::Null),
            "bucket": {
                "name": "events-of-mine",
                "events": {
                    "dt=1": {"objects": 2, "bytes": 30}, "dt=2": {"objects": 5, "bytes": 600}
                },
                "quarantine": {"reason=bad_msg": {"objects": 4, "bytes": 9}},
            },
        });
        assert_eq!(serde_json::json!(report()), expected);
    }
}
