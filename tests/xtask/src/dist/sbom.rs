//! The list of all crates that the programs are compiled from, as CycloneDX 1.6 in JSON (<https://cyclonedx.org/docs/1.6/json>).
//!
//! It is read from `cargo tree` with the very packages and features that are built, because `cargo metadata`, by which
//! ready-made tools go, joins the features of the whole workspace. Checksums come from Cargo.lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::VERSION;
use super::stage::PROGRAMS;
use crate::{host, shell};

/// A crate, by name and version.
type Crate = (String, String);

/// What is compiled, and what each crate uses.
#[derive(Default)]
struct Graph {
    licences: BTreeMap<Crate, String>,
    uses: BTreeMap<Crate, BTreeSet<Crate>>,
}

/// Writes the list of what cargo compiles for these packages and features.
pub fn write(selection: &[&str], file: &Path) -> Result<()> {
    let mut tree = host::cargo();
    tree.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "depth", "--format", "\t{p}\t{l}\t"]);
    let graph = Graph::read(&shell::capture(tree.args(selection))?)?;
    let lock = fs::read_to_string(host::checkout().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let text = serde_json::to_string_pretty(&document(&graph, &checksums(&lock))).context("cannot write JSON")?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

impl Graph {
    /// Reads lines `DEPTH<tab>NAME vVERSION …<tab>LICENCE<tab>`; a crate's own lines follow where it is seen first.
    fn read(tree: &str) -> Result<Graph> {
        let mut graph = Graph::default();
        let mut above: Vec<Crate> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let strange = || format!("a strange line of cargo tree: {line}");
            let mut fields = line.split('\t');
            let (depth, package) = (fields.next().with_context(strange)?, fields.next().with_context(strange)?);
            let licence = fields.next().with_context(strange)?;
            let (name, version) = package.split_once(" v").with_context(strange)?;
            let version = version.split(' ').next().unwrap_or(version);
            let found: Crate = (name.to_owned(), version.to_owned());
            above.truncate(depth.parse().with_context(strange)?);
            if let Some(user) = above.last() {
                graph.uses.entry(user.clone()).or_default().insert(found.clone());
            }
            graph.licences.insert(found.clone(), licence.to_owned());
            above.push(found);
        }
        Ok(graph)
    }
}

/// The SHA-256 of each crate that comes from a registry.
fn checksums(lock: &str) -> BTreeMap<Crate, String> {
    let field = |package: &str, name: &str| {
        let start = format!("{name} = \"");
        package.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"').map(str::to_owned))
    };
    let of_package =
        |package| Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?));
    lock.split("[[package]]").filter_map(of_package).collect()
}

fn document(graph: &Graph, checksums: &BTreeMap<Crate, String>) -> Value {
    let components = graph.licences.iter().map(|(of, licence)| component(of, licence, checksums.get(of)));
    let dependencies = graph.licences.keys().map(|of| {
        let uses: Vec<String> = graph.uses.get(of).into_iter().flatten().map(reference).collect();
        json!({"ref": reference(of), "dependsOn": uses})
    });
    let programs = PROGRAMS.map(|name| json!({"type": "application", "name": name, "version": VERSION}));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "cargo xtask dist", "version": VERSION}]},
            "component": {"type": "application", "name": "muster", "version": VERSION, "components": programs},
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

fn component(of: &Crate, licence: &str, checksum: Option<&String>) -> Value {
    let (name, version) = of;
    // A slash is Cargo's old way to say OR.
    let licence: Vec<&str> = licence.split('/').map(str::trim).collect();
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(of),
        "name": name,
        "version": version,
        "licenses": [{"expression": licence.join(" OR ")}],
    });
    // Our own crates are in no registry.
    if let Some(checksum) = checksum {
        component["purl"] = json!(reference(of));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

/// How a crate is named within the list, and where it is from a registry, everywhere: its package URL.
fn reference((name, version): &Crate) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0\tmusterd v0.1.0 (/x/daemon)\tMIT OR Apache-2.0\t\n1\tserde v1.0.2\tMIT / Apache-2.0\t\n\
                        2\tserde_derive v1.0.2 (proc-macro)\tMIT\t\n1\taws-lc-sys v0.9.0+x\tISC\t\n\n\
                        0\tmuster-client v0.1.0 (/x/client)\tMIT\t\n1\tserde v1.0.2\tMIT/Apache-2.0\t (*)\n";
    const LOCK: &str = "[[package]]\nname = \"musterd\"\nversion = \"0.1.0\"\n\n\
                        [[package]]\nname = \"serde\"\nversion = \"1.0.2\"\nchecksum = \"ab12\"\n";

    #[test]
    fn every_crate_is_listed_once_with_what_it_uses() {
        let made = document(&Graph::read(TREE).unwrap(), &checksums(LOCK));
        let names: Vec<&str> =
            made["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["aws-lc-sys", "muster-client", "musterd", "serde", "serde_derive"]);
        let uses = |of: &str| {
            let all = made["dependencies"].as_array().unwrap();
            all.iter().find(|one| one["ref"] == of).unwrap()["dependsOn"].clone()
        };
        assert_eq!(uses("pkg:cargo/musterd@0.1.0"), json!(["pkg:cargo/aws-lc-sys@0.9.0%2Bx", "pkg:cargo/serde@1.0.2"]));
        assert_eq!(uses("pkg:cargo/serde@1.0.2"), json!(["pkg:cargo/serde_derive@1.0.2"]));
        assert_eq!(uses("pkg:cargo/muster-client@0.1.0"), json!(["pkg:cargo/serde@1.0.2"]));
    }

    #[test]
    fn crates_of_a_registry_have_their_checksum_and_a_licence_of_today_and_ours_have_none() {
        let made = document(&Graph::read(TREE).unwrap(), &checksums(LOCK));
        let of = |name: &str| {
            let all = made["components"].as_array().unwrap();
            all.iter().find(|one| one["name"] == name).unwrap().clone()
        };
        assert_eq!(of("serde")["hashes"], json!([{"alg": "SHA-256", "content": "ab12"}]));
        assert_eq!(of("serde")["licenses"], json!([{"expression": "MIT OR Apache-2.0"}]));
        assert_eq!(of("serde")["purl"], "pkg:cargo/serde@1.0.2");
        assert_eq!(of("musterd").get("hashes"), None);
        assert_eq!(of("musterd").get("purl"), None);
    }
}
