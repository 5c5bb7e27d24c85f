//! A pod as a process, with its HTTP port and its log.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::program;

/// Kubernetes gives up a probe after so long.
const PROBE: Duration = Duration::from_secs(5);

/// A pod with a port of its own, which ends with this.
pub(crate) struct Pod {
    child: Child,
    port: u16,
    log: JoinHandle<Vec<serde_json::Value>>,
}

impl Pod {
    /// A consumer without end; with at most so many descriptors, if there is a number.
    pub(crate) async fn start(address: SocketAddr, descriptors: Option<u32>) -> Self {
        let path = env!("CARGO_BIN_EXE_event-consumer");
        let mut consumer = match descriptors {
            None => program(path, address),
            Some(descriptors) => {
                let mut shell = program("/bin/sh", address);
                shell.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\""), path]);
                shell
            }
        };
        consumer.envs([
            ("TOT_MSGS_TO_PROCESS", "unlimited"),
            ("MAX_MSGS_PER_BATCH", "10"),
            ("MSG_POLL_BACKOFF", "0"),
            ("MSG_PROCESS_DELAY", "0"),
        ]);
        Self::of(consumer).await
    }

    pub(crate) async fn of(mut program: Command) -> Self {
        program.envs([("HTTP_PORT", "0"), ("LOG_FORMAT", "json")]);
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = ChildStderr::from_std(child.stderr.take().unwrap()).unwrap();
        let mut lines = BufReader::new(log).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("it ends before it serves probes");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let port = line["address"].as_str().and_then(|address| address.rsplit(':').next());
            if let Some(port) = port {
                break port.parse().unwrap();
            }
        };
        // What it logs must not stop it.
        let log = tokio::spawn(async move {
            let mut log = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                log.push(serde_json::from_str(&line).unwrap());
            }
            log
        });
        Self { child, port, log }
    }

    /// Tells it to stop; its exit status and all that it logged since it served its port.
    #[cfg(unix)]
    pub(crate) async fn stopped(mut self) -> (Option<i32>, Vec<serde_json::Value>) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        // Its log ends with it.
        let log = timeout(Duration::from_secs(60), &mut self.log).await.expect("it does not end");
        (self.child.wait().unwrap().code(), log.unwrap())
    }

    /// Waits until its metrics have this line; all of them.
    pub(crate) async fn scraped(&self, line: &str) -> String {
        let scraped = async {
            loop {
                let text = self.get("/metrics").await.1;
                if text.lines().any(|own| own == line) {
                    return text;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), scraped).await.unwrap_or_else(|_| panic!("no {line}"))
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Opens so many connections one after the other, of which as many are held as a process may
    /// have without asking for more, and sends this on each.
    pub(crate) async fn attack(&self, connections: usize, sent: &[u8]) -> VecDeque<TcpStream> {
        let mut held = VecDeque::new();
        for _ in 0..connections {
            let mut stream = self.connect().await;
            // One that was closed is no news, nor one that takes no more.
            let _ = timeout(Duration::from_secs(1), stream.write_all(sent)).await;
            held.push_back(stream);
            if held.len() > 500 {
                held.pop_front();
            }
        }
        held
    }

    /// Status and body, as a probe would get them in time.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = async {
            let mut stream = self.connect().await;
            let request = format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
        };
        timeout(PROBE, answer).await.unwrap_or_else(|_| panic!("{path} is not answered in time"))
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
