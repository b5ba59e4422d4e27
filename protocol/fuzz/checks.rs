//! What must hold for any bytes that a stranger sends: no panic, and whatever is accepted means the same when it is
//! written again. Each function is a fuzz target, and a plain test runs it over its corpus.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

use std::fmt::Debug;
use std::time::Duration;

use muster_protocol::handshake;
use muster_protocol::hello::{HELLO_BYTES, Hello, WELCOME_BYTES, Welcome};
use muster_protocol::stream::FrameReader;
use muster_protocol::{ClientFrame, ServerFrame, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A frame's body, as the server reads it.
pub fn client_frame(bytes: &[u8]) {
    accepted_means_the_same::<ClientFrame>(bytes);
}

/// A frame's body, as a client reads it.
pub fn server_frame(bytes: &[u8]) {
    accepted_means_the_same::<ServerFrame>(bytes);
}

/// A client's hello, as the server reads it.
pub fn hello(bytes: &[u8]) {
    let Ok(bytes) = <&[u8; HELLO_BYTES]>::try_from(bytes) else { return };
    if let Ok(hello) = Hello::decode(bytes) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
}

/// The server's welcome, as a client reads it.
pub fn welcome(bytes: &[u8]) {
    let Ok(bytes) = <&[u8; WELCOME_BYTES]>::try_from(bytes) else { return };
    if let Ok(welcome) = Welcome::decode(bytes) {
        assert_eq!(Welcome::decode(&welcome.encode()), Ok(welcome));
    }
}

/// All that a client sends, from its first byte to its last, as the server reads it.
pub fn connection(bytes: &[u8]) {
    let limit = Duration::from_secs(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let mut stream = tokio::io::join(bytes, tokio::io::sink());
        if handshake::accept(&mut stream, &Hello::of_this_build("musterd"), limit).await.is_err() {
            return;
        }
        let mut reader = FrameReader::new(stream, limit);
        while let Ok(Some(frame)) = reader.next::<ClientFrame>().await {
            std::hint::black_box(frame);
        }
    });
}

fn accepted_means_the_same<T>(bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let Ok(value) = codec::decode::<T>(bytes) else { return };
    match codec::encode(&value) {
        Ok(again) => assert_eq!(codec::decode::<T>(&again).ok().as_ref(), Some(&value)),
        Err(error) => panic!("{value:?} was read and cannot be written: {error}"),
    }
}
