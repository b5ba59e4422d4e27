//! The bytes of protocol version 3, as files: what was released once is read and written in the same way for ever.
//! The handshake's bytes are the same in every version.
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

use muster_protocol::hello::{Hello, HelloVerdict, Refusal, VersionRange, Welcome};
use muster_protocol::{ClientFrame, ServerFrame, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
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
    let folder = folder(&format!("v3/{name}"));
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
fn what_clients_say_has_the_bytes_of_version_3() {
    check_folder("client", &samples::client::frames());
}

#[test]
fn what_the_server_says_has_the_bytes_of_version_3() {
    check_folder("server", &samples::server::frames());
}

#[test]
fn the_handshake_has_the_bytes_that_every_version_reads() {
    let hello = Hello {
        versions: VersionRange { min: 1, max: 0x0203 },
        features: 0x0102_0304_0506_0708,
        build: "muster 0.1.0".to_owned(),
    };
    let welcome = |verdict| Welcome { server: hello.clone(), verdict };
    let refused = |refusal| HelloVerdict::Refused { refusal, text: "install another".to_owned() };
    let welcomes = [
        ("accepted", HelloVerdict::Accepted { version: 0x0102 }),
        ("no-shared-version", refused(Refusal::NoSharedVersion)),
        ("busy", refused(Refusal::Busy)),
        ("stopping", refused(Refusal::Stopping)),
        ("later-reason", refused(Refusal::Other(200))),
    ];
    check_bytes(&folder("handshake/hello.bin"), &hello.encode());
    assert_eq!(Hello::decode(&hello.encode()).unwrap(), hello);
    for (file, verdict) in welcomes {
        let welcome = welcome(verdict);
        check_bytes(&folder(&format!("handshake/welcome-{file}.bin")), &welcome.encode());
        assert_eq!(Welcome::decode(&welcome.encode()).unwrap(), welcome);
    }
}

/// The hellos of the development builds before the first release, which spoke versions 1 and 2.
#[test]
fn a_client_of_an_earlier_version_is_told_in_words_which_version_it_would_need() {
    for version in [1, 2] {
        let path = folder(&format!("handshake/hello-of-version-{version}.bin"));
        let versions = VersionRange { min: version, max: version };
        let old = Hello { versions, features: 0, build: "muster 0.1.0".to_owned() };
        check_bytes(&path, &old.encode());
        let bytes: [u8; muster_protocol::hello::HELLO_BYTES] = fs::read(&path).unwrap().try_into().unwrap();
        let welcome = Hello::of_this_build("musterd 0.2.0").answer(&Hello::decode(&bytes).unwrap());
        let text = format!("the daemon speaks protocol 3, the client {version}: install the client of musterd 0.2.0");
        assert_eq!(welcome.verdict, HelloVerdict::Refused { refusal: Refusal::NoSharedVersion, text });
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
    let (id, request, for_nobody_else, answer, ok, item) = (7, 0, 0, 0, 0, 1);
    assert_eq!(count_variants::<ClientFrame>(&[id]), 5, "request, credit, cancel, item, request from an address");
    assert_eq!(count_variants::<ClientFrame>(&[id, request, for_nobody_else]), samples::client::requests().len());
    assert_eq!(count_variants::<ServerFrame>(&[id]), 4, "answer, item, end, credit");
    assert_eq!(count_variants::<ServerFrame>(&[id, answer, ok]), samples::server::responses().len());
    let kinds_of_items =
        samples::server::items().iter().map(|(_, item)| std::mem::discriminant(item)).collect::<Vec<_>>();
    let distinct = kinds_of_items.iter().enumerate().filter(|(at, kind)| !kinds_of_items[..*at].contains(kind)).count();
    assert_eq!(count_variants::<ServerFrame>(&[id, item]), distinct);
    assert_eq!(
        samples::server::errors().len(),
        muster_protocol::ErrorCode::ALL.len() + 1,
        "each code, and one to retry"
    );
}

#[test]
fn a_frame_with_a_word_of_a_later_release_is_read_and_written_again() {
    // Request 7 is answered with an error whose code has the number 200.
    let code = muster_protocol::ErrorCode::Unknown(200);
    let frame = ServerFrame::answer(7, Err(muster_protocol::Error::new(code, "it is new")));
    let bytes = codec::encode(&frame).unwrap();
    assert_eq!(bytes[..4], [7, 0, 1, 200]);
    assert_eq!(codec::decode::<ServerFrame>(&bytes).unwrap(), frame);
}
