//! The user's own folder of templates.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use muster_catalog::Catalog;
use muster_protocol::SecretString;
use proptest::prelude::*;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (file, yaml) in files {
        fs::write(folder.path().join(file), yaml).expect("written");
    }
    folder
}

fn template(name: &str, parameters: &str, main: &str) -> String {
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "name: {name}\nversion: '1'\ntitle: t\ndescription: d\nparameters:\n{}\nservices:\n  main:\n{}",
        if parameters.is_empty() { "    []\n".to_owned() } else { indented(parameters) },
        indented(main)
    )
}

/// The message for a folder with this one file.
fn message(yaml: &str) -> String {
    let folder = folder(&[("mine.yaml", yaml)]);
    let listing = Catalog::load(Some(folder.path())).list();
    assert_eq!(listing.templates.len(), 9, "the built-in ones stay");
    let [broken] = listing.broken.as_slice() else { panic!("one broken file: {:?}", listing.broken) };
    assert!(broken.file.ends_with("mine.yaml"));
    broken.message.clone()
}

#[test]
fn a_good_template_is_in_the_catalog_with_its_file_as_origin() {
    let folder = folder(&[("mine.yaml", &template("mine", "", "image: x:1")), ("notes.txt", "not a template")]);
    let catalog = Catalog::load(Some(folder.path()));
    assert_eq!(catalog.list().broken, []);
    let origin = catalog.show("mine").expect("there").origin;
    assert_eq!(origin, folder.path().join("mine.yaml").display().to_string());
}

#[test]
fn a_template_with_a_built_in_name_takes_its_place_and_says_so() {
    let folder = folder(&[("r.yaml", &template("redis", "", "image: mine:1"))]);
    let catalog = Catalog::load(Some(folder.path()));
    let redis = catalog.show("redis").expect("there");
    assert!(redis.origin.ends_with("r.yaml (in place of the built-in `redis`)"), "{}", redis.origin);
    let services = catalog.render("redis", None, &BTreeMap::new()).expect("renders");
    assert_eq!(services[0].image, "mine:1");
}

#[test]
fn the_second_of_two_files_with_one_name_is_reported() {
    let yaml = template("redis", "", "image: x:1");
    let folder = folder(&[("a.yaml", &yaml), ("b.yaml", &yaml)]);
    let listing = Catalog::load(Some(folder.path())).list();
    assert!(listing.broken[0].file.ends_with("b.yaml"));
    assert!(listing.broken[0].message.contains("a.yaml"), "{}", listing.broken[0].message);
}

#[test]
fn a_missing_folder_holds_no_templates_and_a_file_in_its_place_is_reported() {
    let folder = folder(&[("file", "")]);
    assert_eq!(Catalog::load(Some(&folder.path().join("none"))).list().broken, []);
    assert_eq!(Catalog::load(Some(&folder.path().join("file"))).list().broken.len(), 1);
}

#[test]
fn a_broken_template_is_reported_with_what_is_wrong_and_where() {
    let secret = "- {name: password, kind: secret, description: d}";
    let cases = [
        ("name: [".to_owned(), "line 1, column 7"),
        ("name: x\nversoin: '1'\n".to_owned(), "unknown field `versoin`"),
        (template("mine", "", "imgae: x"), "services.main.imgae: unknown field `imgae`"),
        (template("mine", "", "image: x\nports: [{port: http}]"), "services.main.ports[0].port"),
        (template("mine", "", "image: x\nname: y"), "`name` is not written"),
        (template("mine", "", "image: ${imgae}"), "there is no such parameter"),
        (template("mine", "- {name: p, kind: string, description: d}", "image: x"), "`p` is used nowhere"),
        (
            template("mine", "- {name: replicas, kind: integer, description: d}", "image: x\nreplicas: ${replicas}"),
            "with `replicas` = `-9223372036854775808`, which its limits allow",
        ),
        (template("mine", secret, "image: x\nenv: {PASSWORD: '${password}'}"), "secret parameter `password` may only"),
        (template("mine", secret, "image: x\nlabels: {p: '${password}'}"), "secret parameter `password` may only"),
        (
            template("mine", secret, "image: x\ncommand: [run, '--p=${password}']"),
            "secret parameter `password` may only",
        ),
        (
            template("mine", secret, "image: x\nfiles: [{path: /p, content: '${password}'}]"),
            "secret parameter `password` may only",
        ),
        (
            template(
                "mine",
                "- {name: p, kind: secret, required: true, pattern: 'a+', description: d}",
                "image: x\nsecrets: [{name: s, value: '${p}'}]",
            ),
            "needs an `example`",
        ),
        (template("mine", "", "image: x\nsecrets: [{name: s, value: hunter2}]"), "holds no secret parameter"),
        (
            template("mine", "", "image: x\nmounts: [{kind: volume, target: data}]"),
            "services.main: `data` is not an absolute",
        ),
    ];
    for (yaml, expected) in cases {
        let message = message(&yaml);
        assert!(message.contains(expected), "{message}\nfor\n{yaml}");
        assert!(!message.contains('\n'), "one line: {message}");
    }
}

#[test]
fn what_is_no_template_at_all_is_reported() {
    assert!(message(&"#".repeat(2 << 20)).contains("larger than"));
    let folder = folder(&[]);
    fs::write(folder.path().join("bytes.yaml"), [0xff, 0xfe, 0]).expect("written");
    fs::create_dir(folder.path().join("folder.yaml")).expect("made");
    let broken = Catalog::load(Some(folder.path())).list().broken;
    assert_eq!(broken.len(), 2);
    assert_eq!(broken[1].message, "is not a regular file");
}

/// What means something to YAML, to templates or to shells, in every order; and anything else.
fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "([ \t\n\r:#{}$&*!|>'\"%@`,?\\\\-]|\\[|\\]|\\$\\{|\\$\\{text\\}|\\$\\{password\\}|---|null|true|1e3|a){0,8}",
        1 => "(?s)[^\0]{0,40}",
    ]
}

/// A template with one text and one secret in every place that takes them.
static EVERYWHERE: LazyLock<Catalog> = LazyLock::new(|| {
    let yaml = template(
        "mine",
        "- {name: text, kind: string, description: d}\n- {name: password, kind: secret, description: d}",
        "image: x:1\nargs: ['${text}', 'a ${text} b']\nenv: {A: '${text}', B: b}\n\
         files: [{path: /f, content: '${text}'}]\nsecrets: [{name: s, value: '<${password}>'}]",
    );
    let folder = folder(&[("mine.yaml", &yaml)]);
    Catalog::load(Some(folder.path()))
});

proptest! {
    #[test]
    fn no_text_a_user_gives_breaks_out_of_its_place(text in hostile_text()) {
        let secret = format!("s{text}");
        let values = BTreeMap::from([
            ("text".to_owned(), SecretString::new(text.clone())),
            ("password".to_owned(), SecretString::new(secret.clone())),
        ]);
        let services = EVERYWHERE.render("mine", None, &values).expect("renders");
        let [service] = services.as_slice() else { panic!("one service") };
        prop_assert_eq!(&service.args, &[text.clone(), format!("a {text} b")]);
        prop_assert_eq!(&service.env, &BTreeMap::from([("A".to_owned(), text.clone()), ("B".to_owned(), "b".to_owned())]));
        prop_assert_eq!(service.files[0].content.text(), Some(text.as_str()));
        let value = service.secrets[0].value.as_ref().expect("a value");
        let expected = format!("<{secret}>");
        prop_assert_eq!(value.expose(), expected.as_bytes());
    }
}
