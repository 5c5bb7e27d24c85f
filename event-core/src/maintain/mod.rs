//! Looks after what is stored: the audit and the compaction.

mod audit;
mod compact;
mod dates;
mod partitions;
mod patient;

pub use audit::{
    Audit, AuditReport, Books, Finding, FindingKind, Quarantined, Sent, SentEvents, Stored,
};
pub use compact::{CompactReport, Compacted, Compactor};
pub use dates::Dates;
