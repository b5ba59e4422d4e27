//! The handshake's bytes. Their layout is fixed for ever: every version of Muster, older or newer, can read them, and
//! so can say in words why it cannot go on. Numbers are big-endian.
//!
//! ```text
//! hello, client → server, 80 bytes          welcome, server → client, 256 bytes
//!  0  4  magic "MSTR"                         0 80  the server's hello
//!  4  2  lowest protocol version             80  1  verdict: 0 accepted, 1 no shared version, 2 busy, 3 stopping
//!  6  2  highest protocol version            81  2  the chosen protocol version; 0 if not accepted
//!  8  8  feature bits                        83  1  length of the text
//! 16  1  length of the build                 84 172 text in UTF-8: why not, and what to do; zeros behind it
//! 17 63  build in UTF-8, zeros behind it
//! ```
//!
//! A verdict that the reader does not know is a refusal whose text it can show.

use std::fmt;

/// The first bytes of both sides.
pub const MAGIC: [u8; 4] = *b"MSTR";

/// The length of a hello in bytes.
pub const HELLO_BYTES: usize = 80;

/// The length of a welcome in bytes.
pub const WELCOME_BYTES: usize = 256;

const BUILD_AT: usize = 17;
const BUILD_MAX: usize = HELLO_BYTES - BUILD_AT;
const TEXT_AT: usize = 84;
const TEXT_MAX: usize = WELCOME_BYTES - TEXT_AT;

/// The protocol versions that this build speaks. Versions 1 and 2 were spoken by development builds only, before the first
/// release; their frames cannot be read any more.
pub const VERSIONS: VersionRange = VersionRange { min: 3, max: 3 };

/// Frames of a stream may go from the client to the server too.
pub const FEATURE_DUPLEX: u64 = 1;

/// Who speaks for others may say from which network address they asked.
pub const FEATURE_ADDRESS: u64 = 2;

/// The optional features that this build knows. Both sides use those that both have.
pub const FEATURES: u64 = FEATURE_DUPLEX | FEATURE_ADDRESS;

/// The protocol versions that somebody speaks, from `min` to `max`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRange {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

impl VersionRange {
    /// The highest version in both ranges.
    pub fn highest_shared(self, other: Self) -> Option<u16> {
        let highest = self.max.min(other.max);
        (highest >= self.min.max(other.min)).then_some(highest)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{} to {}", self.min, self.max) }
    }
}

/// How one side introduces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The versions it speaks.
    pub versions: VersionRange,
    /// The optional features it has, a bit each.
    pub features: u64,
    /// What it is, for people: program and version.
    pub build: String,
}

/// How the server answers a hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The server's own hello.
    pub server: Hello,
    /// Whether the session begins.
    pub verdict: HelloVerdict,
}

/// Whether a session begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HelloVerdict {
    /// Frames of this protocol version follow.
    Accepted {
        /// The chosen version.
        version: u16,
    },
    /// The server closes the connection.
    Refused {
        /// Why, for programs.
        refusal: Refusal,
        /// Why and what to do, for people.
        text: String,
    },
}

/// Why a server does not begin a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No protocol version is known to both sides.
    NoSharedVersion,
    /// It has as many connections as it takes.
    Busy,
    /// It is stopping.
    Stopping,
    /// A reason that a newer server knows; its text says it.
    Other(u8),
}

/// Why bytes are not a hello or a welcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The peer speaks something else.
    #[error("the peer does not speak Muster's protocol")]
    Magic,
    /// The lowest version is above the highest, or is 0.
    #[error("the peer's range of protocol versions is empty or starts at 0")]
    Versions,
    /// A text is longer than its place, or is not UTF-8.
    #[error("a text of the peer's handshake is malformed")]
    Text,
    /// The server chose a version that one of the sides does not speak.
    #[error("the peer chose protocol version {version}, which was not offered")]
    Choice {
        /// The version it chose.
        version: u16,
    },
}

impl Hello {
    /// This build's hello; `build` names the program and its version, for example `muster 0.1.0`.
    pub fn of_this_build(build: impl Into<String>) -> Self {
        Self { versions: VERSIONS, features: FEATURES, build: build.into() }
    }

    /// Its bytes. A build that is too long is cut.
    pub fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.versions.min.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.versions.max.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.features.to_be_bytes());
        put_text(&mut bytes[BUILD_AT - 1..], &self.build);
        bytes
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8; HELLO_BYTES]) -> Result<Self, HelloError> {
        if bytes[..4] != MAGIC {
            return Err(HelloError::Magic);
        }
        let versions = VersionRange { min: number(bytes, 4), max: number(bytes, 6) };
        if versions.min == 0 || versions.min > versions.max {
            return Err(HelloError::Versions);
        }
        let features = bytes[8..16].iter().fold(0, |features, byte| features << 8 | u64::from(*byte));
        let build = text(&bytes[BUILD_AT - 1..], BUILD_MAX)?;
        Ok(Self { versions, features, build })
    }

    /// How a server that is `self` answers a client: the highest version that both speak, or why there is none.
    pub fn answer(&self, client: &Self) -> Welcome {
        let verdict = match self.versions.highest_shared(client.versions) {
            Some(version) => HelloVerdict::Accepted { version },
            None => {
                let remedy = if client.versions.max < self.versions.min {
                    format!("install the client of {}", self.build)
                } else {
                    "upgrade and restart the daemon, or use its own client".to_owned()
                };
                let (daemon, client) = (self.versions, client.versions);
                let text = format!("the daemon speaks protocol {daemon}, the client {client}: {remedy}");
                HelloVerdict::Refused { refusal: Refusal::NoSharedVersion, text }
            }
        };
        Welcome { server: self.clone(), verdict }
    }
}

impl Welcome {
    /// Its bytes. A text that is too long is cut.
    pub fn encode(&self) -> [u8; WELCOME_BYTES] {
        let mut bytes = [0; WELCOME_BYTES];
        bytes[..HELLO_BYTES].copy_from_slice(&self.server.encode());
        match &self.verdict {
            HelloVerdict::Accepted { version } => bytes[81..83].copy_from_slice(&version.to_be_bytes()),
            HelloVerdict::Refused { refusal, text } => {
                bytes[80] = refusal.to_byte();
                put_text(&mut bytes[TEXT_AT - 1..], text);
            }
        }
        bytes
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8; WELCOME_BYTES]) -> Result<Self, HelloError> {
        let mut server = [0; HELLO_BYTES];
        server.copy_from_slice(&bytes[..HELLO_BYTES]);
        let server = Hello::decode(&server)?;
        let version = number(bytes, 81);
        let text = text(&bytes[TEXT_AT - 1..], TEXT_MAX)?;
        let verdict = match Refusal::from_byte(bytes[80]) {
            None => HelloVerdict::Accepted { version },
            Some(refusal) => HelloVerdict::Refused { refusal, text },
        };
        Ok(Self { server, verdict })
    }
}

impl Refusal {
    const fn to_byte(self) -> u8 {
        match self {
            Self::NoSharedVersion => 1,
            Self::Busy => 2,
            Self::Stopping => 3,
            Self::Other(byte) => byte,
        }
    }

    /// None is acceptance.
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => None,
            1 => Some(Self::NoSharedVersion),
            2 => Some(Self::Busy),
            3 => Some(Self::Stopping),
            other => Some(Self::Other(other)),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Writes a text and, before it, its length in one byte. A text longer than its place is cut between characters.
fn put_text(place: &mut [u8], text: &str) {
    let Some((length, place)) = place.split_first_mut() else { return };
    let mut end = text.len().min(place.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    place[..text.len()].copy_from_slice(text.as_bytes());
    *length = u8::try_from(text.len()).unwrap_or(u8::MAX);
}

fn text(place: &[u8], longest: usize) -> Result<String, HelloError> {
    let length = usize::from(place[0]);
    if length > longest {
        return Err(HelloError::Text);
    }
    let text = std::str::from_utf8(&place[1..=length]).map_err(|_| HelloError::Text)?;
    Ok(text.to_owned())
}
