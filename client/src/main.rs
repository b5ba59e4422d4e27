//! `muster`, the command line. What it does is in [`cli`]; this only starts it.

mod cli;

/// One thread is enough: a command waits for one socket and one terminal.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os()).await.into()
}
