//! No crate comes in two versions unless `.deny.toml` says why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use toml::{Table, Value};

fn file(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect("a file of the project").parse().expect("TOML")
}

fn text<'a>(table: &'a Value, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with the list of duplicates, in words.
fn wrong(lock: &Table, deny: &Table) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().into_iter().flatten() {
        versions.entry(text(package, "name")).or_default().insert(text(package, "version"));
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut wrong = Vec::new();
    for skip in deny["bans"]["skip"].as_array().into_iter().flatten() {
        let name = text(skip, "crate");
        let (of, version) = name.split_once('@').unwrap_or((name, ""));
        if !versions.get_mut(of).is_some_and(|versions| versions.remove(version)) {
            wrong.push(format!("{name} is in .deny.toml and no duplicate of Cargo.lock"));
        }
        if text(skip, "reason").is_empty() {
            wrong.push(format!("{name} is in .deny.toml without a reason"));
        }
    }
    for (name, versions) in versions {
        match versions.len() {
            0 => wrong.push(format!("{name}: .deny.toml skips all versions, one is enough")),
            1 => {}
            _ => wrong.push(format!(
                "{name} comes in the versions {versions:?}: find one for all, or say in .deny.toml why not"
            )),
        }
    }
    wrong
}

#[test]
fn each_duplicate_version_is_known_and_has_a_reason() {
    let deny = file(".deny.toml");
    assert_eq!(text(&deny["bans"], "multiple-versions"), "deny");
    let wrong = wrong(&file("Cargo.lock"), &deny);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_new_duplicate_and_a_stale_entry_are_found() {
    let lock = |versions: &[&str]| {
        let one = |v: &&str| format!("[[package]]\nname = \"a\"\nversion = \"{v}\"\n");
        versions.iter().map(one).collect::<String>().parse::<Table>().expect("TOML")
    };
    let deny = |skip: &str| format!("[bans]\nskip = [{skip}]").parse::<Table>().expect("TOML");
    let known = r#"{ crate = "a@1.0.0", reason = "b needs it" }"#;
    for (versions, skip, good) in [
        (&["1.0.0", "2.0.0"][..], known, true),
        (&["2.0.0"], "", true),
        (&["1.0.0", "2.0.0"], "", false),
        (&["1.0.0", "2.0.0", "3.0.0"], known, false),
        (&["1.0.1", "2.0.0"], known, false),
        (&["1.0.0"], known, false),
        (&["2.0.0"], known, false),
        (&["1.0.0", "2.0.0"], r#"{ crate = "a@1.0.0" }"#, false),
        (
            &["1.0.0", "2.0.0"],
            r#"{ crate = "a@1.0.0", reason = "x" }, { crate = "a@2.0.0", reason = "x" }"#,
            false,
        ),
    ] {
        let wrong = wrong(&lock(versions), &deny(skip));
        assert_eq!(wrong.is_empty(), good, "{versions:?} {skip}: {wrong:?}");
    }
}
