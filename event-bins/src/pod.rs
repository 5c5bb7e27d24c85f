//! How a pod runs: the settings that both have, signals, and what the exit status says.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Command, Parser};
use event_core::{Error, ErrorKind, Observer, Shutdown};
use event_local::logs::LogArgs;
use event_local::output::complain;
use event_local::{cli, variables};

use crate::health::{Liveness, Readiness};
use crate::metrics::Metrics;
use crate::probes::{ProbeArgs, Probes};
use crate::signals;

/// How a pod ends, and how it is watched.
#[derive(Clone, Debug, Args)]
pub struct PodArgs {
    /// From the signal to stop to the end, in seconds, at most; less than the
    /// terminationGracePeriodSeconds of the pod, and no more than 3600
    #[arg(long, value_name = "SECONDS", env = "SHUTDOWN_GRACE_SECS", default_value = "25",
          value_parser = cli::grace)]
    pub shutdown_grace_secs: Duration,

    /// The HTTP port.
    #[command(flatten)]
    pub probes: ProbeArgs,

    /// The logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

/// A pod whose probes are served.
pub struct Watched {
    /// To be told what the pod needs once that is there.
    pub readiness: Arc<Readiness>,
    /// To hear of everything that the engine does.
    pub observer: Arc<dyn Observer>,
}

impl PodArgs {
    /// Serves the probes of a pod that by its settings pauses at most for so long between two
    /// requests.
    ///
    /// # Errors
    ///
    /// The port cannot be had.
    pub async fn watch(
        &self,
        (metrics, counts): (Metrics, impl Observer),
        longest_pause: Duration,
        shutdown: &Shutdown,
    ) -> Result<Watched, Failure> {
        let (liveness, observer) = observed(counts, longest_pause);
        let readiness = Arc::new(Readiness::new(shutdown.clone()));
        let probes = Probes { liveness, readiness: readiness.clone(), metrics };
        self.probes.serve(probes).await.map_err(Failure::Setting)?;
        Ok(Watched { readiness, observer })
    }
}

/// What the engine does is counted, and a sign of life.
fn observed(counts: impl Observer, longest_pause: Duration) -> (Arc<Liveness>, Arc<dyn Observer>) {
    let liveness = Arc::new(Liveness::new(longest_pause));
    let observers: Vec<Arc<dyn Observer>> = vec![Arc::new(counts), liveness.clone()];
    (liveness, Arc::new(observers))
}

/// What `--help` says of the exit status.
pub const EXIT_STATUS: &str = "Exit status: 0 if its work is done, or it was told to stop and has \
    no total; 1 if a service failed, or what was asked for could not be written; 2 if a setting is \
    wrong, a queue or bucket that is not there or may not be used included, or lines of the input \
    are; 4 if it was told to stop before its total was reached; 130 if it was told to stop twice.";

/// Why a program ends before its work is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A setting is wrong: nothing was received or sent.
    Setting(String),
    /// A service failed.
    Service(String),
    /// What is stored is not as it should be: the books do not balance, or something is damaged.
    Stored(String),
    /// It was told to stop before its work was done.
    Stopped(String),
    /// A queue or a bucket is not as wanted, and nothing was changed.
    Differs(String),
}

impl Failure {
    /// An error before any message was touched. What no later try would heal is a wrong setting.
    pub fn at_start(error: &Error) -> Self {
        if error.is_retryable() {
            Self::Service(variables::in_settings(error))
        } else {
            Self::Setting(variables::in_settings(error))
        }
    }

    /// An error of an engine, which refuses options that cannot work before it starts.
    pub fn of_engine(error: &Error) -> Self {
        match error.kind() {
            // A message of the input that no queue takes is wrong input, too.
            ErrorKind::Invalid | ErrorKind::TooLarge => {
                Self::Setting(variables::in_settings(error))
            }
            _ => Self::Service(variables::in_settings(error)),
        }
    }
}

/// Runs an engine where its requests run. On the thread that waits for the program's end each of
/// them would have to wake that thread.
///
/// # Errors
///
/// What the engine ends with.
pub async fn engine<R: Send + 'static>(
    run: impl Future<Output = Result<R, Error>> + Send + 'static,
) -> Result<R, Failure> {
    match tokio::spawn(run).await {
        Ok(ended) => ended.map_err(|error| Failure::of_engine(&error)),
        Err(error) => Err(Failure::Service(format!("the engine broke: {error}"))),
    }
}

/// Runs a program with its arguments until it ends or a signal ends it.
pub fn main<A, F>(run: impl FnOnce(A, Shutdown) -> F) -> ExitCode
where
    A: Parser + AsRef<LogArgs>,
    F: Future<Output = Result<(), Failure>>,
{
    main_as(&A::command(), run)
}

/// The same for a program whose command is A's under another name.
pub fn main_as<A, F>(command: &Command, run: impl FnOnce(A, Shutdown) -> F) -> ExitCode
where
    A: Parser + AsRef<LogArgs>,
    F: Future<Output = Result<(), Failure>>,
{
    let program = command.get_name().to_owned();
    let wrong = |text: String| {
        complain(format_args!("{program}: {text}"));
        ExitCode::from(2)
    };
    let args = match cli::read_as::<A>(command) {
        Ok(args) => args,
        Err(text) => return wrong(text),
    };
    let logs = args.as_ref().clone();
    if let Err(text) = logs.start() {
        return wrong(text);
    }
    variables::warn_of_misspelt(command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return wrong(format!("the runtime does not start: {error}")),
    };
    let ended = runtime.block_on(async {
        let shutdown = signals::shutdown()
            .map_err(|error| Failure::Service(format!("signals cannot be handled: {error}")))?;
        run(args, shutdown).await
    });
    // What still runs has no say any more: probes, a read of standard input.
    runtime.shutdown_background();
    let (text, status) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Service(text)) => (text, 1),
        Err(Failure::Setting(text)) => (text, 2),
        Err(Failure::Stored(text)) => (text, 3),
        Err(Failure::Stopped(text)) => (text, 4),
        Err(Failure::Differs(text)) => (text, 5),
    };
    logs.last_words(&program, &text);
    ExitCode::from(status)
}

/// The end of a pod that was told to stop after so many messages. Of a total that is a number the
/// work is not done before it is reached, so that a job is not taken for complete that was
/// interrupted; without one there is no more to do.
///
/// # Errors
///
/// [`Failure::Stopped`] below the total; `setting` is what set it.
pub fn stopped(done: u64, total: Option<u64>, setting: &str) -> Result<(), Failure> {
    match total {
        Some(total) if done < total => Err(Failure::Stopped(format!(
            "told to stop after {done} of {total} messages ({setting})"
        ))),
        _ => Ok(()),
    }
}

/// What this ends with; nothing if `shutdown` is requested before.
pub async fn unless_stopped<T>(shutdown: &Shutdown, run: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = shutdown.requested() => None,
        ended = run => Some(ended),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::advance;

    use super::*;

    #[test]
    fn a_total_that_is_a_number_is_work_to_be_done() {
        let stopped = |done, total| stopped(done, total, "TOT_MSGS_TO_PROCESS");
        assert_eq!(stopped(0, None), Ok(()));
        assert_eq!([stopped(10, Some(10)), stopped(11, Some(10))], [Ok(()), Ok(())]);
        for done in [0, 9] {
            let text = format!("told to stop after {done} of 10 messages (TOT_MSGS_TO_PROCESS)");
            assert_eq!(stopped(done, Some(10)), Err(Failure::Stopped(text)));
        }
    }

    #[tokio::test]
    async fn a_stop_ends_what_a_pod_waits_for_at_its_start() {
        let (stop, shutdown) = Shutdown::new();
        assert_eq!(unless_stopped(&shutdown, async { 7 }).await, Some(7));
        stop.shutdown();
        assert_eq!(unless_stopped(&shutdown, std::future::pending::<u8>()).await, None);
        // Nor is begun what would be there at once.
        for _ in 0..20 {
            assert_eq!(unless_stopped(&shutdown, async { 7 }).await, None);
        }
    }

    struct Deleted(Arc<AtomicUsize>);

    impl Observer for Deleted {
        fn deleted(&self, messages: usize) {
            self.0.fetch_add(messages, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_engine_does_is_counted_and_a_sign_of_life_after_the_longest_pause() {
        let deleted = Arc::new(AtomicUsize::new(0));
        let counts = Deleted(Arc::clone(&deleted));
        let (liveness, observer) = observed(counts, Duration::from_secs(500));
        advance(Duration::from_secs(580)).await;
        assert_eq!(liveness.check(), Ok(()));
        advance(Duration::from_secs(20)).await;
        assert!(liveness.check().is_err());
        observer.deleted(3);
        assert_eq!((liveness.check(), deleted.load(Ordering::Relaxed)), (Ok(()), 3));
    }

    /// Whoever sends it work must know.
    #[tokio::test]
    async fn a_pod_that_is_told_to_stop_is_not_ready() {
        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            pod: PodArgs,
        }
        let pod = Program::try_parse_from(["program"]).unwrap().pod;
        let region = Some("us-east-1".to_owned());
        let aws = event_aws::AwsOptions { region, endpoint: None }.load().await.unwrap();
        let (stop, shutdown) = Shutdown::new();
        let watched =
            pod.watch(crate::metrics::ProducerMetrics::new(&aws), Duration::ZERO, &shutdown);
        let readiness = watched.await.map(|watched| watched.readiness).ok().unwrap();
        assert_eq!(readiness.check().await, Err("starting".to_owned()));
        stop.shutdown();
        assert_eq!(readiness.check().await, Err("draining".to_owned()));
    }

    #[tokio::test]
    async fn an_engine_ends_with_its_report_its_error_or_its_panic() {
        assert_eq!(engine(async { Ok(7) }).await, Ok(7));
        let failed = async { Err::<u8, _>(Error::invalid("run", "on purpose")) };
        assert_eq!(engine(failed).await, Err(Failure::Setting("run: on purpose".to_owned())));
        let broke = engine::<u8>(async { panic!("on purpose") }).await;
        assert!(matches!(broke, Err(Failure::Service(text)) if text.contains("the engine broke")));
    }

    #[test]
    fn what_no_try_would_heal_is_a_wrong_setting() {
        let error = |kind| Error::new(kind, "connect", "on purpose");
        let at_start = |kind| Failure::at_start(&error(kind));
        assert!(matches!(at_start(ErrorKind::NotFound), Failure::Setting(_)));
        assert!(matches!(at_start(ErrorKind::Denied), Failure::Setting(_)));
        assert!(matches!(at_start(ErrorKind::Invalid), Failure::Setting(_)));
        for kind in
            [ErrorKind::Unknown, ErrorKind::Transient, ErrorKind::Throttled, ErrorKind::Ambiguous]
        {
            assert!(matches!(at_start(kind), Failure::Service(_)), "{kind:?}");
        }
        let later = |kind| Failure::of_engine(&error(kind));
        for kind in [ErrorKind::Invalid, ErrorKind::TooLarge] {
            assert!(matches!(later(kind), Failure::Setting(_)), "{kind:?}");
        }
        for kind in [ErrorKind::NotFound, ErrorKind::Denied, ErrorKind::Transient] {
            assert!(matches!(later(kind), Failure::Service(_)), "{kind:?}");
        }
    }
}
