//! `docs/reference/roles.md`: what each role can reach, made from the table that daemon and bridge hold requests against.
//!
//! Write it again with `MUSTER_WRITE_REFERENCE=1 cargo test -p muster-protocol --test roles_page`.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod samples;

use std::fmt::Write;
use std::{env, fs};

use muster_protocol::Request;
use muster_protocol::model::token::AccessRole;
use muster_protocol::request::RequiredRole;
use muster_protocol::subject::Reach;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/roles.md");

const HEAD: &str = "\
<!-- Written from protocol/src by protocol/tests/roles_page.rs, which checks that it is current. -->

# What each role can reach

Every request over the socket, and so every command and every path of the HTTP bridge, needs a role. The daemon holds each request
against this table, whoever asks and through whatever; a refusal has the code `permission-denied` and names the role that is missing.
Tests walk the whole of it, on the socket and over HTTP.

Whoever reaches the socket may ask `whoami`, also without a role. Users of the host have the role that `[access]` of the [configuration](configuration.md) gives them; root and the daemon's own user are
administrators. Holders of a [token](../tokens.md) have the token's role, and never a higher one than the user who vouches for it.

With the infrastructure `local`, machines are containers with nearly all rights on the daemon's host. Operators bind no paths of them and choose no
image for them unless `[policy]` of the configuration allows it, but whoever breaks out of a container there is root on the host. A viewer sees everything but secrets: specifications with their environment, output of services, events.

- **limited token**: what a token of some clusters (`--cluster`) reaches with a sufficient role: *its clusters* (of lists, those that it may see),
  *yes*, or *no*.
- **audited**: whether the [audit trail](../audit.md) tells of it, admitted or refused.

| request | viewer | operator | admin | limited token | audited |
|---|---|---|---|---|---|
";

fn page() -> String {
    let mut requests: Vec<Request> = samples::client::requests().into_iter().map(|(_, request)| request).collect();
    requests.sort_by_key(|request| (request.required_role(), request.subject().noun, request.operation_id()));
    let mut page = HEAD.to_owned();
    for request in &requests {
        let may = AccessRole::ALL.map(|role| if role.allows(request.required_role()) { "yes" } else { "–" });
        let [viewer, operator, admin] =
            if request.required_role() == RequiredRole::Vouch { ["trusted users only", "", ""] } else { may };
        let limited = match request.reach() {
            Reach::Shared if request.required_role() == RequiredRole::Vouch => "no",
            Reach::Shared => "yes",
            Reach::Clusters => "its clusters",
            Reach::Host => "no",
        };
        let audited = if request.is_audited() { "yes" } else { "–" };
        let name = request.operation_id();
        writeln!(page, "| `{name}` | {viewer} | {operator} | {admin} | {limited} | {audited} |").unwrap();
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let page = page();
    if env::var_os("MUSTER_WRITE_REFERENCE").is_some() {
        fs::write(PATH, &page).unwrap();
    }
    let committed = fs::read_to_string(PATH).unwrap_or_default();
    assert!(committed == page, "docs/reference/roles.md is not current; see the head of this test");
}

#[test]
fn whatever_changes_something_is_audited_and_needs_more_than_the_right_to_look() {
    for (file, mut request) in samples::client::requests() {
        if request.idempotency_key_mut().is_some() || request.is_duplex() {
            assert!(request.is_audited(), "{file}");
        }
        assert!(!request.is_audited() || request.required_role() > RequiredRole::View, "{file}");
    }
}
