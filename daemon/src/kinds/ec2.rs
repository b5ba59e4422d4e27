//! The drivers of accounts at EC2. One account has one driver, whatever asks for it: its pace and its listing are shared
//! by all clusters of the account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use muster_driver_ec2::{Ec2Driver, Ec2Options};
use muster_engine::driver::Driver;
use muster_protocol::{Error, Name};

use super::Account;
use crate::provisioner::as_error;

/// The drivers that there are, with what they were made from.
#[derive(Default)]
pub struct Ec2Accounts(Mutex<HashMap<Name, (Ec2Options, Arc<Ec2Driver>)>>);

impl Ec2Accounts {
    /// The driver of an account: the same one as long as the account stays the same.
    pub fn driver(&self, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        let Some(Account { info, credentials }) = account else {
            return Err(Error::invalid("account", "EC2 has no default account")
                .with_remedy("add one with `muster account add` and name it with `--account`"));
        };
        let options = Ec2Options::of_account(info.endpoint.clone(), credentials, &info.defaults).map_err(as_error)?;
        let mut drivers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_from, driver)) = drivers.get(&info.name)
            && *made_from == options
        {
            return Ok(driver.clone());
        }
        let driver = Arc::new(Ec2Driver::new(options.clone()));
        drivers.insert(info.name.clone(), (options, driver.clone()));
        Ok(driver)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_protocol::Timestamp;
    use muster_protocol::model::account::AccountInfo;
    use muster_protocol::model::cluster::Infrastructure;

    use super::*;

    fn account(region: &str) -> Account {
        Account {
            info: AccountInfo {
                name: "main".parse().unwrap(),
                infrastructure: Infrastructure::Ec2,
                endpoint: None,
                credentials: Vec::new(),
                defaults: BTreeMap::from([("region".to_owned(), region.to_owned())]),
                clusters: 0,
                created_at: Timestamp::default(),
            },
            credentials: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn an_account_has_one_driver_until_it_changes() {
        let accounts = Ec2Accounts::default();
        let driver = |region: &str| accounts.driver(Some(&account(region))).unwrap();
        let first = driver("eu-central-1");
        assert!(Arc::ptr_eq(&first, &driver("eu-central-1")));
        assert!(!Arc::ptr_eq(&first, &driver("eu-west-1")));
    }

    #[tokio::test]
    async fn an_account_is_required_and_has_to_name_its_region() {
        let accounts = Ec2Accounts::default();
        let refusal = |account: Option<&Account>| accounts.driver(account).err().unwrap().message;
        assert_eq!(refusal(None), "EC2 has no default account");
        assert_eq!(refusal(Some(&account(""))), "an account at EC2 needs a region");
    }
}
