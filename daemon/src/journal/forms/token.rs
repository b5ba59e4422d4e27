//! Tokens.

use muster_protocol::model::token::AccessRole;
use muster_protocol::{Name, Timestamp};

use super::cause::PrincipalForm;
use super::{Form, form, lies_as_it_is};
use crate::journal::records::StoredToken;

lies_as_it_is!(AccessRole);

form!(TokenForm of StoredToken {
    name: Name,
    role: AccessRole,
    clusters: Vec<Name>,
    sha256: [u8; 32],
    created_at: Timestamp,
    created_by: PrincipalForm,
    expires_at: Timestamp,
});
