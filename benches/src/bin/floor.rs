//! The least that a client of SQS and S3 has to do: bare loops on the SDK, which look at nothing and
//! promise nothing. What a pod costs beyond them is what the project adds.
//!
//! The SDK is as it comes, with the behaviour version, the TLS library and the allocator of the pods.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::BehaviorVersion;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::{Parser, ValueEnum};
use event_benches::server::{BUCKET, QUEUE};
use event_benches::valid;
use event_bins as _; // for its allocator
use event_core::EventSource;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A bare loop on the SDK, on the queue and the bucket of the server of these benches.
#[derive(Debug, Parser)]
#[command(name = "floor", max_term_width = 100)]
struct Args {
    /// What to do with each event
    work: Work,

    /// Return after so many events
    #[arg(long, value_name = "N", default_value = "10000")]
    events: u64,

    /// Loops at once
    #[arg(long, value_name = "N", default_value = "8")]
    pollers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Receive tens and delete them
    ReceiveDelete,
    /// Receive tens, put each event, delete the ten
    ReceivePutDelete,
    /// Send tens
    Send,
}

/// Puts at once, as many as a consumer makes.
const PUTS: usize = 64;

/// A full batch.
const BATCH: u64 = 10;

/// As long as SQS waits.
const WAIT_SECONDS: i32 = 20;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args = Args::parse();
    let tls = Provider::Rustls(CryptoMode::Ring);
    let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(Builder::new().tls_provider(tls).build_https())
        .load()
        .await;
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    let url = sqs.get_queue_url().queue_name(QUEUE).send().await?.queue_url;
    let shared = Arc::new(Shared {
        sqs,
        s3: aws_sdk_s3::Client::from_conf(s3),
        url: url.ok_or("no queue")?,
        puts: Arc::new(Semaphore::new(PUTS)),
        asked: AtomicU64::new(0),
        done: AtomicU64::new(0),
        args,
    });
    let mut loops = JoinSet::new();
    for _ in 0..shared.args.pollers {
        loops.spawn(Arc::clone(&shared).work());
    }
    // The others may wait at an empty queue.
    while let Some(ended) = loops.join_next().await {
        ended??;
        if shared.done.load(Ordering::Relaxed) >= shared.args.events {
            break;
        }
    }
    Ok(())
}

struct Shared {
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    url: String,
    puts: Arc<Semaphore>,
    /// Events that loops have set out to send.
    asked: AtomicU64,
    done: AtomicU64,
    args: Args,
}

impl Shared {
    async fn work(self: Arc<Self>) -> Outcome<()> {
        match self.args.work {
            Work::Send => self.send().await,
            Work::ReceiveDelete | Work::ReceivePutDelete => self.consume().await,
        }
    }

    async fn consume(self: Arc<Self>) -> Outcome<()> {
        while self.done.load(Ordering::Relaxed) < self.args.events {
            let request = self.sqs.receive_message().queue_url(&self.url);
            // What any consumer of these events has to know.
            let answer = request
                .max_number_of_messages(10)
                .wait_time_seconds(WAIT_SECONDS)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .send()
                .await?;
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                continue;
            }
            let mut entries = Vec::with_capacity(messages.len());
            for (index, message) in messages.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entries.push(entry.set_receipt_handle(message.receipt_handle.clone()).build()?);
            }
            if self.args.work == Work::ReceivePutDelete {
                let mut puts = JoinSet::new();
                for message in messages {
                    puts.spawn(Arc::clone(&self).put(message));
                }
                while let Some(put) = puts.join_next().await {
                    put??;
                }
            }
            let deleted = entries.len() as u64;
            let request = self.sqs.delete_message_batch().queue_url(&self.url);
            request.set_entries(Some(entries)).send().await?;
            self.done.fetch_add(deleted, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn put(self: Arc<Self>, message: Message) -> Outcome<()> {
        let _permit = self.puts.acquire().await?;
        let key = format!("floor/{}.json", message.message_id.ok_or("no id")?);
        let body = message.body.ok_or("no body")?.into_bytes();
        let request = self.s3.put_object().bucket(BUCKET).key(key).if_none_match("*");
        // In a box, since the task that it is moved into is moved itself, 10 KB each time.
        Box::pin(request.body(ByteStream::from(body)).send()).await?;
        Ok(())
    }

    async fn send(self: Arc<Self>) -> Outcome<()> {
        let mut events = valid();
        while self.asked.fetch_add(BATCH, Ordering::Relaxed) < self.args.events {
            let mut entries = Vec::new();
            for (index, message) in events.next_batch(10).await?.into_iter().enumerate() {
                let mut entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(std::str::from_utf8(&message.body)?);
                for (name, value) in message.attributes.iter() {
                    let value = MessageAttributeValue::builder()
                        .data_type("String")
                        .set_string_value(value.as_text().map(str::to_owned));
                    entry = entry.message_attributes(name, value.build()?);
                }
                entries.push(entry.build()?);
            }
            let request = self.sqs.send_message_batch().queue_url(&self.url);
            request.set_entries(Some(entries)).send().await?;
            self.done.fetch_add(BATCH, Ordering::Relaxed);
        }
        Ok(())
    }
}
