//! Reading the built-in templates and the user's folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use muster_protocol::model::catalog::BrokenTemplate;

use crate::Catalog;
use crate::builtin::BUILT_IN;
use crate::template::Template;

/// No template that people write comes near this; what is larger was put there by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Catalog {
    /// Reads the built-in templates, then every `*.yaml` and `*.yml` of the user's folder by name. A template of the
    /// user's takes the place of a built-in one of the same name, and its origin says so. A broken file is reported in
    /// the listing and skipped; a folder that does not exist holds no templates. Reads files, so not for async workers.
    pub fn load(user_dir: Option<&Path>) -> Self {
        let mut catalog = Self { templates: BTreeMap::new(), broken: Vec::new() };
        for (file, yaml) in BUILT_IN {
            match Template::parse(yaml, "built-in") {
                Ok(template) => {
                    catalog.templates.insert(template.info.name.clone(), template);
                }
                Err(message) => catalog.report(&format!("built-in {file}"), message),
            }
        }
        if let Some(user_dir) = user_dir {
            match yaml_files(user_dir) {
                Ok(files) => files.iter().for_each(|file| catalog.load_user_file(file)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => catalog.report(&user_dir.display().to_string(), format!("cannot be read: {e}")),
            }
        }
        catalog
    }

    fn load_user_file(&mut self, path: &Path) {
        let origin = path.display().to_string();
        let parsed = read_limited(path).and_then(|yaml| Template::parse(&yaml, &origin));
        let mut template = match parsed {
            Ok(template) => template,
            Err(message) => return self.report(&origin, message),
        };
        if let Some(other) = self.templates.get(&template.info.name) {
            let (name, other) = (&template.info.name, &other.info.origin);
            if other != "built-in" {
                return self.report(&origin, format!("a template called `{name}` is already in {other}"));
            }
            template.info.origin = format!("{origin} (in place of the built-in `{name}`)");
        }
        self.templates.insert(template.info.name.clone(), template);
    }

    fn report(&mut self, file: &str, message: String) {
        self.broken.push(BrokenTemplate { file: file.to_owned(), message });
    }
}

fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_limited(path: &Path) -> Result<String, String> {
    let cannot = |e: io::Error| format!("cannot be read: {e}");
    // A pipe would block the reader for ever.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut yaml = String::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut yaml).map_err(cannot)?;
    if yaml.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(yaml)
}
