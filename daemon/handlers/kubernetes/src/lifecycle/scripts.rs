//! The scripts of the lifecycle.

/// What all of them share; it comes first.
pub(super) const LIBRARY: &str = include_str!("../../recipes/library.sh");
pub(super) const FORM: &str = include_str!("../../recipes/form.sh");
pub(super) const LOOK: &str = include_str!("../../recipes/look.sh");
pub(super) const SETTLE: &str = include_str!("../../recipes/settle.sh");
pub(super) const TOKEN: &str = include_str!("../../recipes/token.sh");
pub(super) const REVOKE: &str = include_str!("../../recipes/revoke.sh");
pub(super) const JOIN: &str = include_str!("../../recipes/join.sh");
pub(super) const FIND: &str = include_str!("../../recipes/find.sh");
pub(super) const FORGET: &str = include_str!("../../recipes/forget.sh");
pub(super) const MEMBERS: &str = include_str!("../../recipes/members.sh");
