//! A way to the Docker Engine that breaks at one call, as a crash of the daemon or of the engine would.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Which call breaks, and when.
#[derive(Clone, Copy)]
pub enum Break {
    /// Connections that send this are cut before the engine hears of it.
    Before(&'static str),
    /// The engine does it, and the answer is lost.
    AnswerOf(&'static str),
    /// The engine never hears of it, and the answer is a refusal.
    Refused(&'static str),
}

/// Listens at a socket in this directory and passes everything on but the one call.
pub fn start(directory: &Path, breaking: Break) -> PathBuf {
    let path = directory.join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(client, breaking));
        }
    });
    path
}

async fn serve(mut client: UnixStream, breaking: Break) {
    let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
    let (mut request, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(count @ 1..) = read else { return };
                let request = &request[..count];
                match breaking {
                    Break::Before(start) if request.starts_with(start.as_bytes()) => return,
                    Break::AnswerOf(start) if request.starts_with(start.as_bytes()) => {
                        engine.write_all(request).await.unwrap();
                        // Once it answers, it has done it.
                        let _answer = engine.read(&mut answer).await.unwrap();
                        return;
                    }
                    Break::Refused(start) if request.starts_with(start.as_bytes()) => {
                        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\n\
                            connection: close\r\ncontent-length: 21\r\n\r\n{\"message\":\"refused\"}";
                        client.write_all(refusal.as_bytes()).await.unwrap();
                        return;
                    }
                    Break::Before(_) | Break::AnswerOf(_) | Break::Refused(_) => engine.write_all(request).await.unwrap(),
                }
            }
            read = engine.read(&mut answer) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answer[..count]).await.is_err() { return }
            }
        }
    }
}
