//! Every public room of the library shows how its types are used.

use super::none;
use super::source::{files, read};

/// Rooms without public types.
const NO_TYPES: &[&str] = &["files"];

/// Whether module docs have an example that runs, or name one: a program of `examples/`, which its own test
/// runs, or the example of another room.
fn shows(docs: &[&str], rooms: &[String]) -> bool {
    let whole = docs.join(" ");
    let runs = docs.iter().any(|line| line.trim() == "```");
    let program = files("examples", "rs")
        .iter()
        .any(|path| whole.contains(&format!("`{path}`")));
    let other = rooms
        .iter()
        .any(|room| whole.contains(&format!("The example of [`crate::{room}`]")));
    runs || program || other
}

#[test]
fn every_public_room_has_an_example() {
    let library = read("src/lib.rs");
    let modules = library.lines().filter_map(|l| l.strip_prefix("pub mod "));
    let rooms: Vec<String> = modules.map(|m| m.trim_end_matches(';').into()).collect();
    assert!(rooms.len() > 20, "{rooms:?}");
    let mut breaches = Vec::new();
    for room in rooms
        .iter()
        .filter(|room| !NO_TYPES.contains(&room.as_str()))
    {
        let paths = [format!("src/{room}.rs"), format!("src/{room}/mod.rs")];
        let there = files("src", "rs");
        let Some(path) = paths.iter().find(|path| there.contains(path)) else {
            breaches.push(format!("src/{room}: no module"));
            continue;
        };
        let text = read(path);
        let docs: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//!")).collect();
        if !shows(&docs, &rooms) {
            breaches.push(format!("{path}:1: no example that runs, and none named"));
        }
    }
    none("examples of rooms", &breaches);
}

#[test]
fn what_shows_nothing_is_seen() {
    let rooms = ["backend".to_string()];
    assert!(!shows(&[" Words.", " ```text", " ```text"], &rooms));
    assert!(!shows(&[" `examples/none.rs` shows it."], &rooms));
    assert!(shows(&[" ```", " let x = 1;", " ```"], &rooms));
}
