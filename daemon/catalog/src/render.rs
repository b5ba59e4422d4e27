//! From a template and values to services.

use std::collections::BTreeMap;

use muster_protocol::model::catalog::ParameterKind;
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::{Error, Name, SecretBytes, SecretString, nearest};
use rand::distr::{Alphanumeric, SampleString};
use serde_json::Value as Json;

use crate::parameter::{Parameter, SERVICE_NAME};
use crate::template::{SecretTemplate, ServiceTemplate, Template};
use crate::value::{Value, Values};

/// Length of a secret made at random: 190 bits of letters and digits, which every program and file format takes.
const RANDOM_SECRET_LENGTH: usize = 32;

impl Template {
    /// Makes the template's services, the main one last.
    pub(crate) fn render(
        &self,
        name: &Name,
        given: &BTreeMap<String, SecretString>,
    ) -> Result<Vec<ServiceSpec>, Error> {
        self.refuse_unknown(given)?;
        let mut values = Values::default();
        values.plain.insert(SERVICE_NAME.to_owned(), Value::Text(name.to_string()));
        for parameter in &self.parameters {
            parameter.resolve(given.get(&parameter.info.name), &mut values)?;
        }
        self.services.iter().map(|service| service.render(name, &values)).collect()
    }

    fn refuse_unknown(&self, given: &BTreeMap<String, SecretString>) -> Result<(), Error> {
        let known = || self.parameters.iter().map(|parameter| parameter.info.name.as_str());
        let Some(unknown) = given.keys().find(|name| !known().any(|known| known == name.as_str())) else {
            return Ok(());
        };
        let template = &self.info.name;
        let error = Error::invalid(unknown, format!("template `{template}` has no parameter `{unknown}`"));
        Err(match nearest(unknown, known()) {
            Some(nearest) => error.with_remedy(format!("did you mean `{nearest}`?")),
            None if self.parameters.is_empty() => error.with_remedy("it has no parameters; leave it out"),
            None => error.with_remedy(format!("it has: {}", known().collect::<Vec<_>>().join(", "))),
        })
    }
}

impl Parameter {
    /// Puts the given value, the default or a random secret among the values; nothing for an optional one.
    fn resolve(&self, given: Option<&SecretString>, values: &mut Values) -> Result<(), Error> {
        let name = &self.info.name;
        let refused =
            |message: String| Error::invalid(name, format!("parameter `{name}`: {message}")).with_remedy(self.remedy());
        if given.is_none() && self.info.required {
            return Err(self.missing());
        }
        if self.info.kind == ParameterKind::Secret {
            let secret = match given {
                Some(secret) => secret.clone(),
                None => SecretString::new(Alphanumeric.sample_string(&mut rand::rng(), RANDOM_SECRET_LENGTH)),
            };
            self.accept_secret(secret.expose()).map_err(refused)?;
            values.secret.insert(name.clone(), secret);
            return Ok(());
        }
        let text = given.map(SecretString::expose).or(self.info.default.as_deref());
        if let Some(text) = text {
            values.plain.insert(name.clone(), self.accept(text).map_err(refused)?);
        }
        Ok(())
    }

    fn missing(&self) -> Error {
        let name = &self.info.name;
        let value = if self.info.kind == ParameterKind::Secret { "@FILE" } else { "…" };
        Error::invalid(name, format!("parameter `{name}` is missing"))
            .with_remedy(format!("give it with `--set {name}={value}`: {}", self.info.description))
    }
}

impl ServiceTemplate {
    fn render(&self, given: &Name, values: &Values) -> Result<ServiceSpec, Error> {
        let (key, name) = match &self.suffix {
            None => ("main", given.clone()),
            Some(suffix) => (suffix.as_str(), suffixed(given, suffix)?),
        };
        let mut body = self.body.render(values).unwrap_or_default();
        if let Json::Object(fields) = &mut body {
            fields.insert("name".to_owned(), Json::from(name.as_str()));
        }
        let mut spec: ServiceSpec = serde_path_to_error::deserialize(body).map_err(|e| {
            let path = e.path().to_string();
            let field = if path == "." { format!("services.{key}") } else { format!("services.{key}.{path}") };
            let message = format!("{field}: {}", e.inner());
            Error::invalid(&field, message)
        })?;
        for secret in &self.secrets {
            let value = secret.value.render(|name| {
                let plain = || values.plain.get(name).map(Value::as_text);
                values.secret.get(name).map(|secret| secret.expose().to_owned()).or_else(plain)
            });
            let value = value.map(SecretBytes::new);
            let SecretTemplate { name, value: _, path, mode, uid, gid } = secret;
            let (name, path) = (name.clone(), path.clone());
            spec.secrets.push(SecretFile { name, value, path, mode: *mode, uid: *uid, gid: *gid });
        }
        muster_engine::validate::service(&spec)
            .map_err(|e| Error { message: format!("services.{key}: {}", e.message), ..e })?;
        Ok(spec)
    }
}

fn suffixed(given: &Name, suffix: &Name) -> Result<Name, Error> {
    format!("{given}-{suffix}").parse().map_err(|e| {
        let longest = Name::MAX_LENGTH.saturating_sub(suffix.as_str().len() + 1);
        Error::invalid("name", format!("`{given}-{suffix}`: {e}"))
            .with_remedy(format!("choose a name of at most {longest} characters"))
    })
}
