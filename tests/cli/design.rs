//! `pimento design` from outside: the files it leaves, what it survives, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Run, pimento, text};

const GOAL: &str = "cells min, accuracy max, yield(0.3) >= 0.7";

struct Space {
    dir: tempfile::TempDir,
}

impl Space {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let space = format!(
            "name = \"space\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\nepochs = 8\n\
             batch = 64\n[sweep]\nchips = 40\nimages = 150\n[sweep.axes]\nmapping = [\"ideal\", \"differential\"]\n\
             sigma_w = [0.05, 0.2, 0.4, 1.5]\n[design]\ngoal = \"{GOAL}\"\n"
        );
        std::fs::write(dir.path().join("space.toml"), space).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn args(&self, out: &str, more: &[&str]) -> Vec<String> {
        let (file, out, models) = (self.path("space.toml"), self.path(out), self.path("models"));
        let fixed = [
            "design",
            text(&file),
            "--out",
            text(&out),
            "--models",
            text(&models),
            "--backend",
            "cpu",
        ];
        let all = [&fixed[..], more].concat();
        all.into_iter().map(String::from).collect()
    }

    fn design(&self, out: &str, more: &[&str]) -> Run {
        let args = self.args(out, more);
        pimento(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

impl Space {
    /// A search that is killed at some moments and then continued.
    fn killed_and_continued(&self, out: &str) {
        for moment in [0, 40, 150, 400, 900] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_pimento"))
                .args(self.args(out, &["--resume", "--quiet"]))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(moment));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.design(out, &["--resume", "--quiet"]).assert_ok();
    }
}

/// The files that a search leaves, but for the journals.
fn results(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in ["design.json", "designs.csv", "design.html"] {
        found.push((name.to_string(), std::fs::read(dir.join(name)).unwrap()));
    }
    let mut front: Vec<PathBuf> = std::fs::read_dir(dir.join("front"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    front.sort();
    for path in front {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.push((name, std::fs::read(&path).unwrap()));
    }
    found
}

#[test]
fn a_search_leaves_its_files_and_is_continued_to_the_same_ones() {
    let space = Space::new();
    let run = space.design("whole", &["--quiet", "--json"]);
    run.assert_ok();
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let designs = document["designs"].as_array().unwrap();
    assert_eq!(designs.len(), 8);
    let front = document["front"].as_array().unwrap();
    assert!(!front.is_empty() && front.len() < 8);
    let whole = space.path("whole");
    let written = std::fs::read_to_string(whole.join("design.json")).unwrap();
    assert_eq!(written, run.stdout);
    let want = results(&whole);
    assert_eq!(want.len(), 3 + front.len());
    let csv = std::fs::read_to_string(whole.join("designs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 9);
    assert!(
        csv.starts_with("design,variation.mapping,variation.sigma_w,state,why,chips,images,cells,"),
        "{csv}"
    );
    let page = std::fs::read_to_string(whole.join("design.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("yield(0.3)"));
    // Nobody replaces a search unasked; another goal takes the chips that are there.
    space
        .design("whole", &[])
        .assert_refused(&["another run", "--resume", "--force"]);
    let other = space.design("whole", &["--resume", "--goal", "loss min"]);
    assert_eq!(other.code, 0, "{}", other.stderr);
    other.assert_says(&["loss min", "8 designs; 1 on the front", "design.html"]);
    assert_eq!(
        results(&whole).len(),
        4,
        "files of the first front are gone"
    );
    // A design of the front is an experiment.
    space.killed_and_continued("killed");
    assert!(results(&space.path("killed")) == want);
    let file = &want[3].0;
    let own = space.path("killed").join("front").join(file);
    let swept = pimento(&[
        "sweep",
        text(&own),
        "--out",
        text(&space.path("own")),
        "--backend",
        "cpu",
        "--json",
        "--quiet",
    ]);
    swept.assert_ok();
    let summary: Value = serde_json::from_str(&swept.stdout).unwrap();
    let number: usize = file
        .trim_start_matches("design-")
        .trim_end_matches(".toml")
        .parse()
        .unwrap();
    let accuracy = &designs[number]["known"][1]["estimate"];
    assert_eq!(&summary["points"][0]["mean"], accuracy);
    // The sweep of all designs goes on from what was simulated.
    let file = space.path("killed").join("experiment.toml");
    let all = pimento(&[
        "sweep",
        text(&file),
        "--resume",
        "--backend",
        "cpu",
        "--json",
        "--quiet",
    ]);
    all.assert_ok();
    let summary: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(summary["points"].as_array().unwrap().len(), 8);
    assert_eq!(&summary["points"][number]["mean"], accuracy);
}

#[test]
fn a_space_that_cannot_be_searched_is_refused_by_check_and_search_alike() {
    let space = Space::new();
    let plain = std::fs::read_to_string(space.path("space.toml")).unwrap();
    for (goal, axis, words) in [
        (
            "accurcy max",
            "",
            &["`accurcy`", "did you mean `accuracy`?"][..],
        ),
        (
            "energy_pj min",
            "",
            &["`energy_high_pj` needs a section [energy]"],
        ),
        (
            "accuracy max, yield(0.9) >= 0.99",
            "",
            &["needs 299 chips", "there are 40"],
        ),
        (
            "cells min, cells >= 9, cells <= 8",
            "",
            &["no design can have both"],
        ),
        (
            "accuracy max",
            "\"sweep.chips\" = [10, 20]",
            &["`sweep.chips`", "one number"],
        ),
    ] {
        let text_of = plain
            .replace(GOAL, goal)
            .replace("[design]", &format!("{axis}\n[design]"));
        std::fs::write(space.path("space.toml"), text_of).unwrap();
        let file = space.path("space.toml");
        pimento(&["check", text(&file), "--backend", "cpu"]).assert_refused(words);
        space.design("out", &[]).assert_refused(words);
    }
    assert!(!space.path("out").exists());
    let without = &plain[..plain.find("[design]").unwrap()];
    std::fs::write(space.path("space.toml"), without).unwrap();
    space
        .design("out", &[])
        .assert_refused(&["no section [design]", "goal"]);
    let given = space.design("out", &["--goal", "accuracy max"]);
    assert_eq!(given.code, 0, "{}", given.stderr);
    given.assert_says(&["accuracy max", "1 on the front"]);
    space
        .design("out2", &["--goal", "accuracy"])
        .assert_refused(&["--goal", "allowed: terms"]);
}
