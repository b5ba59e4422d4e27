//! Recipes: small scripts that bring a machine to a state, and may be run again at any time.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::ssh::{Command, CommandOutput, Session, SshError, quoted};

/// One script of a recipe.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its name, for logs and errors.
    pub name: &'static str,
    /// Its text, for a POSIX shell.
    pub text: &'static str,
    /// How long it may take.
    pub limit: Duration,
}

impl Script {
    /// Runs it as root with these variables. They are no place for secrets: a failing shell may print them.
    pub async fn run(
        &self,
        session: &Session,
        variables: &[(&str, &str)],
        on_line: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<CommandOutput, SshError> {
        let stdin = Bytes::from(with_variables(self.text, variables));
        let command = Command { name: self.name, line: "sh -eu", stdin, limit: self.limit };
        session.run(command, on_line).await?.success(self.name)
    }
}

/// A script that begins with these variables. The braces make the shell read all of it before it runs any, so that no
/// command in it can swallow the rest.
pub(crate) fn with_variables(text: &str, variables: &[(&str, &str)]) -> String {
    let mut script = String::from("export LC_ALL=C\n");
    for (name, value) in variables {
        script.push_str(&format!("{name}={}\n", quoted(value)));
    }
    script.push_str("{\n");
    script.push_str(text);
    script.push_str("\n} </dev/null\n");
    script
}

/// One script of several, each in a shell of its own, so that a part that ends early does not end the others.
pub fn in_parts(parts: &[(&str, &str)]) -> String {
    let part = |(name, text): &(&str, &str)| format!("echo '== {name}'\n(\n{text}\n)\n");
    parts.iter().map(part).collect()
}

/// Eight hexadecimal digits that change when any part changes.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps parts apart: ("ab", "c") is not ("a", "bc").
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn run_locally(text: &'static str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut shell = Command::new("sh").arg("-eu").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(with_variables(text, variables).as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn a_command_that_reads_its_input_does_not_swallow_the_script() {
        assert_eq!(run_locally("cat\necho end", &[]), (Some(0), "end\n".to_owned()));
    }

    #[test]
    fn a_script_stops_at_the_first_failure_and_keeps_its_code() {
        assert_eq!(run_locally("(exit 7)\necho end", &[]), (Some(7), String::new()));
    }

    #[test]
    fn variables_arrive_as_they_are() {
        let value = "it's $HOME `id` \"x\" \\ \n y";
        assert_eq!(run_locally("printf %s \"$VALUE\"", &[("VALUE", value)]), (Some(0), value.to_owned()));
    }

    #[test]
    fn the_digest_tells_parts_apart() {
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_eq!(digest(["ab"]).len(), 8);
    }
}
