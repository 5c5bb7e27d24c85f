//! Looks after what is stored: the audit and the compaction.

mod audit;
mod compact;
mod dates;
mod partitions;
mod retrying;

pub use audit::{
    Audit, AuditReport, Expected, ExpectedEvents, Finding, FindingKind, Quarantined, Stored,
    Verdict,
};
pub use compact::{CompactReport, Compacted, Compactor};
pub use dates::DateRange;
