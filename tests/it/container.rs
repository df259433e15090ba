//! What can be known of the container without building one.

use std::{fs, path::Path};

use nix::sys::signal::Signal;

use crate::support::{DEADLINE, Node, run, until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Instructions of the Dockerfile, continued lines joined.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string(root().join("Dockerfile")).expect("a Dockerfile");
    let text = text.replace("\\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Into::into)
        .collect()
}

#[test]
fn what_the_image_is_made_of_is_there_and_nothing_else_is_sent() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect("a .dockerignore");
    let mut sent: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "everything else stays here");
    let instructions = instructions();
    let copies = instructions.iter().filter_map(|line| line.strip_prefix("COPY "));
    let mut copied: Vec<_> = copies
        .filter(|files| !files.starts_with("--from=build"))
        .flat_map(|files| files.split(' ').rev().skip(1))
        .collect();
    for file in &copied {
        assert!(root().join(file).exists(), "{file} is not there");
    }
    sent.sort_unstable();
    copied.sort_unstable();
    assert_eq!(sent, copied);
}

#[test]
fn the_last_stage_is_not_root_keeps_its_data_and_asks_after_its_health() {
    let instructions = instructions();
    let stages: Vec<_> =
        (0..instructions.len()).filter(|at| instructions[*at].starts_with("FROM ")).collect();
    assert_eq!(stages.len(), 2);
    let last = &instructions[stages[1]..];
    let argument = |name: &str| {
        last.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"))
    };
    let user = argument("USER ").split(':').next().and_then(|id| id.parse::<u32>().ok());
    assert!(user.is_some_and(|id| id > 0), "a number, and not root's");
    let data = argument("VOLUME ");
    assert!(argument("ENV ").contains(&format!("FANFARE_DATA_DIR={data} ")));
    assert!(argument("HEALTHCHECK ").ends_with(r#"CMD ["fanfare", "healthcheck"]"#));
    // Who runs as another user can write there only if the image made it so.
    assert!(argument("RUN ").contains(data));
}

#[test]
fn healthcheck_says_by_its_exit_code_whether_the_node_is_ready() {
    let mut node = Node::prepared(&[]);
    let check = |node: &Node| run(node.command(&["healthcheck"]));
    let (code, _, errors) = check(&node);
    assert_eq!(code, Some(1), "nobody is there: {errors}");
    assert!(errors.contains("no answer"), "{errors}");

    node.launch();
    let (code, said, errors) = check(&node);
    assert_eq!((code, said.as_str()), (Some(0), "ready\n"), "{errors}");
    let mut everywhere = node.command(&["healthcheck"]);
    everywhere.env("FANFARE_OPERATOR__ADDRESS", "0.0.0.0");
    assert_eq!(run(everywhere).0, Some(0), "who listens everywhere is asked on loopback");

    let mut bad = node.command(&["healthcheck"]);
    bad.env("FANFARE_OPERATOR__PORT", "eighty");
    assert_eq!(run(bad).0, Some(78));
}

#[test]
fn healthcheck_of_a_node_that_drains_says_so() {
    let node = Node::with(&[("SHUTDOWN__READY_DELAY", "20s")]);
    node.signal(Signal::SIGTERM);
    until("it is not ready", DEADLINE, || {
        let (code, _, errors) = run(node.command(&["healthcheck"]));
        (code == Some(1) && errors.contains("draining")).then_some(())
    });
}
