use super::*;

fn parameter(yaml: &str) -> Result<Parameter, String> {
    let yaml = format!("name: p\ndescription: d\n{yaml}");
    Parameter::from_file(serde_saphyr::from_str(&yaml).map_err(|e| e.to_string())?)
}

#[test]
fn values_outside_their_type_or_range_are_refused_with_what_is_allowed() {
    let cases = [
        ("kind: integer\nminimum: 1\nmaximum: 9\ndefault: 3", "10", "`10` is more than the maximum, 9"),
        ("kind: integer", "x", "`x` is not a whole number"),
        ("kind: boolean", "yes", "`yes` is neither `true` nor `false`"),
        ("kind: bytes\nminimum: 64Mi", "1Mi", "`1Mi` is less than the minimum, 64Mi"),
        ("kind: cpu\nmaximum: 2", "2001m", "`2001m` is more than the maximum, 2"),
        ("kind: string\noneOf: [a, b]", "c", "`c` is not one of `a`, `b`"),
        ("kind: string\npattern: '[a-z]+'\nexample: a", "ab1", "`ab1` does not have the form `[a-z]+`"),
    ];
    for (yaml, value, message) in cases {
        assert_eq!(parameter(yaml).expect(yaml).accept(value), Err(message.to_owned()), "{yaml}");
    }
}

#[test]
fn a_parameter_that_contradicts_itself_is_broken() {
    for yaml in [
        "kind: integer\nminimum: 3\nmaximum: 2",
        "kind: integer\ndefault: 0\nminimum: 1",
        "kind: string\nminimum: 1",
        "kind: integer\npattern: x",
        "kind: string\npattern: '('",
        "kind: secret\ndefault: hunter2",
        "kind: string\ndefault: x\noptional: true",
        "kind: string\nrequired: true",
        "kind: number",
    ] {
        assert!(parameter(yaml).is_err(), "{yaml}");
    }
}

#[test]
fn a_refused_secret_is_not_in_the_message() {
    let secret = parameter("kind: secret\npattern: '[a-z]{12,}'").expect("well-formed");
    let message = secret.accept_secret("hunter2").expect_err("too short");
    assert!(!message.contains("hunter2"), "{message}");
}
