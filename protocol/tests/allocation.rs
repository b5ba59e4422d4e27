//! A length that a stranger claims costs no memory by itself. Alone in its process, because it counts every byte.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

use std::alloc::System;
use std::fs;
use std::path::Path;

use cap::Cap;
use muster_protocol::codec::{self, MAX_DECODE_BYTES};
use muster_protocol::{ClientFrame, ServerFrame};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Serde trusts a claimed length for at most 1 MiB of elements before it has seen them.
const SERDE_TRUSTS: usize = 1 << 20;

#[test]
fn no_claimed_length_makes_decoding_allocate_more_than_its_limit() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut frames = Vec::new();
    for target in ["client_frame", "server_frame"] {
        for entry in fs::read_dir(corpus.join(target)).unwrap() {
            frames.push(fs::read(entry.unwrap().path()).unwrap());
        }
    }
    // A claim of every size at every place of a real frame.
    let real = fs::read(corpus.join("client_frame/request-service-create")).unwrap();
    for at in 0..real.len() {
        for claim in [1_u64 << 16, 1 << 22, 1 << 32, 1 << 63, u64::MAX] {
            let mut bytes = real[..at].to_vec();
            bytes.push(0xfd);
            bytes.extend(claim.to_le_bytes());
            bytes.extend(&real[at..]);
            frames.push(bytes);
        }
    }

    // Nothing else allocates from here on. An allocation beyond the limit aborts the process.
    let before = ALLOCATOR.allocated();
    ALLOCATOR.set_limit(before + MAX_DECODE_BYTES + SERDE_TRUSTS).unwrap();
    for frame in &frames {
        drop(codec::decode::<ClientFrame>(frame));
        drop(codec::decode::<ServerFrame>(frame));
    }
    ALLOCATOR.set_limit(usize::MAX).unwrap();
}
