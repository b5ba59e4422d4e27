//! One turn of the loop over a cluster's state: conclusions are drawn, a plan is made, what may be done is begun.
//!
//! It stands above both [`crate::state`], which says what is, and [`crate::plan`], which says what is to be done about it.

mod advance;
mod overdue;
mod settle;
mod times;

pub use advance::{Advance, Begun};
pub(crate) use times::StepTimes;
