//! What an interrupt does: the first drains, the second gives up what is not drained, the third ends
//! at once.

use std::future::pending;
use std::io;
use std::time::Duration;

use event_core::ShutdownTrigger;
use event_local::output::complain;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::sleep;

/// What the time from an interrupt to the end is spent on, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grace {
    /// Sending what was taken, and handling what was sent.
    pub(crate) draining: Duration,
    /// Ending what still runs then.
    pub(crate) giving_back: Duration,
}

impl Grace {
    pub(crate) fn of(all: Duration) -> Self {
        let draining = all * 4 / 5;
        Self { draining, giving_back: all - draining }
    }
}

/// Something for each SIGINT and SIGTERM from now on: handlers are in place when this returns, so
/// that one that comes before anybody listens ends nothing.
#[cfg(unix)]
pub(crate) fn signals() -> io::Result<UnboundedReceiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if tell.send(()).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

/// Something for each Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn signals() -> io::Result<UnboundedReceiver<()>> {
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(
        async move { while tokio::signal::ctrl_c().await.is_ok() && tell.send(()).is_ok() {} },
    );
    Ok(told)
}

/// Longer than it takes to give back what is held; whoever interrupts once more means it.
const SPARE: Duration = Duration::from_secs(5);

/// Stops the producers at the first interrupt, and the consumers at the second or once the grace
/// for draining is over. When this returns, what still runs is to be ended by force.
pub(crate) async fn drain(
    mut interrupts: UnboundedReceiver<()>,
    grace: Grace,
    producers: ShutdownTrigger,
    consumers: ShutdownTrigger,
) {
    let mut interrupted = async || {
        if interrupts.recv().await.is_none() {
            pending::<()>().await;
        }
    };
    interrupted().await;
    complain("event-local: draining; interrupt again to stop at once");
    producers.shutdown();
    tokio::select! {
        () = interrupted() => {}
        () = sleep(grace.draining) => {
            let text = "event-local: not drained within";
            complain(format_args!("{text} {:?}: stopping (--shutdown-grace-secs)", grace.draining));
        }
    }
    consumers.shutdown();
    tokio::select! {
        () = interrupted() => {}
        () = sleep(grace.giving_back + SPARE) => {}
    }
}

#[cfg(test)]
mod tests {
    use event_core::Shutdown;
    use tokio::time::{Instant, advance, timeout};

    use super::*;

    const GRACE: Grace =
        Grace { draining: Duration::from_secs(20), giving_back: Duration::from_secs(5) };

    #[test]
    fn most_of_the_grace_is_for_draining_and_none_of_it_is_lost() {
        assert_eq!(Grace::of(Duration::from_secs(25)), GRACE);
        let short = Grace::of(Duration::from_millis(1));
        assert_eq!(short.draining + short.giving_back, Duration::from_millis(1));
    }

    /// A program without a handler would be ended by it here, and with it this test.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_signal_before_anybody_listens_is_heard() {
        for signal in ["-INT", "-TERM"] {
            let mut told = signals().unwrap();
            let id = std::process::id().to_string();
            let kill = std::process::Command::new("kill").args([signal, &id]).status();
            assert!(kill.unwrap().success());
            assert_eq!(told.recv().await, Some(()), "{signal}");
        }
    }

    /// After so many seconds each: when producers and consumers were stopped, and when it was over.
    async fn stopped_after(interrupts: &[u64]) -> [u64; 3] {
        let (tell, told) = mpsc::unbounded_channel();
        let (stop_producers, producers) = Shutdown::new();
        let (stop_consumers, consumers) = Shutdown::new();
        let start = Instant::now();
        let times = interrupts.to_vec();
        tokio::spawn(async move {
            for second in times {
                tokio::time::sleep_until(start + Duration::from_secs(second)).await;
                tell.send(()).unwrap();
            }
            // As of a process that hears no more.
            pending::<()>().await;
        });
        let seconds = async |shutdown: Shutdown| {
            shutdown.requested().await;
            start.elapsed().as_secs()
        };
        let over = async {
            drain(told, GRACE, stop_producers, stop_consumers).await;
            start.elapsed().as_secs()
        };
        let all = async { tokio::join!(seconds(producers), seconds(consumers), over) };
        let (producers, consumers, over) =
            timeout(Duration::from_secs(3600), all).await.expect("one is not stopped");
        [producers, consumers, over]
    }

    #[tokio::test(start_paused = true)]
    async fn one_interrupt_drains_for_its_grace_and_each_more_ends_a_part_of_it() {
        assert_eq!(stopped_after(&[3]).await, [3, 23, 33]);
        assert_eq!(stopped_after(&[3, 4]).await, [3, 4, 14]);
        assert_eq!(stopped_after(&[3, 4, 6]).await, [3, 4, 6]);
        assert_eq!(stopped_after(&[3, 24]).await, [3, 23, 24]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interrupt_nothing_is_stopped() {
        let (_tell, told) = mpsc::unbounded_channel();
        let (stop, stopped) = Shutdown::new();
        tokio::spawn(drain(told, GRACE, stop.clone(), stop));
        advance(Duration::from_secs(86_400)).await;
        tokio::task::yield_now().await;
        assert!(!stopped.is_requested());
    }
}
