//! The switch itself, and that no mutant is without a place, a test and a line in the docs.

use std::{fs, path::Path};

use super::*;

/// Something with a fault in it.
fn sum(numbers: &[u32]) -> u32 {
    let first = usize::from(mutant!(RowsThenTop));
    numbers[first.min(numbers.len())..].iter().sum()
}

#[test]
fn a_mutant_that_breaks_the_property_is_caught_and_off_again() {
    assert_caught(Mutant::RowsThenTop, || assert_eq!(sum(&[1, 2]), 3));
    assert_eq!(sum(&[1, 2]), 3);
}

#[test]
#[should_panic(expected = "RowsThenTop survives")]
fn a_property_that_sees_no_difference_is_found_out() {
    assert_caught(Mutant::RowsThenTop, || assert_eq!(sum(&[0, 2]), 2));
}

#[test]
#[should_panic(expected = "nothing came by GapSkipped")]
fn a_mutant_that_nothing_comes_by_is_found_out() {
    assert_caught(Mutant::GapSkipped, || assert_eq!(sum(&[1, 2]), 3));
}

#[test]
#[should_panic(expected = "the property itself")]
fn a_property_that_never_holds_is_found_out() {
    assert_caught(Mutant::RowsThenTop, || panic!("the property itself"));
}

#[test]
fn other_threads_see_nothing_of_it_and_those_that_it_starts_do() {
    let elsewhere = || std::thread::spawn(|| sum(&[1, 2])).join().unwrap();
    assert_caught(Mutant::RowsThenTop, || {
        assert_eq!(elsewhere(), 3);
        let carried = std::thread::spawn(carried(|| sum(&[1, 2])));
        assert_eq!(carried.join().unwrap(), 3);
    });
}

/// All Rust sources of a folder as one text.
fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|end| end == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn each_mutant_has_a_place_a_test_and_a_line_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    read(&root.join("src"), &mut code);
    read(&root.join("tests/it"), &mut code);
    let docs = fs::read_to_string(root.join("docs/TESTING.md")).expect("the docs");
    for mutant in Mutant::ALL {
        assert!(code.contains(&format!("mutant!({mutant:?})")), "{mutant:?} is nowhere");
        assert!(code.contains(&format!(": {mutant:?} by ")), "{mutant:?} is caught by nothing");
        assert!(docs.contains(&format!("`{mutant:?}`")), "{mutant:?} is not in docs/TESTING.md");
    }
}
