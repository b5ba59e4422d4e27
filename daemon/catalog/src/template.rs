//! One template: its YAML file, taken apart and proved to render.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::model::catalog::{ParameterKind, TemplateInfo};
use muster_protocol::model::service::FileMode;
use muster_protocol::{Name, SecretString, nearest};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::body::Node;
use crate::parameter::{Parameter, ParameterFile, SERVICE_NAME};
use crate::text::Text;

/// The key of the service that gets the given name itself.
const MAIN: &str = "main";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateFile {
    name: Name,
    version: String,
    title: String,
    description: String,
    #[serde(default)]
    parameters: Vec<ParameterFile>,
    #[serde(default)]
    grants: Grants,
    services: BTreeMap<String, Json>,
}

/// What services of a template may do whoever creates them: who writes templates is trusted with it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Grants {
    bind: Vec<String>,
}

/// A template.
pub(crate) struct Template {
    pub(crate) info: TemplateInfo,
    /// In the order of the file.
    pub(crate) parameters: Vec<Parameter>,
    /// Paths of machines that its services may bind whoever creates them, with all below.
    pub(crate) granted_binds: Vec<String>,
    /// In the order in which they are made: helpers by name, then the main service, which may need them.
    pub(crate) services: Vec<ServiceTemplate>,
}

/// One service of a template.
pub(crate) struct ServiceTemplate {
    /// What stands behind the given name; nothing for the main service.
    pub(crate) suffix: Option<Name>,
    /// All but `name` and `secrets`.
    pub(crate) body: Node,
    pub(crate) secrets: Vec<SecretTemplate>,
}

/// One secret file of a service. Secrets never enter the body: here alone a secret parameter may stand.
pub(crate) struct SecretTemplate {
    pub(crate) name: Name,
    pub(crate) value: Text,
    pub(crate) path: Option<String>,
    pub(crate) mode: FileMode,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretFileTemplate {
    name: Name,
    value: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    mode: FileMode,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

impl Template {
    /// Reads a template and tries it with its defaults and with every value at the edge of what it allows.
    pub(crate) fn parse(yaml: &str, origin: &str) -> Result<Self, String> {
        let file: TemplateFile = serde_saphyr::from_str(yaml).map_err(|e| e.without_snippet().to_string())?;
        let mut parameters: Vec<Parameter> = Vec::new();
        for parameter in file.parameters {
            let parameter = Parameter::from_file(parameter)?;
            if parameters.iter().any(|other| other.info.name == parameter.info.name) {
                return Err(format!("parameter `{}` is there twice", parameter.info.name));
            }
            parameters.push(parameter);
        }
        let mut services = Vec::new();
        let mut main = None;
        for (key, body) in file.services {
            let suffix = match key.as_str() {
                MAIN => None,
                _ => Some(key.parse::<Name>().map_err(|e| format!("services: {e}"))?),
            };
            let service = ServiceTemplate::parse(suffix, body, &parameters)
                .map_err(|message| format!("services.{key}: {message}"))?;
            match service.suffix {
                None => main = Some(service),
                Some(_) => services.push(service),
            }
        }
        services.push(main.ok_or_else(|| format!("services: one of them must be called `{MAIN}`"))?);
        let info = TemplateInfo {
            name: file.name,
            version: file.version,
            title: file.title,
            description: file.description.trim().to_owned(),
            origin: origin.to_owned(),
            parameters: parameters.iter().map(|parameter| parameter.info.clone()).collect(),
            services: BTreeMap::new(),
        };
        let granted_binds = file.grants.bind;
        if let Some(path) = granted_binds.iter().find(|path| !path.starts_with('/')) {
            return Err(format!("grants.bind: `{path}` is not an absolute path"));
        }
        let mut template = Self { info, parameters, granted_binds, services };
        template.every_parameter_is_used()?;
        template.info.services = template.prove()?;
        Ok(template)
    }

    fn every_parameter_is_used(&self) -> Result<(), String> {
        let mut used = BTreeSet::new();
        for service in &self.services {
            used.extend(service.body.parameters());
            used.extend(service.secrets.iter().flat_map(|secret| secret.value.parameters()));
        }
        match self.parameters.iter().find(|parameter| !used.contains(parameter.info.name.as_str())) {
            Some(unused) => Err(format!("parameter `{}` is used nowhere", unused.info.name)),
            None => Ok(()),
        }
    }

    /// Renders with samples, then with every extreme of every parameter. Gives the images by suffix.
    fn prove(&self) -> Result<BTreeMap<String, String>, String> {
        let name: Name = "sample".parse().map_err(|e| format!("{e}"))?;
        let mut samples = BTreeMap::new();
        let mut trials = Vec::new();
        for parameter in &self.parameters {
            let info = &parameter.info;
            trials.extend(parameter.extremes().into_iter().map(|value| (&info.name, value)));
            if info.default.is_some() || (info.kind == ParameterKind::Secret && !info.required) {
                continue;
            }
            let sample = parameter
                .sample()
                .ok_or_else(|| format!("parameter `{}`: needs an `example` that its `pattern` allows", info.name))?;
            if info.required {
                samples.insert(info.name.clone(), SecretString::new(sample));
            } else {
                trials.push((&info.name, sample));
            }
        }
        let specs = self.render(&name, &samples).map_err(|e| e.message)?;
        for (parameter, value) in trials {
            let mut values = samples.clone();
            values.insert(parameter.clone(), SecretString::new(value.clone()));
            self.render(&name, &values)
                .map_err(|e| format!("with `{parameter}` = `{value}`, which its limits allow: {}", e.message))?;
        }
        let suffix = |service: &ServiceTemplate| service.suffix.as_ref().map(Name::to_string).unwrap_or_default();
        Ok(self.services.iter().map(suffix).zip(specs.into_iter().map(|spec| spec.image)).collect())
    }
}

impl ServiceTemplate {
    fn parse(suffix: Option<Name>, body: Json, parameters: &[Parameter]) -> Result<Self, String> {
        let Json::Object(mut fields) = body else {
            return Err("a service is a mapping of fields".to_owned());
        };
        if fields.contains_key("name") {
            return Err("`name` is not written: it is the given name, with the service's key behind it".to_owned());
        }
        let secrets = match fields.remove("secrets") {
            Some(secrets) => SecretTemplate::parse_all(secrets)?,
            None => Vec::new(),
        };
        let body = Node::parse(Json::Object(fields))?;
        let service = Self { suffix, body, secrets };
        service.check_parameters(parameters)?;
        Ok(service)
    }

    /// Every parameter exists, and secrets go into secret files and nowhere else.
    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), String> {
        let find = |name: &str| parameters.iter().find(|parameter| parameter.info.name == name);
        let is_secret = |name: &str| find(name).is_some_and(|p| p.info.kind == ParameterKind::Secret);
        let in_body = self.body.parameters();
        let in_secrets = self.secrets.iter().flat_map(|secret| secret.value.parameters());
        for name in in_body.iter().copied().chain(in_secrets) {
            if name != SERVICE_NAME && find(name).is_none() {
                let known = parameters.iter().map(|parameter| parameter.info.name.as_str());
                let hint = nearest(name, known).map(|known| format!(", did you mean `{known}`?")).unwrap_or_default();
                return Err(format!("`${{{name}}}`: there is no such parameter{hint}"));
            }
        }
        if let Some(name) = in_body.into_iter().find(|name| is_secret(name)) {
            return Err(format!("secret parameter `{name}` may only stand in the `value` of `secrets`"));
        }
        match self.secrets.iter().find(|secret| !secret.value.parameters().any(is_secret)) {
            Some(secret) => {
                Err(format!("secret `{}` holds no secret parameter; what is no secret belongs in `files`", secret.name))
            }
            None => Ok(()),
        }
    }
}

impl SecretTemplate {
    fn parse_all(json: Json) -> Result<Vec<Self>, String> {
        let files: Vec<SecretFileTemplate> =
            serde_path_to_error::deserialize(json).map_err(|e| format!("secrets{}: {}", e.path(), e.inner()))?;
        let parse = |file: SecretFileTemplate| {
            if file.path.as_ref().is_some_and(|path| path.contains("${")) {
                return Err(format!("secret `{}`: no parameters in its `path`", file.name));
            }
            let value = Text::parse(&file.value).map_err(|message| format!("secret `{}`: {message}", file.name))?;
            Ok(Self { name: file.name, value, path: file.path, mode: file.mode, uid: file.uid, gid: file.gid })
        };
        files.into_iter().map(parse).collect()
    }
}
