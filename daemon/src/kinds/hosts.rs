//! The drivers of accounts of hosts. One account has one register, whatever becomes of its drivers: which host is being
//! claimed is known to all clusters of the account.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use muster_driver_hosts::{HostsDriver, HostsOptions, Register};
use muster_engine::driver::Driver;
use muster_protocol::{Error, Name};

use super::Account;

/// The accounts that there are.
pub struct HostsAccounts {
    /// Where the daemon keeps what it knows of hosts: a file an account.
    folder: PathBuf,
    accounts: Mutex<HashMap<Name, Known>>,
}

/// What there is of one account.
struct Known {
    register: Arc<Register>,
    driver: Option<(HostsOptions, Arc<HostsDriver>)>,
}

impl HostsAccounts {
    /// Accounts whose notes are kept in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, accounts: Mutex::default() }
    }

    /// The driver of an account: the same one as long as the account stays the same.
    pub fn driver(&self, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        let Some(Account { info, credentials }) = account else {
            return Err(Error::invalid("account", "hosts have no default account")
                .with_remedy("add one with `muster account add` and name it with `--account`"));
        };
        if info.endpoint.is_some() {
            return Err(Error::invalid("endpoint", "an account of hosts has no endpoint")
                .with_remedy("leave it out, and name each host with `--default host.NAME=ADDRESS`"));
        }
        let options = HostsOptions::of_account(&info.name, credentials, &info.defaults)?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.entry(info.name.clone()).or_insert_with(|| Known {
            register: Arc::new(Register::new(self.folder.join(format!("{}.json", info.name)))),
            driver: None,
        });
        if let Some((made_from, driver)) = &known.driver
            && *made_from == options
        {
            return Ok(driver.clone());
        }
        let driver = Arc::new(HostsDriver::new(options.clone(), Arc::clone(&known.register)));
        known.driver = Some((options, driver.clone()));
        Ok(driver)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_protocol::model::account::AccountInfo;
    use muster_protocol::model::cluster::Infrastructure;
    use muster_protocol::{SecretString, Timestamp};

    use super::*;

    fn account(host: &str) -> Account {
        Account {
            info: AccountInfo {
                name: "lab".parse().unwrap(),
                infrastructure: Infrastructure::Hosts,
                endpoint: None,
                credentials: Vec::new(),
                defaults: BTreeMap::from([("host.web-1".to_owned(), host.to_owned())]),
                clusters: 0,
                created_at: Timestamp::default(),
            },
            credentials: BTreeMap::from([("password".to_owned(), SecretString::new("x"))]),
        }
    }

    #[test]
    fn an_account_has_one_driver_until_it_changes() {
        let accounts = HostsAccounts::new(PathBuf::new());
        let driver = |host: &str| accounts.driver(Some(&account(host))).unwrap();
        let first = driver("10.0.0.1");
        assert!(Arc::ptr_eq(&first, &driver("10.0.0.1")));
        assert!(!Arc::ptr_eq(&first, &driver("10.0.0.2")));
    }

    #[test]
    fn an_account_is_required_and_a_bad_entry_is_refused_by_its_field() {
        let accounts = HostsAccounts::new(PathBuf::new());
        let refused = |account: Option<&Account>| accounts.driver(account).err().unwrap();
        assert_eq!(refused(None).message, "hosts have no default account");
        assert_eq!(refused(Some(&account(""))).details["field"], "defaults.host.web-1");
        let mut with_endpoint = account("10.0.0.1");
        with_endpoint.info.endpoint = Some("10.0.0.1".to_owned());
        assert_eq!(refused(Some(&with_endpoint)).details["field"], "endpoint");
    }
}
