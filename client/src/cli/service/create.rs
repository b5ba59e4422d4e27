//! `muster service create --cluster C --template T …` or `-f service.yaml`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::request::ServiceSource;
use muster_protocol::{Name, SecretString};

use super::secrets::Secrets;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::input;

/// The arguments.
#[derive(Debug, Args)]
#[command(mut_arg("secret_file", |secrets| secrets.conflicts_with("template")))]
#[command(after_help = "Examples:\n  \
    muster service create --cluster demo --template nginx --set replicas=3 --wait\n  \
    muster service create --cluster demo --template postgres --set password=@password.txt\n  \
    muster service create --cluster demo -f service.yaml --secret-file token=token.txt\n\n\
    Secrets: arguments can be seen by every user of this machine (ps). Give a secret as --set KEY=@FILE,\n\
    --set-file KEY=FILE or --secret-file NAME=FILE instead; @- and - are standard input. Of a file\n\
    with one line, the line's end is not part of the value; one with several lines is taken as it is. A value that\n\
    begins with @ is written @@.")]
pub struct Create {
    /// The cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    /// A template of the catalog
    #[arg(short, long, value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    pub template: Option<Name>,
    /// The name of the template's first service, and the others' prefix [default: the template's name]
    #[arg(long, requires = "template", conflicts_with = "file")]
    pub name: Option<Name>,
    /// A parameter of the template; KEY=@FILE reads the value from a file. Can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = input::pair, requires = "template", conflicts_with = "file")]
    pub set: Vec<(String, String)>,
    /// A parameter whose value is a file's text; `-` is standard input. Can be given several times
    #[arg(long, value_name = "KEY=FILE", value_parser = input::pair, requires = "template", conflicts_with = "file")]
    pub set_file: Vec<(String, String)>,
    /// A YAML file with the service; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub secrets: Secrets,
    #[command(flatten)]
    pub change: Change,
}

impl Create {
    /// Asks for it.
    pub async fn run(mut self, context: &mut Context) -> Result<()> {
        let change = std::mem::take(&mut self.change);
        let cluster = self.cluster.clone();
        let source = self.source()?;
        let client = context.client().await?;
        let operation = client.service_create(&cluster, source, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }

    fn source(self) -> Result<ServiceSource> {
        if let Some(file) = self.file {
            let mut spec: ServiceSpec = input::read_yaml(&file)?;
            self.secrets.fill(&mut spec)?;
            return Ok(ServiceSource::Spec(Box::new(spec)));
        }
        let Some(template) = self.template else {
            return Err(Failure::usage("no service is said", "give --template, or a file with -f"));
        };
        let mut given = Vec::new();
        for (key, text) in self.set {
            given.push((key, input::value(&text)?));
        }
        for (key, path) in self.set_file {
            given.push((key, input::value_of_file(path.as_ref())?));
        }
        let mut values: BTreeMap<String, SecretString> = BTreeMap::new();
        input::collect(&mut values, given, "--set or --set-file")?;
        Ok(ServiceSource::Template { template, name: self.name, values })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn parse(arguments: &[&str]) -> std::result::Result<Create, clap::Error> {
        Line::try_parse_from([&["create", "--cluster", "demo"], arguments].concat()).map(|line| line.create)
    }

    #[test]
    fn template_values_come_from_arguments_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        let (at, plain) = (format!("password=@{}", path.display()), format!("token={}", path.display()));
        let arguments = ["--template", "postgres", "--set", "size=1Gi", "--set", &at, "--set-file", &plain];
        let source = parse(&arguments).unwrap().source().unwrap();
        let ServiceSource::Template { template, name, values } = source else { panic!("not a template") };
        assert_eq!((template.as_str(), name), ("postgres", None));
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        assert_eq!(values, [("password", "s3cret"), ("size", "1Gi"), ("token", "s3cret")]);
    }

    #[test]
    fn a_file_and_a_template_exclude_each_other_and_one_is_needed() {
        assert!(parse(&[]).is_err());
        assert!(parse(&["-f", "x", "--template", "nginx"]).is_err());
        assert!(parse(&["-f", "x", "--set", "a=b"]).is_err());
        assert!(parse(&["--template", "nginx", "--secret-file", "a=b"]).is_err());
    }

    #[test]
    fn a_parameter_is_given_once() {
        let create = parse(&["--template", "nginx", "--set", "a=b", "--set", "a=c"]).unwrap();
        assert!(create.source().is_err());
    }

    #[test]
    fn secrets_of_a_file_are_filled_in_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (spec, token) = (folder.path().join("service.yaml"), folder.path().join("token"));
        fs::write(&spec, "name: web\nimage: nginx\nsecrets:\n- name: token\n").unwrap();
        fs::write(&token, "abc\n").unwrap();
        let arguments = |name: &str| {
            let secret = format!("{name}={}", token.display());
            parse(&["-f", spec.to_str().unwrap(), "--secret-file", &secret]).unwrap()
        };
        let ServiceSource::Spec(filled) = arguments("token").source().unwrap() else { panic!("not a spec") };
        assert_eq!(filled.secrets[0].value.as_ref().unwrap().expose(), b"abc");
        assert!(arguments("tokem").source().is_err());
    }
}
