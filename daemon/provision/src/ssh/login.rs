//! With what to log in, and how to become root then.

use muster_protocol::SecretString;

/// How somebody shows who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// An OpenSSH private key that is not encrypted.
    Key(SecretString),
    /// A password.
    Password(SecretString),
}

/// With what to log in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Whose proof it is, in words for errors: `the cluster's key`.
    pub whose: &'static str,
    /// The key or password.
    pub proof: Proof,
    /// What sudo asks for, if it asks; root needs none.
    pub sudo_password: Option<SecretString>,
    /// Whether a refusal may pass, as that of a machine that gets its keys while it boots. Else it ends the matter: somebody
    /// who is refused again and again is locked out.
    pub may_be_early: bool,
}

impl Login {
    /// With a cluster's own key, which machines let in, and to root without a password.
    pub fn with_cluster_key(key: &str) -> Self {
        let proof = Proof::Key(SecretString::new(key));
        Self { whose: "the cluster's key", proof, sudo_password: None, may_be_early: true }
    }
}

/// How a command of this session becomes root's.
#[derive(Clone, Debug)]
pub(super) enum Elevation {
    /// The session is root's.
    None,
    /// sudo asks for nothing.
    Sudo,
    /// sudo asks for this password, each time.
    SudoWith(SecretString),
}

impl Elevation {
    /// The command line that runs `line` as root.
    pub(super) fn line(&self, line: &str) -> String {
        match self {
            Self::None => line.to_owned(),
            Self::Sudo => format!("sudo -n {line}"),
            // `-k`: a password that was taken before would not be read again, and the command would get it instead.
            Self::SudoWith(_) => format!("sudo -k -S -p '' {line}"),
        }
    }

    /// What goes before the command's own input.
    pub(super) fn preamble(&self) -> Option<&SecretString> {
        match self {
            Self::None | Self::Sudo => None,
            Self::SudoWith(password) => Some(password),
        }
    }
}
