//! What every store checks before it looks for an object.

use event_core::store::MAX_KEY_BYTES;
use event_core::{Error, ListRequest, Result};

pub(crate) fn check_key(operation: &'static str, key: &str) -> Result<()> {
    if (1..=MAX_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    let length = key.len();
    let message = format!("a key of {length} bytes, 1 to {MAX_KEY_BYTES} are allowed");
    Err(Error::invalid(operation, message))
}

pub(crate) fn check_list(request: &ListRequest) -> Result<()> {
    if request.max > 0 {
        return Ok(());
    }
    Err(Error::invalid("list", "max is 0, give at least 1"))
}

/// A key that is a path below a directory: each of its segments is a name there.
pub(crate) fn check_path(operation: &'static str, key: &str) -> Result<()> {
    check_key(operation, key)?;
    match key.split('/').find_map(segment_fault) {
        Some(fault) => {
            let message = format!("a segment of the key {key:?} {fault}");
            Err(Error::invalid(operation, message))
        }
        None => Ok(()),
    }
}

/// Why a name can be no segment of a path key: it would leave its place, hide itself, or be
/// another name to the file system.
pub(crate) fn segment_fault(segment: &str) -> Option<&'static str> {
    let unsafe_char = |c: char| c == '\\' || c.is_control() || (cfg!(windows) && c == ':');
    if segment.is_empty() {
        Some("is empty")
    } else if segment.starts_with('.') {
        Some("starts with a dot")
    } else if segment.len() > 255 {
        Some("is longer than the 255 bytes of a file name")
    } else if segment.chars().any(unsafe_char) {
        Some("has a backslash or a control character")
    } else {
        None
    }
}
