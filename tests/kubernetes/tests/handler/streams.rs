//! Output, commands, connections.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use muster_engine::duplex::{ExecOrder, ForwardOrder};
use muster_engine::handler::Handler as _;
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{ExecOutput, StreamInput, StreamItem, TerminalSize};

use crate::patience::until;
use crate::{Scene, order};

pub(crate) async fn the_tail_of_the_output_is_that_of_each_container_and_a_long_line_is_one_line(scene: Scene) {
    let command = "head -c 40000 /dev/zero | tr '\\0' a; echo; yes ä | head -c 30000 | tr -d '\\n'; echo; for line in one two three; do echo $line; done; exec sleep 1000";
    let talker = order(ServiceSpec { replicas: 2, ..scene.service("talker", command) });
    let name = &talker.spec.name;
    scene.deploy(&talker).await;
    scene.ready(name, 1, 2).await;
    let logs = async |tail| -> Vec<LogLine> {
        scene.handler.logs(&[], name, false, tail).await.unwrap().try_collect().await.unwrap()
    };
    let lines = until("all lines", async || {
        let lines = logs(None).await;
        if lines.len() == 10 { Ok(lines) } else { Err(lines.len()) }
    })
    .await;
    assert_eq!(lines.iter().filter(|line| line.text == "a".repeat(40_000)).count(), 2);
    assert_eq!(lines.iter().filter(|line| line.text == "ä".repeat(10_000)).count(), 2);
    assert!(lines.is_sorted_by_key(|line| line.at) && lines.iter().all(|line| line.at.is_some()));
    let last: Vec<LogLine> = logs(Some(1)).await;
    assert_eq!(last.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["three", "three"]);
    assert_ne!(last[0].name, last[1].name);
    scene.remove(name).await;
}

pub(crate) async fn output_that_is_followed_goes_on_with_new_copies_and_containers_that_are_started_again(
    scene: Scene,
) {
    let command = "echo start $$; n=0; while [ $n -lt 5 ]; do n=$((n+1)); echo line $n; sleep 1; done; exit 1";
    let mut talker = order(scene.service("follow", command));
    let name = talker.spec.name.clone();
    scene.deploy(&talker).await;
    scene.observe_until("a container", |view| view.containers.iter().any(|one| one.service == name)).await;
    let mut lines = scene.handler.logs(&[], &name, true, None).await.unwrap();
    let mut heard: Vec<LogLine> = Vec::new();
    let mut listen = async |heard: &mut Vec<LogLine>, enough: &(dyn Fn(&[LogLine]) -> bool + Sync)| {
        let listening = async {
            while !enough(heard) {
                heard.push(lines.next().await.unwrap().unwrap());
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(120), listening).await;
        assert!(in_time.is_ok(), "{heard:#?}");
    };
    let starts = |heard: &[LogLine]| heard.iter().filter(|line| line.text.starts_with("start")).count();
    listen(&mut heard, &|heard| starts(heard) >= 2).await;
    talker.generation = 2;
    talker.spec.replicas = 2;
    scene.deploy(&talker).await;
    let names =
        |heard: &[LogLine]| heard.iter().map(|line| line.name.clone()).collect::<std::collections::BTreeSet<_>>().len();
    listen(&mut heard, &|heard| names(heard) == 2).await;
    // Between two starts of a container each of its lines came once, in order.
    let first: Vec<&str> =
        heard.iter().filter(|line| line.name == heard[0].name).map(|line| line.text.as_str()).collect();
    assert_eq!(first[1..6], ["line 1", "line 2", "line 3", "line 4", "line 5"], "{first:?}");
    scene.remove(&name).await;
    let over = tokio::time::timeout(Duration::from_secs(120), async { while lines.next().await.is_some() {} });
    assert!(over.await.is_ok(), "the output of a service that is gone has an end");
}

pub(crate) async fn a_command_has_input_output_a_terminal_and_an_exit_code(scene: Scene) {
    let target = order(scene.service("target", "exec sleep 1000"));
    let name = target.spec.name.clone();
    scene.deploy(&target).await;
    scene.ready(&name, 1, 1).await;
    assert_eq!(scene.run(&name, "echo out; echo err >&2; exit 3").await.1, 3);
    assert_eq!(scene.run(&name, "echo $(HOME=/x; echo $HOME)").await, ("/x\n".to_owned(), 0));

    let exec = |command: &[&str], tty| ExecOrder {
        service: name.clone(),
        container: None,
        command: command.iter().map(|&word| word.to_owned()).collect(),
        tty,
    };
    // A megabyte through a command that reads to the end of its input.
    let mut sum = scene.handler.exec(&[], &exec(&["md5sum"], false)).await.unwrap();
    let input = sum.input.clone();
    let feeding = tokio::spawn(async move {
        for _ in 0..64 {
            input.send(StreamInput::Bytes(vec![b'x'; 16 * 1024])).await.unwrap();
        }
        input.send(StreamInput::End).await.unwrap();
    });
    let mut printed = Vec::new();
    let mut code = None;
    while let Some(output) = sum.output.next().await {
        match output.unwrap() {
            StreamItem::Exec(ExecOutput::Stdout(bytes)) => printed.extend_from_slice(&bytes),
            StreamItem::Exec(ExecOutput::Stderr(bytes)) => panic!("{bytes:?}"),
            StreamItem::Exec(ExecOutput::Exit(exit)) => code = Some(exit),
            other => panic!("{other:?}"),
        }
    }
    feeding.await.unwrap();
    assert_eq!(String::from_utf8(printed).unwrap().trim(), format!("{}  -", md5_of_a_megabyte_of_x()));
    assert_eq!(code, Some(0));

    // A terminal with a size.
    let mut shell = scene.handler.exec(&[], &exec(&["/bin/sh"], true)).await.unwrap();
    shell.input.send(StreamInput::Resize(TerminalSize { columns: 123, rows: 45 })).await.unwrap();
    shell
        .input
        .send(StreamInput::Bytes("sleep 1; stty size; test -t 0 && echo a-terminal; exit 5\n".into()))
        .await
        .unwrap();
    let mut printed = String::new();
    let code = loop {
        match shell.output.next().await.unwrap().unwrap() {
            StreamItem::Exec(ExecOutput::Stdout(bytes)) => printed.push_str(&String::from_utf8_lossy(&bytes)),
            StreamItem::Exec(ExecOutput::Stderr(bytes)) => panic!("{bytes:?}"),
            StreamItem::Exec(ExecOutput::Exit(code)) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert!(printed.contains("45 123") && printed.contains("\na-terminal"), "{printed}");
    assert_eq!(code, 5);

    let missing = scene.handler.exec(&[], &exec(&["/no/such"], false)).await;
    let failure = match missing {
        Ok(mut exec) => exec.output.next().await.unwrap().unwrap_err(),
        Err(failure) => failure,
    };
    assert!(failure.message.contains("/no/such"), "{failure}");
    let nobody = ExecOrder { container: Some("nobody".into()), ..exec(&["true"], false) };
    assert_eq!(scene.handler.exec(&[], &nobody).await.err().unwrap().code, muster_protocol::ErrorCode::NotFound);
    scene.remove(&name).await;
}

/// As the host's own program says it.
fn md5_of_a_megabyte_of_x() -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", "head -c 1048576 /dev/zero | tr '\\0' x | md5sum | cut -d' ' -f1"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) async fn a_port_is_reached_through_the_api(scene: Scene) {
    let web = order(scene.service(
        "port",
        "mkdir /www; head -c 300000 /dev/zero | tr '\\0' y > /www/index.html; exec httpd -f -p 8080 -h /www",
    ));
    let name = web.spec.name.clone();
    scene.deploy(&web).await;
    scene.ready(&name, 1, 1).await;
    let to = |port| ForwardOrder { service: name.clone(), port };
    let answer = until("an answer", async || {
        let mut connection = scene.handler.port_forward(&[], &to(8080)).await.map_err(|failure| failure.to_string())?;
        connection.input.send(StreamInput::Bytes("GET / HTTP/1.0\r\n\r\n".into())).await.unwrap();
        let mut answer = Vec::new();
        while let Some(bytes) = connection.output.next().await {
            match bytes.map_err(|failure| failure.to_string())? {
                StreamItem::Bytes(bytes) => answer.extend_from_slice(&bytes),
                other => panic!("{other:?}"),
            }
        }
        if answer.is_empty() { Err("nothing".to_owned()) } else { Ok(answer) }
    })
    .await;
    assert!(answer.ends_with(&[b'y'; 300_000]), "{} bytes", answer.len());

    let mut nobody = scene.handler.port_forward(&[], &to(9)).await.unwrap();
    let failure = nobody.output.next().await.unwrap().unwrap_err();
    assert!(failure.message.contains("refused"), "{failure}");
    scene.remove(&name).await;
}
