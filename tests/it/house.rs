//! The floors of the house: reads `src/` as text and fails on an import that climbs.

use std::{fs, path::Path};

/// From the ground up. A module may import those before it in this list; those of one line are strangers.
const FLOORS: &[&[&str]] = &[
    &["ids"],
    &["domain::decimal", "domain::moment"],
    // Rules: they know no database.
    &["domain::portfolio"],
    &["platform"],
    &["supervisor"],
    &["domain::store"],
    &["domain::reading"],
    &["protocol"],
    &["realtime::peers"],
    &["realtime::journal", "realtime::directory", "realtime::bridge"],
    &["realtime::namespace", "realtime::barred", "realtime::rates"],
    &["realtime::room"],
    &["realtime::session"],
    &["work", "edge"],
    &["app", "load"],
    &["cli"],
];

fn floor(path: &[String]) -> Option<(usize, &'static str)> {
    let name = path.join("::");
    FLOORS.iter().enumerate().find_map(|(floor, rooms)| {
        let fits = |room: &&&str| name == **room || name.starts_with(&format!("{room}::"));
        rooms.iter().find(fits).map(|room| (floor, *room))
    })
}

/// The module that a file of `src/` is.
fn module_of(file: &Path) -> Vec<String> {
    let mut path: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// Every path into the crate that stands in a source, nested groups taken apart; absolute.
fn imports(source: &str, module: &[String]) -> Vec<Vec<String>> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            let inside_a_path =
                before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
            if inside_a_path {
                continue;
            }
            let mut rest = &code[at..];
            let mut from = module.to_vec();
            if let Some(path) = rest.strip_prefix("crate::") {
                (rest, from) = (path, Vec::new());
            }
            while let Some(path) = rest.strip_prefix("super::") {
                rest = path;
                from.pop();
            }
            expand(rest, &from, &mut found);
        }
    }
    found
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`. Returns how much of the text it was.
fn expand(text: &str, from: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = from.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            break;
        }
        at += name.len();
        path.push(name);
        match text[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => break,
        }
    }
    if !text[at..].starts_with('{') {
        found.push(path);
        return at;
    }
    at += 1;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', '\t', ',']).len();
        match text[at..].chars().next() {
            None => return at,
            Some('}') => return at + 1,
            Some(_) => at += expand(&text[at..], &path, found).max(1),
        }
    }
}

/// What a source may not import, in words.
fn climbs(file: &Path, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some((mine, room)) = floor(&module) else { return Vec::new() };
    let mut wrong: Vec<String> = imports(source, &module)
        .iter()
        .filter_map(|path| floor(path).map(|(theirs, other)| (path, theirs, other)))
        .filter(|(_, theirs, other)| *theirs > mine || *theirs == mine && *other != room)
        .map(|(path, ..)| format!("{} imports {}", file.display(), path.join("::")))
        .collect();
    wrong.dedup();
    wrong
}

fn sources(folder: &Path, all: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn no_import_climbs() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 100, "found only {} sources", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let source = fs::read_to_string(file).expect("a source can be read");
            climbs(file.strip_prefix(&src).expect("it is in src"), &source)
        })
        .collect();
    assert!(wrong.is_empty(), "imports that climb:\n{}", wrong.join("\n"));
}

#[test]
fn an_import_that_climbs_is_found() {
    for (file, source, wrong) in [
        ("realtime/room/actor.rs", "use crate::realtime::session::Line;", true),
        (
            "realtime/room/actor.rs",
            "use crate::{ids::Channel, realtime::{journal::Page, session::{a, b}}};",
            true,
        ),
        ("realtime/room/actor.rs", "fn f() { super::super::session::start() }", true),
        ("realtime/journal/mod.rs", "use crate::realtime::directory::Life;", true),
        ("platform/mod.rs", "use\n    crate::{\n    protocol::Close,\n};", true),
        ("domain/portfolio/fold.rs", "use crate::platform::database::Database;", true),
        ("domain/store/mod.rs", "use crate::realtime::journal::Journal;", true),
        ("edge/ops.rs", "use crate::work::retention::Retention;", true),
        (
            "realtime/room/actor.rs",
            "use super::hub::Hub; use crate::{platform::metrics, ids};",
            false,
        ),
        ("realtime/session/connection.rs", "use crate::realtime::room::seat::Seat;", false),
        ("realtime/room/actor.rs", "// see crate::realtime::session::driver", false),
        (
            "domain/store/mod.rs",
            "use crate::{domain::portfolio::Refusal, platform::postgres};",
            false,
        ),
        ("cli/serve.rs", "use crate::{app, edge::listener, load};", false),
    ] {
        let found = climbs(Path::new(file), source);
        assert_eq!(!found.is_empty(), wrong, "{file}: {source}: {found:?}");
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_a_drawer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        let source = fs::read_to_string(&file).expect("a source can be read");
        assert!(source.starts_with("//! "), "{} has no caption", file.display());
        let lines = source.lines().count();
        assert!(lines <= 500, "{} has {lines} lines: two things in one file?", file.display());
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(
            !matches!(&*name, "utils" | "util" | "common" | "helpers" | "misc"),
            "{}",
            file.display()
        );
    }
}
