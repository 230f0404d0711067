//! Which way imports go, and which room may name which crate.

use super::none;
use super::source::{Source, paths, room_named, room_of, rust};

/// Floors of the house, lowest first. A room may name the rooms of lower floors and of its own,
/// with the exceptions in [`NEVER`]. A room that is not listed is a breach: decide where a new one
/// stands.
const FLOORS: &[&[&str]] = &[
    &["choice", "column"],
    &["error"],
    &["vector", "files", "memory", "progress"],
    &["random"],
    &["effects"],
    &["program"],
    &["config", "data"],
    &["quantize", "chip", "mapping", "energy", "fit"],
    &["backend"],
    &["network"],
    &["tuning"],
    &["setup"],
    &["train"],
    &["sweep"],
    &["design"],
    &["report"],
    &["cli", "bench", "demo", "lib", "main"],
];

/// Lower or equal floors that a room must not name all the same.
const NEVER: &[(&str, &[&str])] = &[
    ("vector", &["files", "progress"]),
    ("random", &["files", "progress"]),
    ("files", &["vector", "progress"]),
    ("progress", &["vector", "files"]),
    ("config", &["vector", "files", "progress", "data"]),
    ("data", &["config"]),
    (
        "quantize",
        &["config", "data", "files", "progress", "chip", "mapping"],
    ),
    ("chip", &["data", "files", "progress"]),
    ("mapping", &["data", "files", "progress", "chip"]),
    ("effects", &["files", "progress"]),
    ("program", &["vector", "files", "progress"]),
    ("backend", &["config", "data", "files", "progress"]),
    ("report", &["train", "data"]),
];

/// Crates and the places that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("wgpu", &["src/backend/wgpu/"]),
    ("pollster", &["src/backend/wgpu/"]),
    ("naga", &[]),
    ("gemm", &[]),
    ("flate2", &["src/data/"]),
    ("image", &["src/data/"]),
    ("tar", &["src/data/"]),
    ("zip", &["src/data/"]),
    ("directories", &["src/cli/"]),
    ("safetensors", &["src/network/"]),
    ("prost", &["src/network/onnx/"]),
    ("half", &["src/backend/storage.rs", "src/network/"]),
    ("parquet", &["src/report/"]),
    ("krilla", &["src/report/export.rs"]),
    ("krilla_svg", &["src/report/export.rs"]),
    ("resvg", &["src/report/export.rs"]),
    ("csv", &["src/fit/", "src/report/", "src/sweep/"]),
    ("toml", &["src/config/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("clap_complete", &["src/cli/", "src/main.rs"]),
    ("indicatif", &["src/cli/"]),
    ("ctrlc", &["src/cli/", "src/main.rs"]),
    ("nix", &["src/cli/"]),
    ("bytesize", &["src/cli/"]),
    ("crc32fast", &["src/sweep/journal/"]),
    ("rustix", &["src/files.rs"]),
    ("tempfile", &["src/files.rs"]),
];

/// Beyond [`CRATES`]: (file, crate, reason).
const ALSO: &[(&str, &str, &str)] = &[];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn breaches_of_direction(source: &Source) -> Vec<String> {
    let room = room_of(&source.path);
    let Some(here) = floor(room) else {
        return vec![format!("{}: room `{room}` is on no floor", source.at(1))];
    };
    let never = NEVER.iter().find(|(name, _)| *name == room);
    let mut breaches = Vec::new();
    for named in paths(&source.product) {
        let Some(other) = room_named(&source.path, &named.segments) else {
            continue;
        };
        // What is no room is a name that the crate root re-exports (`crate::Result`).
        let Some(there) = floor(other).filter(|_| other != room) else {
            continue;
        };
        let forbidden = there > here || never.is_some_and(|(_, rooms)| rooms.contains(&other));
        if forbidden {
            breaches.push(format!(
                "{}: {room} names {}",
                source.at(named.line),
                named.segments.join("::")
            ));
        }
    }
    breaches
}

fn breaches_of_crates(source: &Source, used: &mut Vec<(String, String)>) -> Vec<String> {
    let mut breaches = Vec::new();
    for named in paths(&source.product) {
        let Some((name, places)) = CRATES.iter().find(|(name, _)| *name == named.segments[0])
        else {
            continue;
        };
        // In the backend's own files `wgpu::` is the module beside them.
        let module = *name == "wgpu" && source.path == "src/backend/mod.rs";
        if module || places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        let exception = (source.path.clone(), (*name).to_owned());
        if ALSO
            .iter()
            .any(|(file, krate, _)| *file == exception.0 && *krate == exception.1)
        {
            used.push(exception);
            continue;
        }
        breaches.push(format!(
            "{}: names {}, which belongs to {}",
            source.at(named.line),
            named.segments.join("::"),
            if places.is_empty() {
                "tests".into()
            } else {
                places.join(", ")
            }
        ));
    }
    breaches
}

#[test]
fn imports_go_one_way() {
    let breaches: Vec<String> = rust("src").iter().flat_map(breaches_of_direction).collect();
    none("imports", &breaches);
}

#[test]
fn crates_are_named_where_they_belong() {
    let mut used = Vec::new();
    let mut breaches: Vec<String> = rust("src")
        .iter()
        .flat_map(|source| breaches_of_crates(source, &mut used))
        .collect();
    for (file, krate, _) in ALSO {
        if !used.iter().any(|(f, k)| f == file && k == krate) {
            breaches.push(format!(
                "tests/house/imports.rs: ALSO ({file}, {krate}) is not needed"
            ));
        }
    }
    none("crates", &breaches);
}

#[test]
fn breaches_are_seen() {
    let direction =
        |path: &str, text: &str| breaches_of_direction(&Source::new(path.into(), text.into()));
    assert_eq!(
        direction(
            "src/backend/cpu/a.rs",
            "\nuse crate::{error::Error, config::X};"
        ),
        ["src/backend/cpu/a.rs:2: backend names crate::config::X"]
    );
    assert_eq!(
        direction(
            "src/backend/cpu/a.rs",
            "fn f() { super::super::super::sweep::go() }"
        )
        .len(),
        1
    );
    assert_eq!(
        direction("src/program/mod.rs", "use crate::config::Law;").len(),
        1
    );
    assert_eq!(
        direction("src/config/a.rs", "use crate::program::Law;").len(),
        0
    );
    assert_eq!(
        direction("src/chip/a.rs", "use crate::backend::cpu::X;").len(),
        1
    );
    assert_eq!(direction("src/new/a.rs", "").len(), 1);
    assert_eq!(
        direction(
            "src/random/a.rs",
            "#[cfg(test)]\nmod tests { use crate::data::X; }"
        )
        .len(),
        0
    );
    let crates = |path: &str, text: &str| {
        breaches_of_crates(&Source::new(path.into(), text.into()), &mut Vec::new())
    };
    assert_eq!(
        crates("src/backend/cpu/a.rs", "fn f(x: wgpu::Buffer) {}").len(),
        1
    );
    assert_eq!(
        crates("src/backend/cpu/a.rs", "use crate::backend::wgpu::X;").len(),
        0
    );
    assert_eq!(
        crates("src/backend/wgpu/a.rs", "use wgpu::Buffer;").len(),
        0
    );
    assert_eq!(
        crates("src/sweep/a.rs", "// flate2::x\nlet s = \"flate2::x\";").len(),
        0
    );
}
