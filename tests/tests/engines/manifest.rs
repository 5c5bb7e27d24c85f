//! The manifest of a prefix: whoever makes it, all agree on one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::jiff::civil::date;
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::{
    BatchWriter, Compression, Error, ErrorKind, Handler, Layout, ObjectStore, PutMode, Result,
    Retail, Shutdown, StoreWriter,
};
use event_mem::MemStore;
use event_tests::{Faulty, Meanwhile};
use tokio::time::timeout;

use crate::log::deliveries;
use crate::support::{Log, body, keys, retry};

const KEY: &str = "store_events/_manifest.json";

async fn open(store: &impl ObjectStore, options: ManifestOptions) -> Result<Manifest> {
    Manifest::open(store, &Layout::default(), &options, &retry(), &Shutdown::never()).await
}

fn compression(compression: Compression) -> ManifestOptions {
    ManifestOptions { compression: Some(compression), ..ManifestOptions::default() }
}

/// What becomes of one who opens a prefix, where another opens it just before the request of this
/// number; none if there are not so many requests.
async fn race(
    number: u64,
    (one, other): (ManifestOptions, ManifestOptions),
) -> Option<[Result<Manifest>; 2]> {
    let mem = MemStore::new();
    let (result, inner) = (Arc::new(Mutex::new(None)), mem.clone());
    let theirs = Arc::clone(&result);
    let store = Meanwhile::new(mem, move |request| {
        let (theirs, inner, other) = (Arc::clone(&theirs), inner.clone(), other.clone());
        let now = request.number == number;
        Box::pin(async move {
            if now {
                *theirs.lock().unwrap() = Some(open(&inner, other).await);
            }
            Ok(())
        })
    });
    let ours = open(&store, one).await;
    let theirs = result.lock().unwrap().take()?;
    Some([ours, theirs])
}

#[tokio::test(start_paused = true)]
async fn two_that_open_a_new_prefix_at_once_have_one_manifest() {
    let mut raced = 0;
    while let Some([ours, theirs]) = race(raced, Default::default()).await {
        assert_eq!(ours.unwrap(), theirs.unwrap(), "before request {raced}");
        raced += 1;
    }
    // A look, a listing, a put, a look, and a put that must fail.
    assert!(raced >= 5, "{raced}");
}

/// Whichever of them comes second is refused, and told both values.
#[tokio::test(start_paused = true)]
async fn of_two_that_open_a_new_prefix_with_other_settings_one_is_refused() {
    let mut raced = 0;
    let options = || (compression(Compression::None), compression(Compression::Zstd));
    while let Some(outcomes) = race(raced, options()).await {
        let [opened, refused] = match outcomes {
            [Ok(ours), Err(theirs)] => {
                [ours.compression().unwrap().to_string(), theirs.to_string()]
            }
            [Err(ours), Ok(theirs)] => {
                [theirs.compression().unwrap().to_string(), ours.to_string()]
            }
            both => panic!("before request {raced}: {both:?}"),
        };
        for part in
            [KEY, "compression", "\"none\"", "\"zstd\"", &format!("says compression \"{opened}\"")]
        {
            assert!(refused.contains(part), "before request {raced}: {refused}");
        }
        raced += 1;
    }
    assert!(raced >= 5, "{raced}");
}

/// Between the look at the manifest and that at the data another may have made both.
#[tokio::test(start_paused = true)]
async fn a_manifest_that_came_with_its_data_is_read() {
    let mem = MemStore::new();
    let inner = mem.clone();
    let store = Meanwhile::new(mem.clone(), move |request| {
        let (inner, is_listing) = (inner.clone(), request.operation == "list");
        Box::pin(async move {
            if is_listing {
                open(&inner, ManifestOptions::default()).await?;
                let key = "store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson.zst";
                inner.put(key, "x".into(), PutMode::Create).await?;
            }
            Ok(())
        })
    });
    let opened = open(&store, ManifestOptions::default()).await.unwrap();
    assert_eq!(opened, open(&mem, ManifestOptions::default()).await.unwrap());
}

/// What is given must be what the prefix has, and what is not given may be anything.
#[tokio::test(start_paused = true)]
async fn a_setting_that_differs_is_refused_with_both_values() {
    let of = |layout, least_days_kept| ManifestOptions {
        layout: Some(layout),
        least_days_kept: Some(least_days_kept),
        ..ManifestOptions::default()
    };
    for (layout, other) in
        [(ObjectLayout::Batch, ObjectLayout::Event), (ObjectLayout::Event, ObjectLayout::Batch)]
    {
        let mem = MemStore::new();
        let made = open(&mem, of(layout, 7)).await.unwrap();
        assert_eq!((made.layout(), made.least_days_kept()), (layout, 7));
        assert_eq!(open(&mem, of(layout, 7)).await.unwrap(), made);
        assert_eq!(open(&mem, ManifestOptions::default()).await.unwrap(), made);
        let default_layout =
            ManifestOptions { default_layout: other, ..ManifestOptions::default() };
        assert_eq!(open(&mem, default_layout).await.unwrap(), made);
        for (given, setting, there, differs) in [
            (of(other, 7), "layout", layout.to_string(), other.to_string()),
            (of(layout, 8), "least_days_kept", "7".to_owned(), "8".to_owned()),
        ] {
            let error = open(&mem, given).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let told = format!("says {setting} \"{there}\", and \"{differs}\" was given");
            assert!(error.to_string().contains(&told), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_day_is_kept_less_than_two_days() {
    for (least_days_kept, is_taken) in [(0, false), (1, false), (2, true), (3, true)] {
        let mem = MemStore::new();
        let least_days_kept = Some(least_days_kept);
        let options = ManifestOptions { least_days_kept, ..ManifestOptions::default() };
        let opened = open(&mem, options).await;
        assert_eq!(opened.is_ok(), is_taken, "{opened:?}");
        assert_eq!(keys(&mem, "").await.len(), usize::from(is_taken));
    }
}

/// It may have been moved to another service since the prefix was made.
#[tokio::test(start_paused = true)]
async fn a_store_that_overwrites_is_found_out_by_whoever_opens_a_prefix_that_is_there() {
    let mem = MemStore::new();
    open(&mem, ManifestOptions::default()).await.unwrap();
    let inner = mem.clone();
    // What is there is gone by the time that it is created again.
    let store = Meanwhile::new(mem, move |request| {
        let (inner, key) = (inner.clone(), request.key.to_owned());
        let is_put = request.operation == "put";
        Box::pin(async move {
            if is_put {
                inner.delete(&[key]).await.remove(0)?;
            }
            Ok(())
        })
    });
    let error = open(&store, ManifestOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("create-only"), "{error}");
}

/// A person waits for it; a consumer with messages would try again.
#[tokio::test(start_paused = true)]
async fn a_prefix_that_cannot_be_read_is_told_at_once_to_whoever_opens_it() {
    for operation in ["get", "list", "put"] {
        let denied = || {
            Arc::new(Faulty::new(MemStore::new(), move |call| {
                let fails = call.operation == operation;
                fails.then(|| Error::new(ErrorKind::Denied, operation, "on purpose"))
            }))
        };
        let (layout, schema) = (Layout::default(), Arc::new(Retail::default()));
        let batches = BatchWriter::new(denied(), layout.clone(), schema.clone()).retry(retry());
        let single = StoreWriter::new(denied(), layout, schema).retry(retry());
        let never = Shutdown::never();
        let opened = async { [batches.open(&never).await, single.open(&never).await] };
        for opened in timeout(Duration::from_secs(3600), opened).await.expect(operation) {
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::Denied, "{operation}");
        }
    }
}

/// A writer that is given the manifest asks for nothing; one that is not, once.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_read_once_and_not_at_all_where_it_is_given() {
    let mem = MemStore::new();
    for layout in [ObjectLayout::Batch, ObjectLayout::Event] {
        let prefix = Layout::new(&layout.to_string()).unwrap();
        let options = ManifestOptions { layout: Some(layout), ..ManifestOptions::default() };
        let never = Shutdown::never();
        let made = Manifest::open(&mem, &prefix, &options, &retry(), &never).await.unwrap();
        for (given, expected) in [(Some(made), 0), (None, 1)] {
            let reads = Log::new();
            let read = reads.clone();
            let store = Arc::new(Meanwhile::new(mem.clone(), move |request| {
                if request.operation == "get" && request.key.ends_with("/_manifest.json") {
                    read.push(());
                }
                Box::pin(async { Ok(()) })
            }));
            let (prefix, schema) = (prefix.clone(), Arc::new(Retail::default()));
            let today = || date(2026, 11, 22);
            let writer: Arc<dyn Handler> = match (layout, given) {
                (ObjectLayout::Batch, given) => {
                    let writer = BatchWriter::new(store, prefix, schema).today(today);
                    Arc::new(match given {
                        Some(manifest) => writer.manifest(manifest),
                        None => writer,
                    })
                }
                (ObjectLayout::Event, given) => {
                    let writer = StoreWriter::new(store, prefix, schema).today(today);
                    Arc::new(match given {
                        Some(manifest) => writer.manifest(manifest),
                        None => writer,
                    })
                }
            };
            for id in ["a", "b"] {
                let batch = deliveries([body(id)]);
                writer.handle(&batch, &never).await;
            }
            assert_eq!(reads.entries().len(), expected, "{layout}");
        }
    }
}
