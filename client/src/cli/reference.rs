//! `muster reference`: the page `docs/reference/cli.md`, written from the same tree that parses the command line.

use std::fmt::Write;

use clap::{Arg, Args, Command, CommandFactory};

use super::args::Cli;
use super::context::Context;
use super::exit::Exit;
use super::failure::Result;

/// The arguments: none.
#[derive(Debug, Args)]
pub struct Reference {}

impl Reference {
    /// Prints the page.
    pub fn run(self, context: &mut Context) -> Result<()> {
        context.output.text(&page())
    }
}

const HEAD: &str = "\
<!-- Written by `muster reference`; a test checks that it is current. -->

# The command line

`muster NOUN VERB` asks the daemon over its socket. What is printed on standard output is the answer, as a table, as JSON
or as YAML (`-o`); progress, hints and errors go to standard error. The keys are in
[JSON and YAML](json.md). Lists are complete: they are fetched page by page. What streams (`events`, `service logs`) is one
JSON value a line.

An error is shown as `error:`, `cause:` and `remedy:`; with `-o json` or `-o yaml` it is one JSON object on standard error
with `code`, `message`, `remedy`, `retry` and `details`. The codes are explained in [errors](../errors.md). Mistakes in the
command line itself are always told in words. A reader that goes away (`muster events | head`) is no error.

A change is answered as soon as it is on disk. With `--wait` the command watches its operation to the end and ends with
its result; Ctrl-C leaves the operation running, and `muster operation watch ID` comes back to it. Both show progress on
standard error, and with `-o json` or `-o yaml` they print one value: the operation as it ended.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        row(&mut page, &exit.code().to_string(), exit.meaning());
    }
    let mut tree = Cli::command();
    tree.build();
    page.push_str("\n## Global options\n\n| option | meaning |\n|---|---|\n");
    for option in tree.get_arguments().filter(|argument| argument.is_global_set()) {
        row(&mut page, &spelling(option), &meaning(option));
    }
    for noun in tree.get_subcommands().filter(|command| is_shown(command)) {
        section(&mut page, noun, "##");
        for verb in noun.get_subcommands().filter(|command| is_shown(command)) {
            section(&mut page, verb, "###");
        }
    }
    page
}

fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn section(page: &mut String, command: &Command, level: &str) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    paragraph(page, &format!("{level} `{name}`"));
    paragraph(page, &about);
    if command.has_subcommands() {
        return;
    }
    let usage = command.clone().render_usage().to_string();
    paragraph(page, &format!("```text\n{}\n```", usage.trim_start_matches("Usage: ")));
    let own: Vec<&Arg> =
        command.get_arguments().filter(|argument| !argument.is_global_set() && !is_help(argument)).collect();
    if !own.is_empty() {
        page.push_str("\n| argument | meaning |\n|---|---|\n");
        for argument in own {
            row(page, &spelling(argument), &meaning(argument));
        }
    }
    if let Some(more) = command.get_after_help() {
        paragraph(page, &format!("```text\n{more}\n```"));
    }
}

fn is_help(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
        && argument.get_long() == Some(argument.get_id().as_str())
        && !argument.get_action().takes_values()
}

fn paragraph(page: &mut String, text: &str) {
    page.push('\n');
    page.push_str(text);
    page.push('\n');
}

fn row(page: &mut String, left: &str, right: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(page, "| `{left}` | {} |", right.replace('|', "\\|"));
}

/// As it is typed: `-c, --cluster NAME`.
fn spelling(argument: &Arg) -> String {
    let mut words = Vec::new();
    words.extend(argument.get_short().map(|short| format!("-{short}")));
    words.extend(argument.get_long().map(|long| format!("--{long}")));
    let spelling = words.join(", ");
    if !argument.get_action().takes_values() {
        return spelling;
    }
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.first().map(ToString::to_string).unwrap_or_default();
    format!("{spelling} {value}").trim().to_owned()
}

fn meaning(argument: &Arg) -> String {
    let mut meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if let Some(variable) = argument.get_env() {
        meaning.push_str(&format!(" [env: {}]", variable.to_string_lossy()));
    }
    if argument.get_action().takes_values() && !argument.is_hide_possible_values_set() {
        let words: Vec<String> =
            argument.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
        if !words.is_empty() {
            meaning.push_str(&format!(" (one of {})", words.join(", ")));
        }
    }
    meaning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/cli.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == page(), "write it again: cargo run -p muster-client -- reference > docs/reference/cli.md");
    }

    #[test]
    fn every_command_and_argument_says_what_it_is_for() {
        fn check(command: &Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
