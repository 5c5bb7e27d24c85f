//! Whether the books balance.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use event_aws::Aws;
use event_bins::aws::{QueueArgs, with_retries};
use event_bins::pod::Failure;
use event_core::maintain::{Audit, AuditReport, DateRange, Expected, ExpectedEvents, Verdict};
use event_core::{Depth, Error, EventSource, Queue, Result, Retail, Schema, Shutdown};
use event_mem::Replay;

use crate::stored::StoredArgs;
use crate::{answered, print};

/// What `--help` says of the exit status.
pub(crate) const EXIT_STATUS: &str = "Exit status: 0 if the books balance; 1 if a service failed, it was \
    told to stop, or the report could not be written; 2 if a setting is wrong, a bucket that is not there or may not be used included; 3 \
    if the books do not balance, or not yet, or nothing at all was found; 130 if it was told to stop twice.";

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    stored: StoredArgs,

    #[command(flatten)]
    queue: QueueArgs,

    /// So many different events were sent on these days
    #[arg(long, value_name = "N", conflicts_with = "sent_file", value_parser = count)]
    sent: Option<u64>,

    /// These events were sent: a file with a message, the body of one, or an identity on each
    /// line
    #[arg(long, value_name = "FILE")]
    sent_file: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a number of events, 0 to {}", u64::MAX))
}

impl AuditArgs {
    pub(crate) async fn run(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let wrong = |error: Error| Failure::at_start(&error);
        let dates = DateRange::new(self.stored.from, self.stored.to).map_err(wrong)?;
        // What is wrong with the file is told before anything is asked of a service.
        let retail: Arc<dyn Schema> = Arc::new(Retail::default());
        let mut sent = self.what_was_sent(&retail).await.map_err(wrong)?;
        let (aws, store) = self.stored.open().await.map_err(wrong)?;
        let schema = self.stored.schema(&store, shutdown).await?;
        if schema.settings() != retail.settings() {
            sent = self.what_was_sent(&schema).await.map_err(wrong)?;
        }
        let mut audit =
            Audit::new(store, self.stored.s3_prefix.clone(), schema).dates(dates).expected(sent);
        // Before the store is read, as the audit needs it.
        let depths = answered(with_retries(shutdown, || self.depths(&aws)).await)?;
        if let Some((queue, dead_letters)) = depths {
            audit = audit.queues(queue, dead_letters);
        }
        let report = audit.run(shutdown).await.map_err(wrong)?;
        let printed = match self.json {
            true => print(serde_json::json!(report)),
            false => print(Table(&report)),
        };
        match report.verdict {
            Verdict::Balanced => printed,
            verdict => Err(Failure::Stored(explained(verdict).to_owned())),
        }
    }

    async fn what_was_sent(&self, schema: &Arc<dyn Schema>) -> Result<Expected> {
        match (self.sent, &self.sent_file) {
            (Some(sent), _) => Ok(Expected::Count(sent)),
            (None, Some(file)) => sent_events(file, Arc::clone(schema)).await.map(Expected::Events),
            (None, None) => Ok(Expected::Unknown),
        }
    }

    /// How much is on the queue and in its dead-letter queue. The books can be audited without.
    async fn depths(&self, aws: &Aws) -> Result<Option<(Depth, Depth)>> {
        let depths = async {
            let queue = self.queue.connect(aws).await?;
            let depth = queue.depth().await?;
            let dead_letters = match queue.dead_letters().await? {
                Some(dead_letters) => dead_letters.depth().await?,
                None => Depth::default(),
            };
            Ok((depth, dead_letters))
        };
        known(depths.await)
    }
}

/// What no later try would tell is not known; the rest is an error, so that it is tried again.
fn known<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if Error::is_retryable(&error) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "what is on the queue is not known");
            Ok(None)
        }
    }
}

async fn sent_events(file: &Path, schema: Arc<dyn Schema>) -> Result<ExpectedEvents> {
    let name = file.display().to_string();
    let sent = Arc::new(Mutex::new((ExpectedEvents::new(schema), None)));
    let heard = Arc::clone(&sent);
    let mut lines = Replay::open(file)?.any_lines().inspect(move |number, message, fault| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (events, wrong) = &mut *heard;
        if fault.is_none() {
            events.add_message(message);
        } else if let Err(what) = add_line(events, &message.body) {
            wrong.get_or_insert((number, what));
        }
    });
    let wrong = |what: String| Error::invalid("sent-file", what);
    while !lines.next_batch(1000).await?.is_empty() {
        let heard = sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, what)) = &heard.1 {
            return Err(wrong(format!("{name} line {number}: {what}")));
        }
    }
    let events = sent.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
    if events.is_empty() {
        let what = "is empty: give a message, the body of one, or an identity on each line";
        return Err(wrong(format!("{name} {what}")));
    }
    Ok(events)
}

/// Of a line that is not a message.
fn add_line(events: &mut ExpectedEvents, line: &[u8]) -> Result<(), &'static str> {
    const NOTHING: &str = "give a message, the body of one, or an identity";
    const NOT_UTF8: &str = "this is not UTF-8: give a message, the body of one, or an identity";
    events.add_line(line).map_err(|_| if str::from_utf8(line).is_ok() { NOTHING } else { NOT_UTF8 })
}

fn explained(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Balanced => "the books balance",
        Verdict::Open => {
            "the books do not balance yet: what is missing may be on the queues; audit again once \
             they are empty"
        }
        Verdict::Unbalanced => "the books do not balance",
        Verdict::Empty => {
            "nothing at all was found on these days, neither stored nor in quarantine: look at \
             STORE_EVENTS_BKT, S3_PREFIX and the days; if nothing was sent, say so with --sent 0"
        }
    }
}

/// For people.
struct Table<'a>(&'a AuditReport);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let stored = &report.stored;
        writeln!(f, "days           {}", report.dates)?;
        match report.expected {
            Some(sent) => writeln!(f, "sent           {sent:>9} events")?,
            None => writeln!(
                f,
                "sent             unknown: the books are held against themselves alone"
            )?,
        }
        writeln!(
            f,
            "stored         {:>9} events in {} records, {} objects, {} partitions",
            stored.events, stored.records, stored.objects, stored.partitions
        )?;
        writeln!(f, "compacted      {:>9} objects", stored.compacted)?;
        writeln!(f, "quarantined    {:>9} events that are not stored", report.quarantined.events)?;
        for (reason, messages) in &report.quarantined.reasons {
            writeln!(f, "               {messages:>9} messages  reason={reason}")?;
        }
        for (name, depth) in
            [("dead letters", report.dead_lettered), ("on the way", report.on_the_way)]
        {
            match depth {
                Some(depth) => writeln!(f, "{name:<14} {depth:>9} messages")?,
                None => writeln!(f, "{name:<14}   unknown")?,
            }
        }
        writeln!(f, "missing        {:>9} events", report.missing)?;
        for (kind, count) in &report.counts {
            let note = if kind.is_fault() { "" } else { "  no fault in itself" };
            writeln!(f, "found          {count:>9} {kind}{note}")?;
        }
        for finding in &report.findings {
            writeln!(f, "  {finding}")?;
        }
        let balanced = report.verdict == Verdict::Balanced;
        let how = match report.expected {
            _ if balanced && report.missing > 0 => ", by the count of the dead letters",
            None if balanced => {
                " among themselves; --sent or --sent-file would show what is missing"
            }
            _ => "",
        };
        write!(f, "verdict        {}{how}", explained(report.verdict))
    }
}

#[cfg(test)]
mod tests {
    use event_core::maintain::{Finding, FindingKind};
    use event_core::{ErrorKind, Layout};
    use event_mem::MemStore;

    use super::*;

    #[test]
    fn a_queue_that_may_be_seen_by_a_later_try_is_tried_again() {
        let failed = |kind| known::<u8>(Err(Error::new(kind, "depth", "on purpose")));
        assert_eq!(known(Ok(7)).unwrap(), Some(7));
        for kind in [ErrorKind::Transient, ErrorKind::Throttled] {
            assert_eq!(failed(kind).unwrap_err().kind(), kind);
        }
        for kind in [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::Invalid] {
            assert_eq!(failed(kind).unwrap(), None, "{kind:?}");
        }
    }

    /// Of an empty store, and then with a figure of its own in every place.
    async fn report() -> AuditReport {
        let schema: Arc<dyn Schema> = Arc::new(Retail::default());
        let audit = Audit::new(Arc::new(MemStore::default()), Layout::default(), schema);
        let mut report = audit.run(&Shutdown::never()).await.unwrap();
        report.verdict = Verdict::Unbalanced;
        report.expected = Some(1);
        report.stored.events = 2;
        report.stored.records = 3;
        report.stored.objects = 4;
        report.stored.partitions = 5;
        report.stored.compacted = 6;
        report.quarantined.events = 7;
        report.quarantined.reasons = [("bad_msg".to_owned(), 8), ("panicked".to_owned(), 9)].into();
        report.dead_lettered = Some(10);
        report.on_the_way = Some(11);
        report.missing = 12;
        report.counts = [(FindingKind::Missing, 13), (FindingKind::Duplicate, 14)].into();
        let (kind, what) = (FindingKind::Duplicate, "twice".to_owned());
        report.findings = vec![Finding { kind, keys: vec!["a".to_owned(), "b".to_owned()], what }];
        report
    }

    #[tokio::test]
    async fn a_person_reads_every_figure_in_its_place() {
        let expected = "\
days           all
sent                   1 events
stored                 2 events in 3 records, 4 objects, 5 partitions
compacted              6 objects
quarantined            7 events that are not stored
                       8 messages  reason=bad_msg
                       9 messages  reason=panicked
dead letters          10 messages
on the way            11 messages
missing               12 events
found                 13 missing  no fault in itself
found                 14 duplicate
  duplicate: twice a b
verdict        the books do not balance";
        assert_eq!(Table(&report().await).to_string(), expected);
    }

    #[tokio::test]
    async fn what_is_not_known_is_told_and_so_is_how_the_books_balance() {
        let mut report = report().await;
        let last = |report: &AuditReport| {
            let text = Table(report).to_string();
            text.lines().last().unwrap().trim_start_matches("verdict").trim().to_owned()
        };
        report.verdict = Verdict::Balanced;
        let dead_letters = "the books balance, by the count of the dead letters";
        assert_eq!(last(&report), dead_letters);
        report.missing = 0;
        assert_eq!(last(&report), "the books balance");
        (report.expected, report.dead_lettered, report.on_the_way) = (None, None, None);
        let alone =
            "the books balance among themselves; --sent or --sent-file would show what is missing";
        assert_eq!(last(&report), alone);
        let text = Table(&report).to_string();
        for line in [
            "sent             unknown: the books are held against themselves alone",
            "dead letters     unknown",
            "on the way       unknown",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
        }
        report.verdict = Verdict::Open;
        assert!(last(&report).starts_with("the books do not balance yet: "));
        report.verdict = Verdict::Empty;
        assert!(last(&report).starts_with("nothing at all was found"));
    }
}
