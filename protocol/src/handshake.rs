//! The handshake on a connection, both sides of it. Neither waits longer than it is told, and a stranger costs the
//! server no more than one hello's bytes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::hello::{HELLO_BYTES, Hello, HelloError, HelloVerdict, MAGIC, Refusal, WELCOME_BYTES, Welcome};

/// What both sides know once the session begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The protocol version that both speak.
    pub version: u16,
    /// The features that both have.
    pub features: u64,
    /// The other side's hello.
    pub peer: Hello,
}

/// Why no session begins.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection failed or was closed.
    #[error("the connection failed during the handshake")]
    Io(#[from] io::Error),
    /// The peer was silent for too long.
    #[error("the peer did not complete the handshake in {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The peer's bytes make no sense.
    #[error(transparent)]
    Malformed(#[from] HelloError),
    /// The server said no: to a client, by its peer; to a server, by itself.
    #[error("{text}")]
    Refused {
        /// Why, for programs.
        refusal: Refusal,
        /// Why and what to do, for people.
        text: String,
        /// The other side's hello.
        peer: Hello,
    },
}

/// The server's side: reads the client's hello, answers it, and says what was agreed. On any error the caller closes
/// the connection; a client without a shared version was told so.
pub async fn accept<S>(stream: &mut S, server: &Hello, limit: Duration) -> Result<Agreed, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within(limit, async {
        let client = Hello::decode(&read_after_magic::<HELLO_BYTES>(stream).await?)?;
        let welcome = server.answer(&client);
        stream.write_all(&welcome.encode()).await?;
        stream.flush().await?;
        agree(welcome.verdict, server, client)
    })
    .await
}

/// The server's side when it will not have the client: reads nothing, says why, and leaves closing to the caller.
pub async fn refuse<S>(
    stream: &mut S,
    server: &Hello,
    refusal: Refusal,
    text: &str,
    limit: Duration,
) -> Result<(), HandshakeError>
where
    S: AsyncWrite + Unpin,
{
    let verdict = HelloVerdict::Refused { refusal, text: text.to_owned() };
    let welcome = Welcome { server: server.clone(), verdict };
    within(limit, async {
        stream.write_all(&welcome.encode()).await?;
        Ok(stream.flush().await?)
    })
    .await
}

/// The client's side: says hello and reads the answer.
pub async fn connect<S>(stream: &mut S, client: &Hello, limit: Duration) -> Result<Agreed, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within(limit, async {
        // A server that refuses may have closed already; what it said is still there to be read.
        let sent = stream.write_all(&client.encode()).await;
        let bytes = match read_after_magic::<WELCOME_BYTES>(stream).await {
            Ok(bytes) => bytes,
            Err(read_error) => return Err(sent.err().map_or(read_error, HandshakeError::Io)),
        };
        let welcome = Welcome::decode(&bytes)?;
        if let HelloVerdict::Accepted { version } = welcome.verdict
            && Some(version) != client.versions.highest_shared(welcome.server.versions)
        {
            return Err(HelloError::Choice { version }.into());
        }
        agree(welcome.verdict, client, welcome.server)
    })
    .await
}

fn agree(verdict: HelloVerdict, own: &Hello, peer: Hello) -> Result<Agreed, HandshakeError> {
    match verdict {
        HelloVerdict::Accepted { version } => Ok(Agreed { version, features: own.features & peer.features, peer }),
        HelloVerdict::Refused { refusal, text } => Err(HandshakeError::Refused { refusal, text, peer }),
    }
}

/// Reads `N` bytes, but gives up at the first four if they are not the magic: whoever speaks another protocol may
/// never send more.
async fn read_after_magic<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; N], HandshakeError> {
    let mut bytes = [0; N];
    let (magic, rest) = bytes.split_at_mut(MAGIC.len());
    stream.read_exact(magic).await?;
    if *magic != MAGIC {
        return Err(HelloError::Magic.into());
    }
    stream.read_exact(rest).await?;
    Ok(bytes)
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, HandshakeError> {
    timeout(limit, work).await.unwrap_or(Err(HandshakeError::TimedOut(limit)))
}
