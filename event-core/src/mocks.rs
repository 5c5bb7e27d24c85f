//! Mocks of the traits, for the tests of this crate.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mockall::mock;

use crate::batch::FlushReason;
use crate::error::{Error, Result};
use crate::handler::Outcome;
use crate::message::Message;
use crate::observe::Observer;
use crate::queue::{Delivery, Depth, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest};
use crate::reason::Reason;
use crate::store::{ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};

mock! {
    pub(crate) Queue {}

    #[async_trait]
    impl Queue for Queue {
        fn limits(&self) -> QueueLimits;
        async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>>;
        async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>>;
        async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>>;
        async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>>;
        async fn depth(&self) -> Result<Depth>;
    }
}

mock! {
    pub(crate) Store {}

    #[async_trait]
    impl ObjectStore for Store {
        async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome>;
        async fn get(&self, key: &str) -> Result<Option<Bytes>>;
        async fn head(&self, key: &str) -> Result<Option<ObjectMeta>>;
        async fn list(&self, request: ListRequest) -> Result<Page>;
        async fn delete(&self, keys: &[String]) -> Vec<Result<()>>;
    }
}

mock! {
    pub(crate) Observer {}

    impl Observer for Observer {
        fn sent(&self, messages: &[Message]);
        fn rejected(&self, message: &Message, reason: &Reason);
        fn received(&self, deliveries: &[Delivery]);
        fn held(&self, messages: usize, bytes: usize);
        fn flushed(&self, reason: FlushReason, messages: usize, bytes: usize);
        fn handled(&self, delivery: &Delivery, outcome: &Outcome);
        fn deleted(&self, messages: usize);
        fn delete_failed(&self, messages: usize);
        fn released(&self, messages: usize);
        fn retried(&self, error: &Error, entries: usize);
    }
}

/// A delivery of this message.
pub(crate) fn delivery(message: Message) -> Delivery {
    Delivery {
        message,
        id: MessageId::new("id"),
        receipt: Receipt::new("receipt"),
        receive_count: 1,
        sent_at: std::time::UNIX_EPOCH,
        event: None,
    }
}
