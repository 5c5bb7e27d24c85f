//! temporary
mod faults;
pub use faults::{Call, Faulty};
