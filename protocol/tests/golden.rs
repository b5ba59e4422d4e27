//! The bytes of protocol version 1, as files: what was released once is read and written in the same way for ever.
//!
//! A new sample has no file yet. `MUSTER_ADD_GOLDEN=1 cargo test -p muster-protocol --test golden` writes the missing
//! files, to be looked at and committed. It never touches a file that is there: if one differs, the change breaks
//! every peer of an earlier build, and needs a new variant or a new protocol version instead.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod samples;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use muster_protocol::hello::{Hello, Outcome, Refusal, VersionRange, Welcome};
use muster_protocol::{ClientFrame, ServerFrame, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1").join(name)
}

/// Compares with the file, or writes it if it is missing and that was asked for.
fn check_bytes(path: &Path, bytes: &[u8]) {
    match fs::read(path) {
        Ok(golden) => assert!(golden == bytes, "{} says {golden:02x?}, this build {bytes:02x?}", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(
                std::env::var_os("MUSTER_ADD_GOLDEN").is_some(),
                "{} is missing: write it with MUSTER_ADD_GOLDEN=1 and commit it",
                path.display()
            );
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn check_folder<T>(name: &str, samples: &[(String, T)])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let folder = folder(name);
    let mut expected = BTreeSet::new();
    for (file, sample) in samples {
        let path = folder.join(file).with_extension("bin");
        check_bytes(&path, &codec::encode(sample).unwrap());
        let golden = fs::read(&path).unwrap();
        assert_eq!(codec::decode::<T>(&golden).unwrap(), *sample, "{}", path.display());
        assert!(expected.insert(path), "two samples are named {file}");
    }
    let present: BTreeSet<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(present, expected, "every file has its sample: samples are never removed");
}

#[test]
fn what_clients_say_has_the_bytes_of_version_1() {
    check_folder("client", &samples::client::frames());
}

#[test]
fn what_the_server_says_has_the_bytes_of_version_1() {
    check_folder("server", &samples::server::frames());
}

#[test]
fn the_handshake_has_the_bytes_that_every_version_reads() {
    let hello = Hello {
        versions: VersionRange { min: 1, max: 0x0203 },
        features: 0x0102_0304_0506_0708,
        build: "muster 0.1.0".to_owned(),
    };
    let welcome = |outcome| Welcome { server: hello.clone(), outcome };
    let refused = |refusal| Outcome::Refused { refusal, text: "install another".to_owned() };
    let welcomes = [
        ("accepted", Outcome::Accepted { version: 0x0102 }),
        ("no-shared-version", refused(Refusal::NoSharedVersion)),
        ("busy", refused(Refusal::Busy)),
        ("stopping", refused(Refusal::Stopping)),
        ("later-reason", refused(Refusal::Other(200))),
    ];
    check_bytes(&folder("handshake/hello.bin"), &hello.encode());
    assert_eq!(Hello::decode(&hello.encode()).unwrap(), hello);
    for (file, outcome) in welcomes {
        let welcome = welcome(outcome);
        check_bytes(&folder(&format!("handshake/welcome-{file}.bin")), &welcome.encode());
        assert_eq!(Welcome::decode(&welcome.encode()).unwrap(), welcome);
    }
}

/// An index is one byte, so the count of variants can be found by trying: the first that is not known.
fn count_variants<T: DeserializeOwned + Debug>(prefix: &[u8]) -> usize {
    let is_known = |index: &u8| {
        let mut bytes = prefix.to_vec();
        bytes.push(*index);
        let result = codec::decode::<T>(&bytes);
        !result.is_err_and(|error| error.to_string().contains("variant index"))
    };
    (0..250).take_while(is_known).count()
}

#[test]
fn every_variant_has_a_sample() {
    let (id, request, answer, ok, item) = (7, 0, 0, 0, 1);
    assert_eq!(count_variants::<ClientFrame>(&[id]), 3, "request, credit, cancel");
    assert_eq!(count_variants::<ClientFrame>(&[id, request]), samples::client::requests().len());
    assert_eq!(count_variants::<ServerFrame>(&[id]), 3, "answer, item, end");
    assert_eq!(count_variants::<ServerFrame>(&[id, answer, ok]), samples::server::responses().len());
    let kinds_of_items =
        samples::server::items().iter().map(|(_, item)| std::mem::discriminant(item)).collect::<Vec<_>>();
    let distinct = kinds_of_items.iter().enumerate().filter(|(at, kind)| !kinds_of_items[..*at].contains(kind)).count();
    assert_eq!(count_variants::<ServerFrame>(&[id, item]), distinct);
    let (err, codes) = (1, muster_protocol::ErrorCode::ALL.len());
    assert_eq!(count_variants::<ServerFrame>(&[id, answer, err]), codes);
}
