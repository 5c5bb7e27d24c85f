//! What must hold in a simulated world.

use std::fmt;

use super::named::named;

named! {
    /// What is checked, after every step or at the end.
    enum Invariant {
        Durable = "durable":
            "A message leaves the queue only after what it carried is durable.";
        Once = "once":
            "No event has two live records, and no record is ever written twice.";
        Bytes = "bytes":
            "What is stored or quarantined was sent, byte for byte.";
        Keys = "keys":
            "Every key is within the grammar, and says the event's own type, day and identity.";
        Fate = "fate":
            "In the end every message is where it belongs, and nothing else is there.";
        Spared = "spared":
            "No good message reaches the dead-letter queue where a healthy consumer can prevent it.";
        Drains = "drains":
            "Once the faults are over, the queue drains within a bound.";
        Stops = "stops":
            "Told to stop, a program asks for nothing more, settles what it holds and ends within \
             its grace period.";
        Lives = "lives":
            "No program panics, hangs, or gives up without cause.";
        Leases = "leases":
            "What is held is kept hidden, until it is settled and no longer; only what was handled \
             is deleted, by its own receipt.";
        Bounds = "bounds":
            "Messages and bytes held stay within their bounds.";
        Idle = "idle":
            "Polls that find nothing keep to the schedule, which a message resets.";
        Retries = "retries":
            "Retries wait a random time up to their bound, within the budget.";
        Books = "books":
            "What programs tell agrees with what the services saw: received = deleted + not \
             deleted + given back + held.";
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What happened instead.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} But {}", self.invariant, self.invariant.about(), self.what)
    }
}
