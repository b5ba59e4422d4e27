//! The user's terminal while a command in a container has it.

use std::io;

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use muster_protocol::TerminalSize;

/// Whether a user sits at both ends.
pub fn is_there() -> bool {
    isatty(io::stdin()) && isatty(io::stdout())
}

/// The terminal's size now.
pub fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(TerminalSize { columns: size.ws_col, rows: size.ws_row })
}

/// The terminal hands every key through until this is dropped.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Begins to hand keys through.
    pub fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
