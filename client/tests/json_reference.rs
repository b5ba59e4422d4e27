//! `docs/reference/json.md`: the keys of `-o json`, `-o yaml` and of YAML files, written from the protocol's own source.
//!
//! Write it again with `MUSTER_WRITE_REFERENCE=1 cargo test -p muster-client --test json_reference`.

#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

use std::fmt::Write;
use std::{env, fs};

use muster_client::protocol::model::cluster::ClusterSpec;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Fields, File, GenericArgument, Ident, Item, ItemEnum, ItemStruct, Lit, LitInt, LitStr};
use syn::{Meta, PathArguments, Token, Type};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What to show, in the order of the page: the source file and its title.
const SOURCES: [(&str, &str); 19] = [
    ("model/cluster.rs", "Clusters"),
    ("model/plan.rs", "Plans"),
    ("model/service/mod.rs", "Services"),
    ("model/service/files.rs", "Files in containers"),
    ("model/service/ports.rs", "Ports"),
    ("model/service/health.rs", "Health checks"),
    ("model/service/update.rs", "Updates of services"),
    ("model/service/logs.rs", "Output of services"),
    ("model/host.rs", "Hosts"),
    ("model/container.rs", "Containers"),
    ("model/catalog.rs", "Catalog"),
    ("model/operation.rs", "Operations"),
    ("model/event.rs", "Events"),
    ("model/account.rs", "Accounts and findings"),
    ("model/token.rs", "Tokens"),
    ("model/audit.rs", "The audit trail"),
    ("error.rs", "Errors and causes"),
    ("response.rs", "The caller"),
    ("principal.rs", "Principals"),
];

const HEAD: &str = "\
<!-- Written from protocol/src by client/tests/json_reference.rs, which checks that it is current. -->

# JSON and YAML

What `-o json` and `-o yaml` print, and what YAML files say. Keys are camelCase; they are only ever added to, and a word
of a list of words never changes its meaning. A word of a later release than this command is shown as `unknown-<number>`.
A key without a value is there and `null`. A key marked *optional* may be
left out of a file.

| command | prints |
|---|---|
| `cluster list`, `cluster info` | list of [ClusterSummary](#clustersummary), [ClusterInfo](#clusterinfo) |
| `cluster plan`, `cluster create --plan` | [Plan](#plan) |
| `service list`, `service info` | list of [ServiceInfo](#serviceinfo), [ServiceInfo](#serviceinfo) |
| `service logs` | one [LogLine](#logline) a line |
| `host list`, `host info` | list of [HostInfo](#hostinfo), [HostInfo](#hostinfo) |
| `container list`, `container info` | list of [ContainerInfo](#containerinfo), [ContainerInfo](#containerinfo) |
| `catalog list`, `catalog show` | [CatalogListing](#cataloglisting), [TemplateInfo](#templateinfo) |
| `operation list`, `operation info`, `watch`, `cancel`, and every change | list of [OperationInfo](#operationinfo), [OperationInfo](#operationinfo) |
| `events` | one [Event](#event) a line |
| `account list`, `account add` | list of [AccountInfo](#accountinfo), [AccountInfo](#accountinfo) |
| `account check` | [AccountCheck](#accountcheck) |
| `account remove` | `removed`: the account's name |
| `token list` | list of [TokenInfo](#tokeninfo) |
| `token create` | `token`, the token itself, and `info`, a [TokenInfo](#tokeninfo) |
| `token revoke` | `revoked`: the token's name |
| `audit list`, `audit verify` | list of [AuditRecord](#auditrecord), [AuditVerification](#auditverification) |
| `doctor` | list of [Finding](#finding) |
| `whoami` | [Whoami](#whoami) |
| `version` | `client` and `daemon`: versions, as text; the daemon's is null if it is not known, and `daemonError` says why |
| `exit-codes` | list of `code`, a number, and `meaning` |
| any that fails, on standard error | [Error](#error) |

| file | says |
|---|---|
| `cluster create -f`, `cluster plan -f` | [ClusterSpec](#clusterspec) |
| `service create -f`, `service update -f` | [ServiceSpec](#servicespec) |
| `account add -f` | [AccountSpec](#accountspec) |
";

#[test]
fn limits_that_the_page_tells_are_those_that_hold() {
    let page = page();
    assert!(page.contains(&format!("Odd, at most {}.", ClusterSpec::MAX_CONTROL_PLANES)));
    assert!(page.contains(&format!("At most {}.", ClusterSpec::MAX_WORKERS)));
}

#[test]
fn the_committed_page_is_current() {
    let path = format!("{ROOT}/docs/reference/json.md");
    let page = page();
    if env::var_os("MUSTER_WRITE_REFERENCE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "write it again: MUSTER_WRITE_REFERENCE=1 cargo test -p muster-client --test json_reference"
    );
}

#[test]
fn every_link_leads_to_a_heading() {
    let page = page();
    for link in page.split("](#").skip(1) {
        let target = link.split(')').next().unwrap();
        let is_there = page.lines().any(|line| line.strip_prefix("### ").is_some_and(|h| h.to_lowercase() == target));
        assert!(is_there, "{target}");
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (path, title) in SOURCES {
        let source = fs::read_to_string(format!("{ROOT}/protocol/src/{path}")).unwrap();
        let file: File = syn::parse_file(&source).unwrap();
        let mut part = String::new();
        for item in &file.items {
            if let Item::Struct(item) = item {
                structure(&mut part, item);
            } else if let Item::Enum(item) = item {
                words(&mut part, item);
            } else if let Item::Macro(item) = item
                && item.mac.path.is_ident("growing_words")
            {
                growing_words(&mut part, &item.mac.parse_body().unwrap());
            }
        }
        write!(page, "\n## {title}\n{part}").unwrap();
    }
    page
}

fn structure(page: &mut String, item: &ItemStruct) {
    // Generic and wire-only types have no camelCase keys; types that are written as text are said in `type_words`.
    let Fields::Named(fields) = &item.fields else { return };
    if serde_value(&item.attrs, "rename_all").as_deref() != Some("camelCase") || !item.generics.params.is_empty() {
        return;
    }
    write!(page, "\n### {}\n\n{}\n\n| key | value | meaning |\n|---|---|---|\n", item.ident, text(&item.attrs))
        .unwrap();
    for field in &fields.named {
        let key = camel_case(&field.ident.as_ref().unwrap().to_string());
        let optional = if has_serde(&field.attrs, "default") { ", *optional*" } else { "" };
        let meaning = text(&field.attrs).replace('|', "\\|");
        writeln!(page, "| `{key}` | {}{optional} | {meaning} |", type_words(&field.ty)).unwrap();
    }
}

fn words(page: &mut String, item: &ItemEnum) {
    if serde_value(&item.attrs, "rename_all").as_deref() != Some("kebab-case") {
        return;
    }
    write!(page, "\n### {}\n\n{}\n\n| word | meaning |\n|---|---|\n", item.ident, text(&item.attrs)).unwrap();
    for variant in &item.variants {
        let word = kebab_case(&variant.ident.to_string());
        let form = match &variant.fields {
            Fields::Unit => format!("`{word}`"),
            Fields::Unnamed(fields) => format!("`{word}:` {}", type_words(&fields.unnamed[0].ty)),
            Fields::Named(fields) => {
                let keys = fields
                    .named
                    .iter()
                    .map(|field| format!("{}: …", camel_case(&field.ident.as_ref().unwrap().to_string())));
                format!("`{word}: {{{}}}`", keys.collect::<Vec<_>>().join(", "))
            }
        };
        writeln!(page, "| {form} | {} |", text(&variant.attrs).replace('|', "\\|")).unwrap();
    }
}

/// An enum of words that later releases may add to, as `growing_words!` declares it.
struct GrowingWords {
    attributes: Vec<Attribute>,
    name: Ident,
    words: Vec<(Vec<Attribute>, LitStr)>,
}

impl Parse for GrowingWords {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<Token![pub]>()?;
        input.parse::<Token![enum]>()?;
        let name = input.parse()?;
        let body;
        syn::braced!(body in input);
        let mut words = Vec::new();
        while !body.is_empty() {
            let about = body.call(Attribute::parse_outer)?;
            body.parse::<Ident>()?;
            body.parse::<Token![=]>()?;
            body.parse::<LitInt>()?;
            body.parse::<Token![=>]>()?;
            words.push((about, body.parse()?));
            body.parse::<Token![,]>()?;
        }
        Ok(Self { attributes, name, words })
    }
}

fn growing_words(page: &mut String, item: &GrowingWords) {
    write!(page, "\n### {}\n\n{}\n\n| word | meaning |\n|---|---|\n", item.name, text(&item.attributes)).unwrap();
    for (about, word) in &item.words {
        writeln!(page, "| `{}` | {} |", word.value(), text(about).replace('|', "\\|")).unwrap();
    }
}

/// A type, in the words of JSON.
fn type_words(ty: &Type) -> String {
    let Type::Path(path) = ty else { panic!("a type of another form") };
    let last = path.path.segments.last().unwrap();
    let inner: Vec<String> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .map(|argument| {
                let GenericArgument::Type(ty) = argument else { panic!("an argument of another form") };
                type_words(ty)
            })
            .collect(),
        PathArguments::None | PathArguments::Parenthesized(_) => Vec::new(),
    };
    match (last.ident.to_string().as_str(), inner.as_slice()) {
        ("Option", [inner]) => format!("{inner} or null"),
        ("Vec", [inner]) => format!("list of {inner}"),
        ("BTreeMap", [_, value]) => format!("map to {value}"),
        ("String", []) => "text".to_owned(),
        ("bool", []) => "true or false".to_owned(),
        ("u8" | "u16" | "u32" | "u64" | "i64", []) => "number".to_owned(),
        ("Name", []) => "name".to_owned(),
        ("Timestamp", []) => "time (RFC 3339, UTC)".to_owned(),
        ("Bytes", []) => "bytes (number; a file may also say `512Mi`)".to_owned(),
        ("CpuMillis", []) => "cores (such as `500m`; a file may also say `0.5`)".to_owned(),
        ("SecretString", []) => "secret text, shown as `(secret)`".to_owned(),
        ("SecretBytes", []) => "secret text or `{ base64: … }`, shown as `(secret)`".to_owned(),
        ("FileContent", []) => "text or `{ base64: … }`".to_owned(),
        ("FileMode", []) => "a file's mode in octal (text such as `0400`)".to_owned(),
        ("Health", []) => format!("{} or `none`", type_words(&syn::parse_quote!(HealthCheck))),
        ("Constraint", []) => "text (such as `role==worker`, `host!=worker-2`, `label.disk==ssd`)".to_owned(),
        (id, []) if id.ends_with("Id") => "id (UUID)".to_owned(),
        (other, []) => format!("[{other}](#{})", other.to_lowercase()),
        (other, _) => panic!("no words for the type {other}"),
    }
}

/// The documentation, without links into the source, which lead nowhere on this page.
fn text(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| {
            let Meta::NameValue(doc) = &attribute.meta else { return None };
            let Expr::Lit(literal) = &doc.value else { return None };
            let Lit::Str(line) = &literal.lit else { return None };
            Some(line.value().trim().to_owned())
        })
        .collect();
    lines.join(" ").replace("[`", "`").replace("`]", "`")
}

fn has_serde(attributes: &[Attribute], key: &str) -> bool {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute
            .parse_nested_meta(|meta| {
                found |= meta.path.is_ident(key);
                if meta.input.peek(syn::Token![=]) {
                    meta.value()?.parse::<Lit>()?;
                }
                Ok(())
            })
            .unwrap();
    }
    found
}

fn serde_value(attributes: &[Attribute], key: &str) -> Option<String> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute
            .parse_nested_meta(|meta| {
                if meta.input.peek(syn::Token![=]) {
                    let value: Lit = meta.value()?.parse()?;
                    if let (true, Lit::Str(text)) = (meta.path.is_ident(key), value) {
                        found = Some(text.value());
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    found
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

fn kebab_case(pascal: &str) -> String {
    let mut word = String::new();
    for letter in pascal.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}
