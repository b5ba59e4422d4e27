//! Secrets: sealed at rest, bound to their place, unreadable without the one right key.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use common::{open, tempdir};
use muster_store::{
    Batch, BatchError, CodecError, KeyError, KeySource, Payload, Record, SealError, Sealer, Store, Table,
};

const SECRET: &[u8] = b"correct horse battery staple";

async fn seal(store: &Store, sealer: &Sealer, key: &[u8]) {
    let mut batch = Batch::new();
    batch.put_sealed(sealer, key, SECRET).unwrap();
    store.commit(batch).await.unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_secret_comes_back_and_is_nowhere_in_clear_on_disk() {
    let dir = tempdir();
    let source = KeySource::KeyFile(dir.path().join("key"));
    let (store, _) = open(&dir.path().join("store")).await;
    let sealer = Sealer::load(&store, source.clone()).await.unwrap();
    assert_eq!(mode(&dir.path().join("key")), 0o600);
    seal(&store, &sealer, b"account/1").await;
    store.export().await.unwrap();
    store.close().await;

    let (store, _) = open(&dir.path().join("store")).await;
    let sealer = Sealer::load(&store, source).await.unwrap();
    let opened = store.get_sealed(&sealer, b"account/1").await.unwrap().unwrap();
    assert_eq!(&opened[..], SECRET);
    assert!(store.get_sealed(&sealer, b"account/2").await.unwrap().is_none());
    // So that no file comes or goes while we look.
    store.close().await;
    assert_clear_nowhere(dir.path());
}

fn assert_clear_nowhere(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_clear_nowhere(&path);
        } else {
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET), "{}", path.display());
        }
    }
}

#[test]
fn a_sealed_value_does_not_open_elsewhere_or_changed_or_under_another_key() {
    let (sealer, other) = (Sealer::new(&[1; 32]).unwrap(), Sealer::new(&[2; 32]).unwrap());
    let sealed = sealer.seal(Table::Secrets, b"a", SECRET).unwrap();
    assert_eq!(&sealer.unseal(Table::Secrets, b"a", &sealed).unwrap()[..], SECRET);
    assert!(matches!(sealer.unseal(Table::Secrets, b"b", &sealed), Err(SealError::NotAuthentic)));
    assert!(matches!(sealer.unseal(Table::Accounts, b"a", &sealed), Err(SealError::NotAuthentic)));
    assert!(matches!(other.unseal(Table::Secrets, b"a", &sealed), Err(SealError::OtherKey)));
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert!(sealer.unseal(Table::Secrets, b"a", &changed).is_err(), "byte {position}");
        assert!(sealer.unseal(Table::Secrets, b"a", &sealed[..position]).is_err(), "cut at {position}");
    }
    assert_ne!(sealed, sealer.seal(Table::Secrets, b"a", SECRET).unwrap(), "equal secrets must not look equal");
}

#[test]
fn debug_shows_neither_key_nor_secret() {
    let sealer = Sealer::new(&[7; 32]).unwrap();
    assert_eq!(format!("{sealer:?}"), "Sealer(..)");
    let mut batch = Batch::new();
    batch.put_sealed(&sealer, b"account", SECRET).unwrap();
    assert_eq!(format!("{batch:?}"), "Batch(1 changes, 0 events, 0 audited)");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    let dir = tempdir();
    let path = dir.path().join("key");
    let (store, _) = open(&dir.path().join("store")).await;
    Sealer::load(&store, KeySource::KeyFile(path.clone())).await.unwrap();
    for exposed in [0o640, 0o604, 0o660, 0o700] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        let error = Sealer::load(&store, KeySource::KeyFile(path.clone())).await.unwrap_err();
        assert!(matches!(error, KeyError::Exposed { .. }), "{exposed:o}: {error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = Sealer::load(&store, KeySource::KeyFile(link)).await.unwrap_err();
    assert!(matches!(error, KeyError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_lost_key_is_not_replaced_while_secrets_depend_on_it() {
    let dir = tempdir();
    let path = dir.path().join("key");
    let (store, _) = open(&dir.path().join("store")).await;
    let sealer = Sealer::load(&store, KeySource::KeyFile(path.clone())).await.unwrap();
    seal(&store, &sealer, b"a").await;
    let key = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let error = Sealer::load(&store, KeySource::KeyFile(path.clone())).await.unwrap_err();
    assert!(matches!(error, KeyError::Gone { sealed: 1, .. }), "{error}");
    assert!(!path.exists());

    let credential = dir.path().join("credential");
    fs::write(&credential, [9; 32]).unwrap();
    let error = Sealer::load(&store, KeySource::Credential(credential.clone())).await.unwrap_err();
    assert!(matches!(error, KeyError::Wrong { foreign: 1, .. }), "{error}");

    fs::write(&credential, key).unwrap();
    let sealer = Sealer::load(&store, KeySource::Credential(credential)).await.unwrap();
    assert_eq!(&store.get_sealed(&sealer, b"a").await.unwrap().unwrap()[..], SECRET);
}

#[tokio::test]
async fn a_key_of_the_wrong_length_or_a_missing_credential_is_refused() {
    let dir = tempdir();
    let (store, _) = open(&dir.path().join("store")).await;
    for length in [0, 31, 33, 4096] {
        let path = dir.path().join("credential");
        fs::write(&path, vec![1; length]).unwrap();
        let error = Sealer::load(&store, KeySource::Credential(path)).await.unwrap_err();
        assert!(matches!(error, KeyError::Length { .. }), "{length}: {error}");
    }
    let error = Sealer::load(&store, KeySource::Credential(dir.path().join("none"))).await.unwrap_err();
    assert!(matches!(error, KeyError::Io { .. }), "{error}");
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Clear;

impl Payload for Clear {
    const SCHEMA: u16 = 1;
    fn decode(_: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        muster_store::codec::decode(bytes)
    }
}

impl Record for Clear {
    const TABLE: Table = Table::Secrets;
    fn key(&self) -> Vec<u8> {
        b"clear".to_vec()
    }
}

#[test]
fn plain_records_cannot_be_put_among_the_secrets() {
    let error = Batch::new().put(&Clear).unwrap_err();
    assert!(matches!(error, BatchError::ReservedTable(Table::Secrets)), "{error}");
}

#[test]
fn a_fingerprint_says_nothing_without_the_key() {
    let (one, other) = (Sealer::new(&[1; 32]).unwrap(), Sealer::new(&[2; 32]).unwrap());
    assert_eq!(one.fingerprint(SECRET), Sealer::new(&[1; 32]).unwrap().fingerprint(SECRET));
    assert_ne!(one.fingerprint(SECRET), one.fingerprint(b"another"));
    assert_ne!(one.fingerprint(SECRET), other.fingerprint(SECRET));
}
