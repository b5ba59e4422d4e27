//! Commands in containers.

use anyhow::{Context, Result, bail, ensure};
use muster_client::ClientError;
use muster_client::protocol::duplex::{ExecOutput, StreamInput, TerminalSize};
use muster_client::protocol::{ErrorCode, Name, StreamItem};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("exec")
        .case("a command says its output and ends with success", says_its_output)
        .case("a command hears its standard input to the end", hears_its_input)
        .case("the code with which a command ends is told", tells_the_code)
        .case("a command in a container that is named runs", in_a_named_container)
        .case("a command in a container that is not there is refused", in_no_container)
        .case("a command of a service that is not there is refused", of_no_service)
        .case("an empty command is refused", empty_command)
        .case("a command that is given up leaves the daemon well", given_up)
        .inside("standard error of a command is told from its standard output", sources)
        .inside("a command's bytes arrive as they are", bytes_as_they_are)
        .inside("a command that is not in the image is told as such", no_such_program)
        .inside("a terminal has the size of the caller's", terminal)
        .inside("a command runs in the container that is named and in no other", in_that_container)
        .inside("a long output is whole", long_output)
}

async fn idle(world: &World) -> Result<Name> {
    Ok(world.run("web", json!({})).await?.spec.name)
}

async fn says_its_output(world: World) -> Result<()> {
    let said = world.exec(&idle(&world).await?, &["echo", "one  two"], b"").await?;
    ensure!(said.code == 0 && said.text().contains("one  two"), "{said:?}");
    Ok(())
}

async fn hears_its_input(world: World) -> Result<()> {
    let said = world.exec(&idle(&world).await?, &["cat"], b"ping\npong\n").await?;
    ensure!(said.code == 0 && said.text().ends_with("ping\npong"), "{said:?}");
    Ok(())
}

async fn tells_the_code(world: World) -> Result<()> {
    let said = world.exec(&idle(&world).await?, &["sh"], b"exit 3\n").await?;
    ensure!(said.code == 3, "{said:?}");
    Ok(())
}

async fn in_a_named_container(world: World) -> Result<()> {
    let name = idle(&world).await?;
    let copy = world.running(&name).await?.into_iter().next().context("no copy")?;
    let said = world.exec_in(&name, Some(copy.id), &["echo", "here"], b"").await?;
    ensure!(said.code == 0, "{said:?}");
    Ok(())
}

async fn in_no_container(world: World) -> Result<()> {
    let name = idle(&world).await?;
    let said = world.exec_in(&name, Some("no-such-container".to_owned()), &["echo"], b"").await;
    not_found(said)
}

async fn of_no_service(world: World) -> Result<()> {
    not_found(world.exec(&world.name("nobody")?, &["echo"], b"").await)
}

fn not_found<T: std::fmt::Debug>(said: Result<T>) -> Result<()> {
    let Err(error) = said else { bail!("it runs somewhere: {said:?}") };
    let code = error.downcast_ref::<ClientError>().map(ClientError::code);
    ensure!(code == Some(ErrorCode::NotFound), "{error:#}");
    Ok(())
}

async fn empty_command(world: World) -> Result<()> {
    let name = idle(&world).await?;
    let Err(error) = world.exec(&name, &[], b"").await else { bail!("an empty command runs") };
    let code = error.downcast_ref::<ClientError>().map(ClientError::code);
    ensure!(code == Some(ErrorCode::InvalidArgument), "{error:#}");
    Ok(())
}

async fn given_up(world: World) -> Result<()> {
    let name = idle(&world).await?;
    for _ in 0..5 {
        let command = vec!["cat".to_owned()];
        let exec = world.client.container_exec(&world.cluster, &name, None, command, false).await?;
        drop(exec);
    }
    let said = world.exec(&name, &["echo", "still there"], b"").await?;
    ensure!(said.code == 0, "{said:?}");
    Ok(())
}

async fn sources(world: World) -> Result<()> {
    let said = world.exec(&idle(&world).await?, &["sh", "-c", "echo good; echo bad >&2; exit 4"], b"").await?;
    ensure!((said.stdout.as_slice(), said.stderr.as_slice(), said.code) == (b"good\n", b"bad\n", 4), "{said:?}");
    Ok(())
}

async fn bytes_as_they_are(world: World) -> Result<()> {
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| u8::try_from(number % 251).unwrap_or_default()).collect();
    let said = world.exec(&idle(&world).await?, &["cat"], &bytes).await?;
    ensure!(said.stdout == bytes, "{} bytes came back of {}", said.stdout.len(), bytes.len());
    Ok(())
}

async fn no_such_program(world: World) -> Result<()> {
    match world.exec(&idle(&world).await?, &["no-such-program"], b"").await {
        Ok(said) => ensure!(said.code == 126 || said.code == 127, "{said:?}"),
        Err(error) => ensure!(format!("{error:#}").contains("no-such-program"), "{error:#}"),
    }
    Ok(())
}

async fn terminal(world: World) -> Result<()> {
    let name = idle(&world).await?;
    // Its size may come a moment later than the terminal.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do stty size; sleep 0.3; done";
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let mut exec = world.client.container_exec(&world.cluster, &name, None, command, true).await?;
    exec.input().send(StreamInput::Resize(TerminalSize { columns: 123, rows: 45 })).await;
    let mut said = String::new();
    let listening = async {
        while !said.contains("45 123") {
            match exec.next().await? {
                Some(StreamItem::Exec(ExecOutput::Stdout(bytes))) => said.push_str(&String::from_utf8_lossy(&bytes)),
                other => bail!("{other:?} behind {said}"),
            }
        }
        Ok(())
    };
    tokio::time::timeout(world.patience, listening).await.context("the terminal says nothing")?
}

async fn in_that_container(world: World) -> Result<()> {
    let name = world.run("web", json!({ "replicas": 2 })).await?.spec.name;
    let copies = world.running(&name).await?;
    let (first, second) = (copies.first().context("no copy")?, copies.get(1).context("no second copy")?);
    world.exec_in(&name, Some(first.id.clone()), &["touch", "/tmp/mark"], b"").await?;
    let there = world.exec_in(&name, Some(first.id.clone()), &["test", "-e", "/tmp/mark"], b"").await?;
    let not_there = world.exec_in(&name, Some(second.id.clone()), &["test", "-e", "/tmp/mark"], b"").await?;
    ensure!((there.code, not_there.code) == (0, 1), "{} and {}", there.code, not_there.code);
    Ok(())
}

async fn long_output(world: World) -> Result<()> {
    let said = world.exec(&idle(&world).await?, &["head", "-c", "3000000", "/dev/zero"], b"").await?;
    ensure!(said.stdout.len() == 3_000_000 && said.code == 0, "{} bytes", said.stdout.len());
    Ok(())
}
