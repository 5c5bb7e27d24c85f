//! A service that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers requests by their `X-Amz-Target`, or their method where there is none, and keeps them.
pub(crate) struct Service {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    paths: Arc<Mutex<Vec<String>>>,
}

pub(crate) type Answer = fn(&str) -> (u16, &'static str);

impl Service {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let paths: Arc<Mutex<Vec<String>>> = Arc::default();
        let logs = (Arc::clone(&asked), Arc::clone(&paths));
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), answer, (&logs.0, &logs.1));
            }
        });
        Self { url, asked, paths }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request, then the connection is closed.
type Log<'a> = &'a Mutex<Vec<String>>;

fn serve(mut stream: &TcpStream, answer: Answer, (log, paths): (Log<'_>, Log<'_>)) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        head.push_str(&line);
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let lower = head.to_lowercase();
    let target = lower.lines().find_map(|line| line.strip_prefix("x-amz-target: amazonsqs."));
    let method = head.split(' ').next().unwrap_or_default().to_lowercase();
    let asked = target.map_or(method, str::to_owned);
    let is_list = head.lines().next().is_some_and(|line| line.contains("list-type="));
    let asked = if is_list { "list".to_owned() } else { asked };
    let (status, body) = answer(&asked);
    paths.lock().unwrap().push(head.split(' ').nth(1).unwrap_or_default().to_owned());
    log.lock().unwrap().push(asked);
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

/// A queue, and a bucket in which nothing can be put.
pub(crate) fn queue_and_bucket(asked: &str) -> (u16, &'static str) {
    match asked {
        "getqueueurl" => (200, r#"{"QueueUrl": "http://127.0.0.1/000000000000/orders"}"#),
        "getqueueattributes" => (200, r#"{"Attributes": {"VisibilityTimeout": "30"}}"#),
        "put" => (501, ""),
        "get" => (404, "<Error><Code>NoSuchKey</Code></Error>"),
        "list" => (200, "<ListBucketResult></ListBucketResult>"),
        _ => (200, ""),
    }
}
