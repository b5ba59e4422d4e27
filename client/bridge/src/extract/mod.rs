//! Parts of a request, each refused as a problem.

pub mod body;
pub mod fields;
pub mod header;
pub mod path;
pub mod query;

pub use body::Json;
pub use fields::Fields;
pub use header::{Change, IfMatch, wants_events};
pub use path::Path;
pub use query::Query;
