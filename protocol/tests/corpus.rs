//! The fuzz targets' corpus as a plain test, and the same checks over arbitrary bytes and over damaged real frames.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod samples;

#[path = "../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::path::Path;

use muster_protocol::codec::{self, MAX_FRAME_BYTES};
use muster_protocol::hello::Hello;
use muster_protocol::{ClientFrame, ServerFrame};
use proptest::prelude::*;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 5] = [
    ("client_frame", checks::client_frame),
    ("server_frame", checks::server_frame),
    ("hello", checks::hello),
    ("welcome", checks::welcome),
    ("connection", checks::connection),
];

#[test]
fn every_file_of_the_corpus_is_harmless() {
    for (target, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            check(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}

/// A connection that begins as it should.
fn behind_hello(body: &[u8]) -> Vec<u8> {
    let mut bytes = Hello::of_this_build("muster").encode().to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn real_client_frame() -> impl Strategy<Value = Vec<u8>> {
    let frames = samples::client::frames().into_iter().map(|(_, frame)| codec::encode(&frame).unwrap().to_vec());
    prop::sample::select(frames.collect::<Vec<_>>())
}

fn real_server_frame() -> impl Strategy<Value = Vec<u8>> {
    let frames = samples::server::frames().into_iter().map(|(_, frame)| codec::encode(&frame).unwrap().to_vec());
    prop::sample::select(frames.collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, check) in TARGETS {
            check(&bytes);
        }
        checks::connection(&behind_hello(&bytes));
    }

    #[test]
    fn real_frames_with_damage_are_harmless(
        mut bytes in prop_oneof![real_client_frame(), real_server_frame()],
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(1 + length.index(bytes.len()));
        checks::client_frame(&bytes);
        checks::server_frame(&bytes);
        checks::connection(&behind_hello(&bytes));
    }

    #[test]
    fn a_cut_frame_is_never_accepted(
        client in real_client_frame(),
        server in real_server_frame(),
        length in any::<prop::sample::Index>(),
    ) {
        prop_assert!(codec::decode::<ClientFrame>(&client[..length.index(client.len())]).is_err());
        prop_assert!(codec::decode::<ServerFrame>(&server[..length.index(server.len())]).is_err());
    }
}

#[test]
fn more_bytes_than_a_frame_may_have_are_not_even_looked_at() {
    let bytes = vec![0; MAX_FRAME_BYTES + 1];
    let error = codec::decode::<ClientFrame>(&bytes).unwrap_err();
    assert!(matches!(error, codec::DecodeError::TooLarge { .. }), "{error:?}");
}
