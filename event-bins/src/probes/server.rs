//! A small HTTP server that nobody can use up: it gives each connection one answer, and bounds how
//! long one takes, how much it sends, and how many there are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at once. One that comes beyond them takes the place of the oldest that has not
    /// asked anything yet: whoever holds connections keeps no probe from being answered.
    pub(super) connections: usize,
    /// How long a connection stays at least where others come, so that what it asks is read.
    pub(super) stay: Duration,
    /// From the start of a connection to the end of its request's head.
    pub(super) head: Duration,
    /// From the start of a connection to its end. Kubernetes and Prometheus have given up by then.
    pub(super) life: Duration,
}

/// The bytes of a request's head, at most; the least that hyper takes.
const HEAD_BYTES: usize = 8 * 1024;

/// After an error that another try would meet again, such as no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: connections(descriptors()),
            stay: Duration::from_millis(50),
            head: Duration::from_secs(5),
            life: Duration::from_secs(10),
        }
    }
}

/// An eighth of the descriptors: the others are for the work.
fn connections(descriptors: Option<usize>) -> usize {
    descriptors.map_or(32, |descriptors| (descriptors / 8).clamp(4, 32))
}

/// How many this process may have; none where Linux does not say.
fn descriptors() -> Option<usize> {
    soft_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

struct Connection {
    since: Instant,
    has_asked: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Once it was there for so long. Returns when its descriptor is free.
    async fn close(self, stay: Duration) {
        sleep_until(self.since + stay).await;
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Serves for ever.
pub(super) async fn serve<F, Fut>(listener: TcpListener, bounds: Bounds, answer: F)
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut open = VecDeque::new();
    let mut was_refused = false;
    loop {
        let accepted = listener.accept().await;
        open.retain(|connection: &Connection| !connection.task.is_finished());
        match accepted {
            Ok((stream, _)) => {
                was_refused = false;
                if open.len() >= bounds.connections
                    && let Some(oldest) = least_needed(&mut open)
                {
                    oldest.close(bounds.stay).await;
                }
                open.push_back(start(stream, bounds, answer.clone()));
            }
            // The client went away before it was its turn.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                if !was_refused {
                    tracing::warn!(%error, "no connection to the HTTP port can be taken");
                }
                // What is missing may be the descriptor that an idle one holds.
                if let Some(oldest) = least_needed(&mut open) {
                    oldest.close(bounds.stay).await;
                }
                if was_refused {
                    sleep(PAUSE).await;
                }
                was_refused = true;
            }
        }
    }
}

/// The oldest that has not asked yet, or the oldest of all.
fn least_needed(open: &mut VecDeque<Connection>) -> Option<Connection> {
    let idle = open.iter().position(|connection| !connection.has_asked.load(Ordering::Relaxed));
    open.remove(idle.unwrap_or_default())
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn start<F, Fut>(stream: TcpStream, bounds: Bounds, answer: F) -> Connection
where
    F: Fn(Request<Incoming>) -> Fut + Send + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let service = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let task = tokio::spawn(async move {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // What becomes of a client that hangs up or is too slow is its own business.
        let _ = timeout(bounds.life, connection).await;
    });
    Connection { since: Instant::now(), has_asked, task }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const LAX: Bounds = Bounds { connections: 3, stay: Duration::ZERO, head: LONG, life: LONG };

    /// `/wait` is answered never, all else at once.
    async fn started(bounds: Bounds) -> impl AsyncFn(&str) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, bounds, async |request: Request<Incoming>| {
            if request.uri().path() == "/wait" {
                std::future::pending::<()>().await;
            }
            Response::new(Full::new(Bytes::from_static(b"answered")))
        }));
        async move |sent: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            stream
        }
    }

    /// All that comes until the connection is closed.
    async fn end(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        // A reset is an end, too.
        let _ = timeout(LONG / 2, stream.read_to_end(&mut text)).await.expect("it is not closed");
        String::from_utf8(text).unwrap()
    }

    const HALF: &str = "GET / HTTP/1.1\r\nHost: pod\r\n";
    const WHOLE: &str = "GET / HTTP/1.1\r\nHost: pod\r\n\r\n";
    const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: pod\r\n\r\n";

    #[tokio::test]
    async fn one_answer_ends_a_connection() {
        let open = started(LAX).await;
        let answer = end(open(WHOLE).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("answered"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_in_time_or_is_too_long_ends_a_connection() {
        let open = started(Bounds { head: Duration::from_millis(20), ..LAX }).await;
        for sent in ["", HALF] {
            assert!(!end(open(sent).await).await.contains("answered"));
        }
        let open = started(LAX).await;
        let long = format!("{HALF}x: {}", "x".repeat(HEAD_BYTES));
        let answer = end(open(&long).await).await;
        assert!(!answer.contains("answered"), "{answer}");
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_ends_a_connection() {
        let open = started(Bounds { life: Duration::from_millis(20), ..LAX }).await;
        assert_eq!(end(open(WAIT).await).await, "");
    }

    #[tokio::test]
    async fn whoever_holds_connections_keeps_nobody_from_an_answer() {
        let open = started(LAX).await;
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(open(HALF).await);
            let answer = end(open(WHOLE).await).await;
            assert!(answer.ends_with("answered"), "{answer}");
        }
        let closed = held.len() - LAX.connections;
        for oldest in held.drain(..closed) {
            assert_eq!(end(oldest).await, "", "the oldest make room");
        }
    }

    #[tokio::test]
    async fn what_has_asked_stays_longer_than_what_has_not() {
        let open = started(LAX).await;
        let waiting = open(WAIT).await;
        let idle = open("").await;
        // All that were opened before were accepted before it is answered.
        assert!(end(open(WHOLE).await).await.ends_with("answered"));
        let others = [open("").await, open("").await];
        assert_eq!(end(idle).await, "");
        let closed = timeout(Duration::ZERO, waiting.readable()).await;
        assert!(closed.is_err(), "what has asked is closed before what has not");
        drop(others);
    }

    #[tokio::test]
    async fn a_connection_stays_long_enough_to_ask() {
        let open = started(Bounds { connections: 1, stay: LONG, ..LAX }).await;
        let mut first = open("").await;
        let other = open("").await;
        // Whoever would make room for the other one has done so by then.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        first.write_all(WHOLE.as_bytes()).await.unwrap();
        assert!(end(first).await.ends_with("answered"));
        drop(other);
    }

    #[tokio::test]
    async fn a_head_of_seven_kibibytes_is_read_and_one_of_nine_is_not() {
        let open = started(LAX).await;
        for (kibibytes, is_read) in [(7, true), (9, false)] {
            let long = format!("{HALF}x: {}\r\n\r\n", "x".repeat(kibibytes * 1024));
            let answer = end(open(&long).await).await;
            assert_eq!(answer.ends_with("answered"), is_read, "{kibibytes}: {answer}");
        }
    }

    #[test]
    fn a_request_has_five_seconds_and_its_answer_as_many_more() {
        let Bounds { head, life, .. } = Bounds::default();
        assert_eq!([head, life].map(|time| time.as_secs()), [5, 10]);
    }

    #[test]
    fn most_descriptors_are_for_the_work() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(soft_limit(""), None);
        assert_eq!(soft_limit("Max open files            unlimited            unlimited"), None);
        let most = [None, Some(1_048_576), Some(1024), Some(256), Some(255)].map(connections);
        assert_eq!(most, [32, 32, 32, 32, 31]);
        assert_eq!([Some(64), Some(40), Some(32), Some(20)].map(connections), [8, 5, 4, 4]);
    }
}
