//! SSH sessions against a server in the same process.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod server;

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use muster_engine::failure::{Certainty, Failure};
use muster_engine::ledger::MachineAccess;
use muster_protocol::{ErrorCode, Retry, SecretString};
use muster_provision::ssh::{Command, CommandOutput, Login, Proof, Session, SshError, scan};
use muster_provision::ssh_key;
use server::{PASSWORD, Server};
use tokio::net::{TcpListener, TcpSocket};

const PATIENCE: Duration = Duration::from_secs(10);

async fn log_in(server: &Server) -> Session {
    Session::open(&server.access(), server.login_key(), PATIENCE).await.unwrap()
}

fn command(line: &str) -> Command<'_> {
    Command { name: "test", line, stdin: Bytes::new(), limit: Duration::from_secs(20) }
}

async fn run(server: &Server, line: &str) -> Result<CommandOutput, SshError> {
    log_in(server).await.run(command(line), &|_| ()).await
}

async fn refusal(access: &MachineAccess, login_key: &str, patience: Duration) -> SshError {
    match Session::open(access, login_key, patience).await {
        Ok(_) => panic!("the login was not refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_host_key_that_is_not_the_pinned_one_is_refused_at_once_and_for_good() {
    let server = Server::start().await;
    let other = ssh_key::public_text(&ssh_key::generate("").unwrap()).unwrap();
    let access = MachineAccess { host_key: other, ..server.access() };
    let error = tokio::time::timeout(Duration::from_secs(60), refusal(&access, server.login_key(), PATIENCE * 60));
    let error = error.await.expect("no second try");
    assert!(matches!(error, SshError::HostKey { .. }), "{error}");
    assert_eq!(server.logins(), 0);
    let failure = Failure::from(error);
    assert_eq!((failure.retry, failure.certainty), (Retry::Never, Certainty::NotApplied));
    assert!(failure.remedy.is_some());
}

#[tokio::test]
async fn a_login_key_that_stays_refused_is_named_when_patience_ends() {
    let server = Server::start().await;
    let stranger = ssh_key::private_text(&ssh_key::generate("").unwrap()).unwrap();
    // All of it passes; less, and a busy host may not have answered once by then.
    let error = refusal(&server.access(), stranger.expose(), Duration::from_secs(10)).await;
    assert!(matches!(&error, SshError::Login { user, .. } if user == "root"), "{error}");
}

#[tokio::test]
async fn a_password_lets_in_and_goes_to_sudo_before_the_commands_own_input() {
    let server = Server::start().await;
    let access = MachineAccess { ssh_user: "admin".to_owned(), ..server.access() };
    let session = Session::open_with(&access, &with_password(PASSWORD), PATIENCE).await.unwrap();
    assert!(!session.is_root_without_a_password());
    let command = Command { stdin: Bytes::from("its input"), ..command("sh -eu") };
    session.run(command, &|_| ()).await.unwrap().success("test").unwrap();
    let (line, input) = server.last_command();
    assert_eq!(line, "sudo -k -S -p '' sh -eu");
    assert_eq!(String::from_utf8(input).unwrap(), format!("{PASSWORD}\nits input"));
}

#[tokio::test]
async fn a_password_that_is_refused_is_not_tried_again() {
    let server = Server::start().await;
    let Err(error) = Session::open_with(&server.access(), &with_password("wrong"), PATIENCE * 60).await else {
        panic!("the login was not refused")
    };
    assert!(error.to_string().ends_with("refuses the account's password for user root"), "{error}");
    assert_eq!(server.passwords(), 1);
}

#[tokio::test]
async fn the_host_key_that_a_server_shows_is_seen_without_logging_in() {
    let server = Server::start().await;
    let access = server.access();
    let keys = scan(&access.address, access.ssh_port, PATIENCE).await;
    let [key] = keys.as_slice() else { panic!("{} keys", keys.len()) };
    // The server's own line has a comment, which it does not show.
    assert!(access.host_key.starts_with(&key.to_openssh().unwrap()), "{}", access.host_key);
    assert_eq!((server.logins(), server.passwords()), (0, 0));
}

fn with_password(password: &str) -> Login {
    let secret = SecretString::new(password);
    let proof = Proof::Password(secret.clone());
    Login { whose: "the account's password", proof, sudo_password: Some(secret), may_be_early: false }
}

#[tokio::test]
async fn a_machine_that_is_still_booting_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::prepare(listener.local_addr().unwrap().port());
    let (access, key) = (server.access(), server.login_key().to_owned());
    let opening = tokio::spawn(async move { Session::open(&access, &key, PATIENCE).await });
    // Somebody answers, but it is no sshd yet.
    drop(listener.accept().await.unwrap());
    server.serve(listener);
    assert!(opening.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable_and_nothing_was_done() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = Server::prepare(socket.local_addr().unwrap().port());
    let error = refusal(&server.access(), server.login_key(), Duration::from_millis(200)).await;
    let failure = Failure::from(error);
    assert_eq!((failure.code, failure.certainty), (ErrorCode::Unreachable, Certainty::NotApplied));
    assert_eq!(failure.retry, Retry::Later);
}

#[tokio::test]
async fn exit_code_and_last_words_are_reported() {
    let server = Server::start().await;
    let outcome = run(&server, "fail").await.unwrap();
    assert_eq!(outcome, CommandOutput { code: 7, lines: vec!["first words".to_owned(), "last words".to_owned()] });
    let error = outcome.success("fail").unwrap_err();
    assert_eq!(error.to_string(), "`fail` ended with exit code 7: last words");
}

#[tokio::test]
async fn a_command_that_leaves_something_running_has_ended_with_its_exit_code() {
    let server = Server::start().await;
    assert_eq!(run(&server, "linger").await.unwrap().code, 0);
}

#[tokio::test]
async fn output_that_comes_after_the_exit_code_is_not_lost() {
    let server = Server::start().await;
    assert_eq!(run(&server, "lag").await.unwrap(), CommandOutput { code: 0, lines: vec!["late words".to_owned()] });
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_leaves_it_open_whether_it_was_done() {
    let server = Server::start().await;
    let error = run(&server, "vanish").await.unwrap_err();
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
    assert_eq!(Failure::from(error).certainty, Certainty::MaybeApplied);
}

#[tokio::test]
async fn a_command_that_does_not_end_is_given_up_in_time() {
    let server = Server::start().await;
    let hang = Command { limit: Duration::from_millis(200), ..command("hang") };
    let error = log_in(&server).await.run(hang, &|_| ()).await.unwrap_err();
    assert!(matches!(error, SshError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn big_output_arrives_whole_line_by_line_and_only_its_end_is_kept() {
    let server = Server::start().await;
    let counted = Mutex::new((0_usize, 0_usize));
    let on_line = |line: &str| {
        let mut counted = counted.lock().unwrap();
        assert_eq!(line, format!("{:060}", counted.0));
        *counted = (counted.0 + 1, counted.1 + line.len());
    };
    let outcome = log_in(&server).await.run(command("talk"), &on_line).await.unwrap();
    assert_eq!(*counted.lock().unwrap(), (server::TALK_LINES, server::TALK_LINES * 60));
    assert_eq!(outcome.lines.len(), 200);
    assert_eq!(outcome.lines.last().unwrap(), &format!("{:060}", server::TALK_LINES - 1));
}

#[tokio::test]
async fn a_command_that_reads_nothing_does_not_block_the_writer() {
    let server = Server::start().await;
    let deaf = Command { stdin: Bytes::from(vec![b'x'; 16 << 20]), ..command("fail") };
    assert_eq!(log_in(&server).await.run(deaf, &|_| ()).await.unwrap().code, 7);
}

#[tokio::test]
async fn content_travels_on_stdin_and_never_on_the_command_line() {
    let server = Server::start().await;
    let session = log_in(&server).await;
    session.upload("/etc/secret.pem", 0o600, "top secret").await.unwrap();
    let (line, stdin) = server.last_command();
    assert_eq!(stdin, b"top secret");
    assert!(!line.contains("top secret"), "{line}");
    assert!(line.contains("/etc/secret.pem") && line.contains("600"), "{line}");
}

#[tokio::test]
async fn another_user_than_root_gets_root_by_sudo_that_never_asks() {
    let server = Server::start().await;
    let access = MachineAccess { ssh_user: "debian".to_owned(), ..server.access() };
    let session = Session::open(&access, server.login_key(), PATIENCE).await.unwrap();
    session.run(command("echo"), &|_| ()).await.unwrap();
    assert_eq!(server.last_command().0, "sudo -n echo");
}

#[tokio::test]
async fn a_dropped_session_closes_its_connection() {
    let server = Server::start().await;
    let session = log_in(&server).await;
    assert_eq!(server.connections(), 1);
    drop(session);
    let closed = async {
        while server.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.expect("the connection ends");
}
