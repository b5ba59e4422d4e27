//! `muster cluster kubeconfig NAME`

use std::env;
use std::path::PathBuf;

use clap::Args;
use muster_protocol::model::access::AccessKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{Error, ErrorCode};

use super::access::{AccessArgs, write_private};
use super::merge::merge;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster cluster kubeconfig demo --merge && kubectl get nodes\n  \
    muster cluster kubeconfig demo --role viewer --valid-for 1h --file demo.kubeconfig\n\n\
    Without --file and --merge it is printed. `muster cluster renew` ends what was given out before.")]
pub struct Kubeconfig {
    #[command(flatten)]
    pub wanted: AccessArgs,
    /// What its holder may do: viewer, operator or admin; at most your own role, which is the default
    #[arg(long, value_name = "ROLE")]
    pub role: Option<AccessRole>,
    /// Write it to this file
    #[arg(long, value_name = "PATH", conflicts_with = "merge")]
    pub file: Option<PathBuf>,
    /// Add it to your own kubeconfig ($KUBECONFIG, else ~/.kube/config), as its current context
    #[arg(long)]
    pub merge: bool,
}

impl Kubeconfig {
    /// Asks for it and puts it where it was wanted.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let own = if self.merge { Some(own_kubeconfig()?) } else { None };
        let file = self.wanted.ask(context, AccessKind::Kubeconfig, self.role).await?;
        let text = std::str::from_utf8(file.content.expose())
            .map_err(|_| Error::new(ErrorCode::Protocol, "the daemon's kubeconfig is no text"))?;
        let path = match (own, self.file) {
            (Some(own), _) => {
                let merged = merge(&own, text)?;
                if let Some(folder) = own.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                write_private(&own, merged.as_bytes())?;
                own
            }
            (None, Some(path)) => {
                write_private(&path, text.as_bytes())?;
                path
            }
            (None, None) => return context.output.text(text),
        };
        context.hint(&format!("{} has the role {} until {}", path.display(), file.role, file.not_after));
        Ok(())
    }
}

/// The file that `kubectl` takes if nothing is said; the first one, if there are several.
fn own_kubeconfig() -> Result<PathBuf> {
    let named = env::var_os("KUBECONFIG").unwrap_or_default();
    let first = env::split_paths(&named).find(|path| !path.as_os_str().is_empty());
    let usual = || env::home_dir().map(|home| home.join(".kube/config"));
    first
        .or_else(usual)
        .ok_or_else(|| Failure::usage("you have no home directory for a kubeconfig", "set KUBECONFIG, or use --file"))
}
