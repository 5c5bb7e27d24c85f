//! Mistakes in what is accepted and what arrives.

use event_core::{
    AttributeValue, Attributes, Delivery, Error, ErrorKind, Message, MessageId, Queue,
    ReceiveRequest, Result, async_trait,
};

use super::{Mistake, expect};

#[derive(Default)]
struct OneOutcomeTooFew;
#[async_trait]
impl Mistake for OneOutcomeTooFew {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        let mut outcomes = queue.send(batch).await;
        if outcomes.len() > 4 {
            outcomes.pop();
        }
        outcomes
    }
}

#[test]
fn a_send_that_answers_one_outcome_too_few_is_caught() {
    expect::<OneOutcomeTooFew>(&[
        "send_reports_each_entry",
        "send_refuses_a_batch_over_the_limits",
        "messages_survive_as_they_are",
        "receive_keeps_to_its_maximum",
        "competing_receivers_share_without_overlap",
    ]);
}

#[derive(Default)]
struct OutcomesInAnotherOrder;
#[async_trait]
impl Mistake for OutcomesInAnotherOrder {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        let mut outcomes = queue.send(batch).await;
        if outcomes.len() > 4 {
            outcomes.swap(0, 1);
        }
        outcomes
    }
}

#[test]
fn a_send_that_swaps_outcomes_is_caught() {
    expect::<OutcomesInAnotherOrder>(&["send_reports_each_entry"]);
}

#[derive(Default)]
struct DropsTheLastEntry;
#[async_trait]
impl Mistake for DropsTheLastEntry {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        let full = batch.len() == queue.limits().batch_entries;
        let (sent, dropped) = batch.split_at(batch.len() - usize::from(full));
        let mut outcomes = queue.send(sent).await;
        outcomes.extend(dropped.iter().map(|_| Ok(MessageId::new("dropped"))));
        outcomes
    }
}

#[test]
fn a_send_that_drops_the_last_entry_of_a_full_batch_is_caught() {
    expect::<DropsTheLastEntry>(&[
        "send_reports_each_entry",
        "receive_keeps_to_its_maximum",
        "competing_receivers_share_without_overlap",
    ]);
}

#[derive(Default)]
struct OneSpoilsAll;
#[async_trait]
impl Mistake for OneSpoilsAll {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        let most = queue.limits().message_bytes;
        if batch.iter().any(|message| message.size() > most) {
            let error = Error::new(ErrorKind::TooLarge, "send", "one is too large");
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        queue.send(batch).await
    }
}

#[test]
fn a_send_that_refuses_a_batch_for_one_entry_is_caught() {
    expect::<OneSpoilsAll>(&["send_reports_each_entry", "send_refuses_what_is_too_large"]);
}

#[derive(Default)]
struct SendsWhatFits;
#[async_trait]
impl Mistake for SendsWhatFits {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        let mut outcomes = Vec::new();
        for message in batch {
            outcomes.extend(queue.send(std::slice::from_ref(message)).await);
        }
        outcomes
    }
}

#[test]
fn a_send_that_takes_a_batch_over_the_limits_is_caught() {
    expect::<SendsWhatFits>(&["send_refuses_a_batch_over_the_limits"]);
}

#[derive(Default)]
struct LosesAttributes;
#[async_trait]
impl Mistake for LosesAttributes {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let mut deliveries = queue.receive(request).await?;
        for delivery in &mut deliveries {
            delivery.message.attributes = Attributes::default();
        }
        Ok(deliveries)
    }
}

#[test]
fn a_queue_that_loses_attributes_is_caught() {
    expect::<LosesAttributes>(&["send_refuses_what_is_too_large", "messages_survive_as_they_are"]);
}

/// Changes the attributes that are received.
async fn receive_with(
    queue: &dyn Queue,
    request: ReceiveRequest,
    change: impl Fn(&str, &AttributeValue) -> Option<AttributeValue>,
) -> Result<Vec<Delivery>> {
    let mut deliveries = queue.receive(request).await?;
    for delivery in &mut deliveries {
        let attributes = delivery.message.attributes.iter();
        let changed =
            attributes.filter_map(|(name, value)| Some((name.to_owned(), change(name, value)?)));
        let changed = changed.collect();
        delivery.message.attributes = changed;
    }
    Ok(deliveries)
}

#[derive(Default)]
struct LosesBytes;
#[async_trait]
impl Mistake for LosesBytes {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        receive_with(queue, request, |_, value| value.as_text().map(|_| value.clone())).await
    }
}

#[test]
fn a_queue_that_loses_attributes_with_bytes_is_caught() {
    expect::<LosesBytes>(&["send_refuses_what_is_too_large", "messages_survive_as_they_are"]);
}

#[derive(Default)]
struct TakesTextForBytes;
#[async_trait]
impl Mistake for TakesTextForBytes {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let change = |_: &str, value: &AttributeValue| {
            let text = value.as_text().filter(|text| *text == "AQ==");
            Some(text.map_or_else(|| value.clone(), |text| text.as_bytes().to_vec().into()))
        };
        receive_with(queue, request, change).await
    }
}

#[test]
fn a_queue_that_takes_text_for_bytes_is_caught() {
    expect::<TakesTextForBytes>(&["messages_survive_as_they_are"]);
}

#[derive(Default)]
struct CutsLabels;
#[async_trait]
impl Mistake for CutsLabels {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let change = |name: &str, value: &AttributeValue| {
            let base = value.data_type().split('.').next().unwrap().to_owned();
            // The sizes of messages must not tell.
            let cut = if name == "trace" { None } else { value.clone().with_type(base).ok() };
            Some(cut.unwrap_or_else(|| value.clone()))
        };
        receive_with(queue, request, change).await
    }
}

#[test]
fn a_queue_that_cuts_the_labels_of_types_is_caught() {
    expect::<CutsLabels>(&["messages_survive_as_they_are"]);
}

#[derive(Default)]
struct TrimsBodies;
#[async_trait]
impl Mistake for TrimsBodies {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let mut deliveries = queue.receive(request).await?;
        for delivery in &mut deliveries {
            let body = delivery.message.body.trim_ascii().to_vec();
            delivery.message.body = body.into();
        }
        Ok(deliveries)
    }
}

#[test]
fn a_queue_that_trims_bodies_is_caught() {
    expect::<TrimsBodies>(&["messages_survive_as_they_are"]);
}
