//! Templates, and services made of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use muster_client::ClientError;
use muster_client::protocol::model::operation::OperationInfo;
use muster_client::protocol::request::ServiceSource;
use muster_client::protocol::{ErrorCode, SecretString};

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

const BUILT_IN: [&str; 9] =
    ["batch-job", "hello", "nats", "nginx", "postgres", "prometheus", "redis", "registry", "wordpress"];

pub(super) fn cases() -> Cases {
    Cases::about("catalog")
        .case("it lists every template that is built in", lists_every_template)
        .case("a template shows its parameters with their defaults", shows_parameters)
        .case("a template that is not there is not found", unknown_template)
        .case("a service of a template has the values that were given", service_of_a_template)
        .case("a service says of which template it was made", says_its_template)
        .case("a value for a parameter that a template does not have is refused", unknown_parameter)
        .case("a value outside a parameter's range is refused", value_out_of_range)
        .case("a parameter without a default must be given", missing_parameter)
}

async fn lists_every_template(world: World) -> Result<()> {
    let listing = world.client.catalog_list().await?;
    for name in BUILT_IN {
        ensure!(listing.templates.iter().any(|template| template.name.as_str() == name), "{name} is missing");
    }
    ensure!(listing.broken.is_empty(), "{:?}", listing.broken);
    Ok(())
}

async fn shows_parameters(world: World) -> Result<()> {
    let template = world.client.catalog_show(&"hello".parse()?).await?;
    let greeting = template.parameters.iter().find(|parameter| parameter.name == "greeting");
    let greeting = greeting.context("no greeting")?;
    ensure!(greeting.default.as_deref() == Some("Hello from Muster") && !greeting.required, "{greeting:?}");
    Ok(())
}

async fn unknown_template(world: World) -> Result<()> {
    refused(world.client.catalog_show(&"no-such".parse()?).await, ErrorCode::NotFound, "template")?;
    Ok(())
}

/// Asks for the greeting with these values.
async fn hello(world: &World, values: &[(&str, &str)]) -> Result<Result<OperationInfo, ClientError>> {
    of_template(world, "hello", values).await
}

async fn of_template(
    world: &World,
    template: &str,
    values: &[(&str, &str)],
) -> Result<Result<OperationInfo, ClientError>> {
    let name = world.name(template)?;
    world.owns(&name);
    let values: BTreeMap<String, SecretString> =
        values.iter().map(|(name, value)| ((*name).to_owned(), SecretString::new(*value))).collect();
    let source = ServiceSource::Template { template: template.parse()?, name: Some(name), values };
    Ok(world.client.service_create(&world.cluster, source, None).await)
}

async fn service_of_a_template(world: World) -> Result<()> {
    let published = world.host_port(0).to_string();
    let values = [("greeting", "as $GIVEN"), ("image", world.image.as_str()), ("published", published.as_str())];
    let asked = hello(&world, &values).await??;
    succeeded(world.client.wait(asked.id).await?)?;
    let info = world.info(&world.name("hello")?).await?;
    ensure!(info.spec.env.get("GREETING").map(String::as_str) == Some("as $GIVEN"), "{:?}", info.spec.env);
    ensure!(info.spec.ports.first().and_then(|port| port.published) == Some(world.host_port(0)), "{:?}", info.spec);
    Ok(())
}

async fn says_its_template(world: World) -> Result<()> {
    let published = world.host_port(0).to_string();
    hello(&world, &[("image", world.image.as_str()), ("published", published.as_str())]).await??;
    let info = world.info(&world.name("hello")?).await?;
    ensure!(info.template.as_deref() == Some("hello@1.0"), "{:?}", info.template);
    Ok(())
}

async fn unknown_parameter(world: World) -> Result<()> {
    refused(hello(&world, &[("colour", "red")]).await?, ErrorCode::InvalidArgument, "colour")?;
    Ok(())
}

async fn value_out_of_range(world: World) -> Result<()> {
    refused(hello(&world, &[("replicas", "1001")]).await?, ErrorCode::InvalidArgument, "replicas")?;
    Ok(())
}

async fn missing_parameter(world: World) -> Result<()> {
    let asked = of_template(&world, "postgres", &[]).await?;
    refused(asked, ErrorCode::InvalidArgument, "password")?;
    Ok(())
}
