//! What the demo shows, step by step, and what must come of each step.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::muster::User;
use super::orchestrator::Orchestrator;
use super::parts::DemoParts;
use super::{fetch, tools};
use crate::{image, shell};

/// The cluster of the story.
pub const CLUSTER: &str = "demo";
/// Its service.
pub const SERVICE: &str = "hello";
const GREETING: &str = "Hello from the demo";

/// A copy that is healthy answers at once; a busy host gets a moment.
const FETCH_LIMIT: Duration = Duration::from_secs(15);

/// How to list one kind of Docker objects, by name.
const OBJECTS: [(&str, &[&str]); 3] = [
    ("containers", &["ps", "--all", "--format", "{{.Names}}"]),
    ("networks", &["network", "ls", "--format", "{{.Name}}"]),
    ("volumes", &["volume", "ls", "--format", "{{.Name}}"]),
];

/// Tells it, all but the end; the mark of all that was made.
pub fn tell(user: &User<'_>, parts: &DemoParts) -> Result<String> {
    chapter("The daemon");
    user.types(&["doctor"])?;
    let whoami = user.asks(&["whoami"])?;
    let instance = field(&whoami, "Instance").context("`muster whoami` tells no instance")?;
    parts.note_instance(instance)?;

    let (copies, more_copies) = parts.orchestrator.copies();
    create(user, parts.orchestrator)?;
    let addresses = deploy(user, parts.image.as_deref(), copies)?;
    fetch_all(&addresses)?;
    scale(user, more_copies)?;
    look_back(user)?;
    tools::show(user, parts.orchestrator, parts.folder())?;
    Ok(instance.to_owned())
}

/// What to type to go on with a cluster that was kept.
pub fn how_to_go_on(user: &User<'_>, page: &str) -> Result<()> {
    chapter("It is yours");
    println!("\nThe cluster `{CLUSTER}` and its daemon stay up. To go on with them:\n\n  {}", user.environment());
    let commands = [
        "muster cluster info demo",
        "muster cluster scale demo --workers 3 --wait",
        "muster service update hello --cluster demo --env GREETING=Hi --wait",
        "muster catalog list",
        "muster events --follow",
        "muster cluster delete demo --wait",
    ];
    commands.iter().for_each(|command| println!("  {command}"));
    println!("\nIts page, which asks for a token: {page}");
    println!("\nTo remove everything:\n\n  cargo xtask demo --clean\n");
    Ok(())
}

/// The last proof: the folder with the state is gone.
pub fn nothing_is_left_of_files(folder: &Path) -> Result<()> {
    ensure!(!folder.exists(), "{} is still there", folder.display());
    println!("files in {}: none", folder.display());
    Ok(())
}

fn create(user: &User<'_>, orchestrator: Orchestrator) -> Result<()> {
    let title = orchestrator.title();
    chapter(&format!("A {title} cluster of three machines: first the plan, then the same for real"));
    let kinds = ["--orchestrator", orchestrator.as_str(), "--infrastructure", "local"];
    let machines = ["--control-planes", "1", "--workers", "2"];
    let create = [&["cluster", "create", CLUSTER][..], &kinds, &machines].concat();
    let plan = user.types(&[&create[..], &["--plan"]].concat())?;
    ensure!(plan.contains("create machine/worker-2"), "the plan has no second worker");
    ensure!(!user.asks(&["cluster", "list"])?.contains(CLUSTER), "a plan alone made a cluster");
    user.types(&[&create[..], &["--wait"]].concat())?;
    user.types(&["cluster", "info", CLUSTER])?;
    let hosts = user.types(&["host", "list"])?;
    let ready = hosts.lines().filter(|line| line.split_whitespace().any(|word| word == "ready")).count();
    ensure!(ready == 3, "{ready} of 3 hosts are ready");
    Ok(())
}

/// Deploys so many copies of the service, each on a machine of its own; where it answers.
fn deploy(user: &User<'_>, image: Option<&str>, count: usize) -> Result<Vec<String>> {
    chapter("A service from the catalog");
    user.types(&["catalog", "show", SERVICE])?;
    let image = image.map(|image| format!("image={image}"));
    let parameters = [format!("greeting={GREETING}"), format!("replicas={count}")].into_iter().chain(image);
    let parameters: Vec<String> = parameters.collect();
    let set = parameters.iter().flat_map(|parameter| ["--set", parameter.as_str()]);
    let create = ["service", "create", "--cluster", CLUSTER, "--template", SERVICE];
    user.types(&create.into_iter().chain(set).chain(["--wait"]).collect::<Vec<_>>())?;
    let info = user.types(&["service", "info", SERVICE, "--cluster", CLUSTER])?;
    copies(user, count)?;
    answering_at(&info, count)
}

fn scale(user: &User<'_>, count: usize) -> Result<()> {
    chapter("One copy more");
    user.types(&["service", "scale", SERVICE, "--cluster", CLUSTER, "--replicas", &count.to_string(), "--wait"])?;
    copies(user, count)?;
    let info = user.asks(&["service", "info", SERVICE, "--cluster", CLUSTER])?;
    fetch_all(&answering_at(&info, count)?)
}

fn look_back(user: &User<'_>) -> Result<()> {
    chapter("What was said and done");
    let logs = user.types(&["service", "logs", SERVICE, "--cluster", CLUSTER])?;
    ensure!(logs.contains(GREETING), "the service's logs do not have its greeting");
    user.types(&["operation", "list"])?;
    let events = user.types_for_last_lines(&["events", "--cluster", CLUSTER], 8)?;
    ensure!(events.contains("service-scale succeeded"), "the events do not tell of the scaling");
    Ok(())
}

/// Back to nothing, which is shown.
pub fn delete(user: &User<'_>, instance: &str) -> Result<()> {
    chapter("Back to nothing");
    println!("\nEverything that this daemon makes carries its mark, io.muster.instance={instance}:");
    let before = marked(instance)?;
    show(&before);
    ensure!(before.iter().all(|(_, names)| !names.is_empty()), "the marks are missing");
    user.types(&["cluster", "delete", CLUSTER, "--wait"])?;
    user.types(&["cluster", "list"])?;
    println!();
    let after = marked(instance)?;
    show(&after);
    ensure!(after.iter().all(|(_, names)| names.is_empty()), "something was not removed");
    // Not only what is marked: the very objects that were there before.
    let all = listed(&[])?;
    let left = before.iter().zip(&all).flat_map(|((_, old), (_, now))| old.intersection(now)).next();
    ensure!(left.is_none(), "{} is still there", left.map_or("", |name| name));
    Ok(())
}

/// Shows the containers and sees that so many run.
fn copies(user: &User<'_>, count: usize) -> Result<()> {
    let containers = user.types(&["container", "list", "--cluster", CLUSTER])?;
    let running = containers.lines().filter(|line| line.split_whitespace().any(|word| word == "running")).count();
    ensure!(running == count, "{running} of {count} containers run");
    Ok(())
}

/// Fetches from every address. Each must greet, and each in another container's name.
fn fetch_all(addresses: &[String]) -> Result<()> {
    let mut containers = BTreeSet::new();
    for address in addresses {
        println!("\nGET http://{address}/");
        let mut refusal = None;
        let body = shell::poll(FETCH_LIMIT, || match fetch::get(address) {
            Ok(body) => Ok(Some(body)),
            Err(error) => {
                refusal = Some(error);
                Ok(None)
            }
        })?;
        let Some(body) = body else {
            return Err(refusal.context("never asked")?);
        };
        println!("{}", body.trim_end());
        ensure!(body.starts_with(GREETING), "that is not the greeting");
        containers.insert(body);
    }
    ensure!(containers.len() == addresses.len(), "two addresses were answered by the same container");
    Ok(())
}

type Names = BTreeSet<String>;

fn marked(instance: &str) -> Result<Vec<(&'static str, Names)>> {
    listed(&["--filter", &format!("label=io.muster.instance={instance}")])
}

fn listed(filter: &[&str]) -> Result<Vec<(&'static str, Names)>> {
    let of_kind = |(kind, list): (&'static str, &[&str])| {
        let names = image::docker(&[list, filter].concat())?;
        Ok((kind, names.lines().map(str::to_owned).collect()))
    };
    OBJECTS.into_iter().map(of_kind).collect()
}

fn show(objects: &[(&str, Names)]) {
    for (kind, names) in objects {
        let count = if names.is_empty() { "none".to_owned() } else { names.len().to_string() };
        println!("{kind}: {count}");
    }
}

/// The addresses of so many copies.
fn answering_at(info: &str, count: usize) -> Result<Vec<String>> {
    let addresses = endpoints(info);
    ensure!(addresses.len() == count, "the service answers at {} addresses, not at {count}", addresses.len());
    Ok(addresses)
}

/// The addresses in the endpoints of a service's info, `10.0.0.1:80/tcp to port 8080`.
fn endpoints(info: &str) -> Vec<String> {
    let (_, endpoints) = info.split_once("Endpoints:").unwrap_or_default();
    let lines = endpoints.lines().filter_map(|line| line.split_once("/tcp"));
    lines.map(|(address, _)| address.trim().to_owned()).collect()
}

/// The value of `Name:   value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Begins a part of the story.
pub fn chapter(title: &str) {
    println!("\n=== {title}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_the_user_sees() {
        let info = "Name:   hello\n\nPorts:\n  8080/tcp on the machines\n\nEndpoints:\n  10.0.0.2:80/tcp to port 8080\n  10.0.0.3:80/tcp to port 8080";
        assert_eq!(endpoints(info), ["10.0.0.2:80", "10.0.0.3:80"]);
        assert_eq!(endpoints("Name: hello"), Vec::<String>::new());
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("User:   0\nInstance:   abc\n", "Instance"), Some("abc"));
        assert_eq!(field("Instances: 2\n", "Instance"), None);
    }
}
