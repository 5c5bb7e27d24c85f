//! What is wrong with the input, line by line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_core::{Message, Retail, Schema};

use crate::source::nothing_to_send;

/// After so many lines the rest is only counted: a file of another kind is wrong in every line.
const SHOWN: usize = 20;

/// Collects what is wrong with lines of the input, to be shown at the end.
#[derive(Clone)]
pub struct Complaints {
    input: String,
    /// What becomes of a wrong line.
    fate: &'static str,
    schema: Arc<dyn Schema>,
    found: Arc<Mutex<Found>>,
}

#[derive(Default)]
struct Found {
    /// Lines that were read, sound ones too.
    seen: u64,
    lines: Vec<String>,
    more: u64,
}

impl Complaints {
    /// `input` is the name of the input, `fate` what becomes of a line that is not an event of this
    /// schema.
    pub fn about(input: String, fate: &'static str, schema: Arc<dyn Schema>) -> Self {
        Self { input, fate, schema, found: Arc::default() }
    }

    /// Looks at a line: at what it says if it is not a record, else at the event in it. Events that
    /// are invalid by intent are part of a sound stream and no reason to complain. `largest` is
    /// the most bytes that the queue takes in a message. Answers the complaint, but for those that
    /// are only counted.
    pub fn look(
        &self,
        line: u64,
        message: &Message,
        fault: Option<&str>,
        largest: usize,
    ) -> Option<String> {
        self.found().seen += 1;
        let wrong = if let Some(fault) = fault {
            format!("no message record: {fault}")
        } else if message.size() > largest {
            format!("the message has {} bytes, the queue takes {largest}", message.size())
        } else {
            match self.schema.identify(message) {
                Err(reason) if !Retail::is_intended(&reason) => reason.to_string(),
                _ => return None,
            }
        };
        let mut found = self.found();
        if found.lines.len() < SHOWN {
            let text = format!("{} line {line}: {wrong}; {}", self.input, self.fate);
            found.lines.push(text.clone());
            Some(text)
        } else {
            found.more += 1;
            None
        }
    }

    /// The first complaint, and how many more there are; none if there is nothing to complain
    /// about.
    pub fn in_one_line(&self) -> Option<String> {
        let found = self.found();
        let first = found.lines.first()?;
        Some(match (found.lines.len() as u64 - 1) + found.more {
            0 => first.clone(),
            more => format!("{first}; and {more} more such lines"),
        })
    }

    /// The complaints so far, a line each; empty if there is nothing to complain about.
    pub fn lines(&self) -> Vec<String> {
        let found = self.found();
        let mut lines = found.lines.clone();
        if found.more > 0 {
            lines.push(format!("{}: and {} more such lines", self.input, found.more));
        }
        lines
    }

    /// What to say of an input that came to its end without a message: a wrong path or a pipe
    /// whose writer failed is more likely than a wish to send nothing.
    pub fn emptiness(&self) -> Option<String> {
        (self.found().seen == 0).then(|| nothing_to_send(&self.input))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints() -> Complaints {
        Complaints::about("input.ndjson".to_owned(), "kept", Arc::new(Retail::default()))
    }

    fn untyped() -> Message {
        Message::new("{}")
    }

    #[test]
    fn the_first_twenty_are_shown_and_the_others_counted() {
        let complaints = complaints();
        for line in 1..=20 {
            let text = complaints.look(line, &untyped(), Some("no JSON"), 100);
            let expected = format!("input.ndjson line {line}: no message record: no JSON; kept");
            assert_eq!(text, Some(expected));
        }
        assert_eq!(complaints.lines().len(), 20);
        for line in 21..=23 {
            assert_eq!(complaints.look(line, &untyped(), None, 100), None);
        }
        let lines = complaints.lines();
        assert_eq!(lines.len(), 21);
        assert_eq!(lines[20], "input.ndjson: and 3 more such lines");
        let first = "input.ndjson line 1: no message record: no JSON; kept";
        let more = format!("{first}; and 22 more such lines");
        assert_eq!(complaints.in_one_line(), Some(more));
    }

    #[test]
    fn one_complaint_is_told_alone_and_none_is_nothing() {
        let complaints = complaints();
        assert_eq!((complaints.in_one_line(), complaints.lines()), (None, vec![]));
        let text = complaints.look(7, &untyped(), None, 100);
        assert!(text.as_ref().is_some_and(|text| text.contains("line 7: unknown_event_type")));
        assert_eq!(complaints.in_one_line(), text);
        assert_eq!(complaints.lines().len(), 1);
    }

    #[test]
    fn what_is_invalid_by_intent_is_sound_and_what_is_too_large_is_not() {
        let complaints = complaints();
        assert!(complaints.emptiness().is_some_and(|text| text.contains("input.ndjson is empty")));
        let message = untyped().with_attribute("event_type", "sale_event");
        let size = message.size();
        assert_eq!(complaints.look(1, &message, None, size), None);
        assert_eq!(complaints.emptiness(), None, "a sound line is one");
        let large = complaints.look(2, &message, None, size - 1).unwrap_or_default();
        let expected = format!("the message has {size} bytes, the queue takes {}", size - 1);
        assert!(large.contains(&expected), "{large}");
        assert_eq!(complaints.lines().len(), 1);
    }
}
