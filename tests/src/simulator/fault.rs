//! What can go wrong in a simulated world.

use std::str::FromStr;

use super::named::named;

named! {
    /// One thing that goes wrong, alone or beside others.
    enum Fault {
        DuplicateDelivery = "duplicate-delivery":
            "One receive brings the same message twice, with two receipts.";
        ForgottenDelete = "forgotten-delete":
            "A delete answers success, and the message comes again.";
        LateMessage = "late-message":
            "An accepted message can be received only minutes later.";
        OutOfOrder = "out-of-order":
            "A receive brings fewer messages than there are, in any order, or none.";
        EarlyLapse = "early-lapse":
            "The visibility of a message lapses while it is handled.";
        StaleReceipt = "stale-receipt":
            "A receipt is refused as out of date: nothing is deleted or extended.";
        PartialSend = "partial-send":
            "Some entries of a send fail; of some of them only the answer.";
        PartialDelete = "partial-delete":
            "Some entries of a delete fail; of some of them only the answer.";
        PartialVisibility = "partial-visibility":
            "Some extensions and releases fail; of some of them only the answer.";
        LostReceive = "lost-receive":
            "The answer of a receive is lost after its messages went in flight.";
        QueueThrottling = "queue-throttling":
            "For a while the queue answers most requests with a throttling error.";
        InFlightLimit = "in-flight-limit":
            "The queue lets only a few messages be in flight at once.";
        QueueOutage = "queue-outage":
            "The queue cannot be reached, for minutes or for six hours.";
        QueueDenied = "queue-denied":
            "For a while the queue refuses the credentials.";
        LostPut = "lost-put":
            "A put is applied and its answer lost.";
        LatePut = "late-put":
            "A put fails, and its object appears minutes later.";
        ConflictingPut = "conflicting-put":
            "The store refuses a put because of a concurrent one (409), to be tried again.";
        GoneAgain = "gone-again":
            "A put finds an object under its key, and a look at it a moment later finds none.";
        SlowDown = "slow-down":
            "For a while the store answers most requests with SlowDown.";
        StoreOutage = "store-outage":
            "The store cannot be reached, for minutes or for six hours.";
        StoreDenied = "store-denied":
            "For a while the store refuses the credentials.";
        HungRequest = "hung-request":
            "A request hangs until its timeout; it may have been applied.";
        Latency = "latency":
            "For a while every request takes a hundred times as long.";
        ClockJump = "clock-jump":
            "An hour passes at once, for programs and services alike.";
        Kill = "kill":
            "A program is killed, at any await.";
        Terminate = "terminate":
            "A program is told to stop at any time, and started again.";
        Pause = "pause":
            "A program stands still for longer than the visibility timeout.";
        ShortGrace = "short-grace":
            "The grace period is too short to settle everything.";
        Scale = "scale":
            "Consumers are added and taken away.";
        HandlerPanic = "handler-panic":
            "A handler panics, before or after its work.";
        Poison = "poison":
            "Some messages make every handler panic; those beside them must not suffer.";
        HostileInput = "hostile-input":
            "Messages that are not events, or whose fields try to break keys and limits.";
        Duplicates = "duplicates":
            "Producers send the same event more than once.";
        Conflicts = "conflicts":
            "Producers send different events under the same request_id.";
        Redrive = "redrive":
            "The dead-letter queue takes messages early and is redriven, with new message ids.";
        DamagedSegment = "damaged-segment":
            "A segment of a log is gone or damaged, until someone mends it.";
    }
}

impl Fault {
    /// Whether good messages may be received again, through no fault of the consumer: then they
    /// may reach the dead-letter queue, too.
    pub(super) fn redelivers(self) -> bool {
        use Fault::{
            ClockJump, DamagedSegment, EarlyLapse, ForgottenDelete, HandlerPanic, HungRequest,
            Kill, Latency, LostReceive, PartialDelete, PartialVisibility, Pause, QueueDenied,
            QueueOutage, QueueThrottling, Redrive, Scale, ShortGrace, StaleReceipt, Terminate,
        };
        matches!(
            self,
            ForgottenDelete
                | EarlyLapse
                | StaleReceipt
                | PartialDelete
                | PartialVisibility
                | LostReceive
                | QueueThrottling
                | QueueOutage
                | QueueDenied
                | HungRequest
                | Latency
                | ClockJump
                | Kill
                | Terminate
                | Pause
                | ShortGrace
                | Scale
                | HandlerPanic
                | Redrive
                | DamagedSegment
        )
    }

    /// Whether programs may give up, to be started again.
    pub(super) fn ends_pods(self) -> bool {
        self == Self::QueueDenied
    }

    /// Whether it comes and goes, as an outage does, instead of striking single requests.
    pub(super) fn comes_and_goes(self) -> bool {
        use Fault::{
            Latency, QueueDenied, QueueOutage, QueueThrottling, SlowDown, StoreDenied, StoreOutage,
        };
        matches!(
            self,
            Latency
                | QueueDenied
                | QueueOutage
                | QueueThrottling
                | SlowDown
                | StoreDenied
                | StoreOutage
        )
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|fault| fault.name() == text);
        named.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!("{text:?} is no fault; there are {}", names.join(", "))
        })
    }
}
