//! Known secrets are looked for in everything that Muster writes, says and shows: none may be found.
//!
//! Covers: createOrchestratorService, updateOrchestratorService, addAccount, createToken, listEvents, listAuditRecords.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use muster_tests::cli::end;
use serde_json::json;

use crate::support::World;

/// One secret, and the forms in which it might lie about.
struct Canary {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new(name: &'static str, secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let hex = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes(), wide];
        // Within something longer it may begin at any place of three; what its neighbours have a part in is left out.
        for before in 0..3 {
            let padded = [&b"\0\0"[..before], bytes].concat();
            let text = STANDARD_NO_PAD.encode(&padded);
            forms.push(text.as_bytes()[before + 1..text.len() - 2].to_vec());
        }
        Self { name, forms }
    }

    fn is_in(&self, content: &[u8]) -> bool {
        self.forms.iter().any(|form| content.windows(form.len()).any(|window| window == &form[..]))
    }
}

/// Every file below a folder.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files_below(&path, found)?
        } else if path.is_file() {
            found.push(path)
        }
    }
    Ok(())
}

/// What was looked at: its name, and its content.
struct Places(Vec<(String, Vec<u8>)>);

impl Places {
    fn add(&mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.push((name.into(), content.into()));
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let mut files = Vec::new();
        files_below(folder, &mut files)?;
        for file in files {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self.add(file.display().to_string(), content);
        }
        Ok(())
    }

    fn add_process(&mut self, name: &str, pid: u32) -> Result<()> {
        for part in ["cmdline", "environ"] {
            let content = fs::read(format!("/proc/{pid}/{part}")).context("cannot read of the process")?;
            self.add(format!("{part} of {name}"), content);
        }
        Ok(())
    }
}

const SECRETS: [&str; 4] =
    ["canary-of-a-service-4711", "canary-of-an-update-4712", "canary-of-a-refusal-4713", "canary-of-an-account-4714"];

#[tokio::test]
async fn no_secret_is_found_in_anything_that_is_written_said_or_shown() -> Result<()> {
    let [service, update, refusal, account] = SECRETS;
    let mut world = World::start().await?;
    let token = world.operator_token.clone();
    let of_token = token.splitn(3, '_').nth(2).context("not a token")?;
    let mut canaries = vec![Canary::new("token", of_token)];
    for (name, secret) in ["service", "update", "refusal", "account"].into_iter().zip(SECRETS) {
        canaries.push(Canary::new(name, secret));
    }
    let mut places = Places(Vec::new());

    // By the command line, from a file of the user's own.
    let outside = tempfile::tempdir()?;
    let credential = |name: &str, value: &str| {
        let file = outside.path().join(name);
        fs::write(&file, value)?;
        anyhow::Ok(format!("{name}={}", file.display()))
    };
    let (id, key) = (credential("accessKeyId", "AKIAEXAMPLE")?, credential("secretAccessKey", account)?);
    let asked = ["account", "add", "trial", "--infrastructure", "ec2", "--endpoint", "http://127.0.0.1:1"];
    let given = ["--default", "region=eu-central-1", "--credential-file", &id, "--credential-file", &key];
    let added = world.daemon.cli().run(&[&asked[..], &given].concat()).await?;
    ensure!(added.code == Some(0), "{}", added.stderr);
    places.add("answer to account add", added.stdout + &added.stderr);

    // Over HTTP: a service, an update of it, and what is refused because of something else.
    world.cluster("demo", 1).await?;
    let spec = |secret: &str, image: &str| json!({"name": "web", "image": image, "secrets": [{"name": "password", "path": "/run/p", "value": secret}]});
    let at = "/v1/orchestrators/demo/services";
    places.add(
        "answer to create",
        world.done("POST", at, Some(json!({"spec": spec(service, "web:1")}))).await?.to_string(),
    );
    let updated = world.done("PUT", &format!("{at}/web/spec"), Some(spec(update, "web:2"))).await?;
    places.add("answer to update", updated.to_string());
    let refused = world.operator.post(at, json!({"spec": spec(refusal, "not an image")})).await?;
    ensure!(refused.status == 400, "{}", refused.text());
    places.add("refusal", refused.body.to_vec());
    let unreadable = format!("{{\"spec\":{{\"name\":\"x\",\"secrets\":[{{\"value\":\"{refusal}\",\"name\":7}}]}}}}");
    let refused = world.operator.send_bytes("POST", at, Some("application/json"), unreadable.into()).await?;
    ensure!(refused.status >= 400, "{}", refused.text());
    places.add("refusal of what cannot be read", refused.body.to_vec());

    for path in [
        "/v1/orchestrators",
        "/v1/orchestrators/demo",
        "/v1/orchestrators/demo/services/web",
        "/v1/operations",
        "/v1/events?follow=false",
        "/v1/accounts",
        "/v1/audit",
        "/v1/tokens",
        "/metrics",
        "/v1/openapi.json",
    ] {
        places.add(path, world.admin.get(path).await?.expect(200)?.body.to_vec());
    }
    for command in [
        &["events"][..],
        &["audit", "list"],
        &["operation", "list"],
        &["service", "info", "web", "--cluster", "demo"],
        &["account", "list"],
        &["token", "list"],
        &["doctor"],
    ] {
        let shown = world.daemon.cli().run(command).await?;
        places.add(command.join(" "), shown.stdout + &shown.stderr);
    }
    places.add_process("musterd", world.daemon.pid()?)?;
    places.add_process("muster-bridge", world.bridge.pid())?;
    places.add("log of the bridge", world.bridge.log());

    // The store and its backup, of a daemon at rest.
    world.daemon.stop()?;
    let backup = outside.path().join("backup");
    let mut command = world.daemon.command(&world.daemon.socket())?;
    command.arg("backup").arg(&backup);
    let ended = end(command.into(), "musterd backup".to_owned()).await?;
    ensure!(ended.code == Some(0), "{}", ended.stderr);
    places.add("backup", fs::read(&backup)?);
    places.add("said by backup", ended.stdout + &ended.stderr);
    places.add_folder(world.daemon.folder())?;
    places.add_folder(world.bridge.folder())?;

    let is_known = |name: &str| places.0.iter().any(|(place, content)| place.contains(name) && !content.is_empty());
    ensure!(is_known("backup") && is_known("/state/") && is_known("cmdline"), "something was not looked at");
    for canary in &canaries {
        let found: Vec<&str> =
            places.0.iter().filter(|(_, content)| canary.is_in(content)).map(|(name, _)| name.as_str()).collect();
        ensure!(found.is_empty(), "the secret of the {} is in {found:?}", canary.name);
    }
    Ok(())
}

#[test]
fn a_canary_is_found_in_every_form() {
    let secret = "canary-4711";
    let canary = Canary::new("x", secret);
    let base64 = |text: String| STANDARD_NO_PAD.encode(text).into_bytes();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let forms = [format!("a {secret} b").into_bytes(), format!("x{hex}").into_bytes(), hex.to_uppercase().into(), wide];
    let in_base64 = ["", "a", "ab", "abc"].map(|before| base64(format!("{before}{secret}and more")));
    for content in forms.iter().chain(&in_base64) {
        assert!(canary.is_in(content), "{}", String::from_utf8_lossy(content));
    }
    assert!(!canary.is_in(b"canary-471"));
}
