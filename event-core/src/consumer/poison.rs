//! What the handler panics on, and how often.

use std::any::Any;
use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind};
use crate::queue::{Delivery, MessageId};
use crate::reason::Reason;
use crate::retry::Outages;

const PANICKED: &str = "the handler panicked";

/// What the handler said when it panicked.
pub(super) struct Poison {
    error: Error,
}

impl Poison {
    /// Of the payload of a panic.
    pub(super) fn new(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("without a text");
        Self { error: Error::new(ErrorKind::Unknown, "handle", Reason::cut(text.to_owned())) }
    }

    pub(super) fn log(&self, outages: &Outages, messages: usize) {
        let error = &self.error;
        match outages.failed(PANICKED, error, messages) {
            Some(messages) => tracing::error!(%error, messages, "{PANICKED}"),
            None => tracing::debug!(%error, messages, "{PANICKED}"),
        }
    }

    /// Why a message on which the handler panicked alone so many times is quarantined.
    pub(super) fn reason(&self, panics: u32) -> Reason {
        let detail = format!("{PANICKED} on it alone at {panics} receives: {}", self.error);
        Reason::new(Reason::PANICKED, detail)
    }
}

/// How often in a row the handler panicked on single messages.
///
/// The number of receives that the queue counts would not do: a message that came again and again
/// for want of a store would be quarantined at its first panic.
#[derive(Debug)]
pub(super) struct Panics {
    allowed: u32,
    counts: BTreeMap<MessageId, u32>,
}

/// Messages that are counted at once. Of more, some are counted anew.
const COUNTED: usize = 10_000;

impl Panics {
    pub(super) fn new(allowed: u32) -> Self {
        Self { allowed, counts: BTreeMap::new() }
    }

    /// The handler panicked on this message alone: how often it has by now, if that is enough.
    pub(super) fn count(&mut self, id: &MessageId) -> Option<u32> {
        if self.counts.len() >= COUNTED && !self.counts.contains_key(id) {
            self.counts.pop_first();
        }
        let panics = self.counts.entry(id.clone()).or_default();
        *panics = panics.saturating_add(1);
        Some(*panics).filter(|panics| *panics >= self.allowed)
    }

    /// The handler did not panic on these.
    pub(super) fn forget(&mut self, deliveries: &[Delivery]) {
        // Almost always there is none.
        if !self.counts.is_empty() {
            for delivery in deliveries {
                self.counts.remove(&delivery.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::mocks::delivery;

    fn poison(panic: impl Any + Send) -> String {
        let panic: Box<dyn Any + Send> = Box::new(panic);
        Poison::new(&*panic).error.to_string()
    }

    #[test]
    fn the_text_of_a_panic_is_told_whatever_it_is() {
        assert_eq!(poison("of a literal"), "handle: of a literal");
        assert_eq!(poison("made up".to_owned()), "handle: made up");
        assert_eq!(poison(7), "handle: without a text");
        assert!(poison("x".repeat(10_000)).len() < 300);
    }

    #[test]
    fn the_reason_tells_how_often_and_what_the_handler_said() {
        let reason = Poison::new(&"on purpose").reason(7);
        assert_eq!(reason.code(), "panicked");
        assert!(reason.detail().contains("at 7 receives"), "{reason}");
        assert!(reason.detail().ends_with("on purpose"), "{reason}");
    }

    #[test]
    fn panics_are_counted_for_each_message_and_in_a_row() {
        let mut panics = Panics::new(3);
        let [a, b] = ["a", "b"].map(MessageId::new);
        let mut count = |id| panics.count(id);
        assert_eq!([count(&a), count(&b), count(&a)], [None; 3]);
        assert_eq!([count(&a), count(&a), count(&b)], [Some(3), Some(4), None]);
        let good = |id: &MessageId| Delivery { id: id.clone(), ..delivery(Message::new("x")) };
        panics.forget(&[good(&a)]);
        assert_eq!([panics.count(&a), panics.count(&b)], [None, Some(3)]);
        panics.forget(&[good(&b), good(&a)]);
        assert_eq!([panics.count(&a), panics.count(&b)], [None, None], "handled beside others");
        assert_eq!(Panics::new(1).count(&a), Some(1));
    }

    #[test]
    fn however_many_messages_panic_few_are_counted() {
        let mut panics = Panics::new(2);
        for number in 0..COUNTED + 100 {
            panics.count(&MessageId::new(format!("{number:06}")));
        }
        assert_eq!(panics.counts.len(), COUNTED);
        // One that is counted already makes no room.
        let last = MessageId::new(format!("{:06}", COUNTED + 99));
        assert_eq!((panics.count(&last), panics.counts.len()), (Some(2), COUNTED));
    }
}
