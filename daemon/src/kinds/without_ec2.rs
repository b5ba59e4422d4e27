//! In place of `ec2.rs` in a build without it.

use std::sync::Arc;

use muster_engine::driver::Driver;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Error, ErrorCode};

use super::Account;

/// No drivers.
#[derive(Default)]
pub struct Ec2Accounts;

impl Ec2Accounts {
    /// This build has none.
    pub fn driver(&self, _account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        let message = format!("this build of Muster has no infrastructure `{}`", Infrastructure::Ec2);
        Err(Error::new(ErrorCode::Unsupported, message)
            .with_detail("field", "infrastructure")
            .with_remedy("build musterd with its feature `ec2`"))
    }
}
