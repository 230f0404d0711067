//! Runs that go on: with more chips, with other points, as shards, and behind damage.

use std::path::{Path, PathBuf};

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::random::{Purpose, Stream};
use pimento::report;
use pimento::sweep::outdir::Existing;
use pimento::sweep::{MergeOptions, Outcome, SweepOptions, merge, run};
use pimento::{Error, Result};
use serde_json::Value;

use crate::{digits, experiment};

/// A small sweep with so many chips and a grid.
fn small(chips: usize, more: &str, grid: &str) -> Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n\
         [train]\nepochs = 1\nbatch = 64\n[variation]\nsigma_w = 0.2\nsigma_b = 0.2\n\
         sampling = \"stratified\"\n[tuning]\ntest_cells = 4\n\
         [sweep]\nchips = {chips}\nimages = 48\n{more}\n{grid}"
    ))
}

const GRID: &str = "[[sweep.grid]]\ntuning = [\"none\", \"self-tuning\"]\n";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn sweep(&self, out: &str, experiment: &Experiment, shard: Option<&str>) -> Result<Outcome> {
        let options = SweepOptions {
            existing: Existing::Continue,
            models: Some(self.path("models")),
            shard: shard.map(|s| s.parse().unwrap()),
            ..SweepOptions::new(self.path(out), "test", report::write)
        };
        run(&[&CpuBackend::new()], experiment, &digits(), &options, &())
    }

    fn merge(&self, dirs: &[&str], out: &str) -> Result<Outcome> {
        merge(&MergeOptions {
            dirs: dirs.iter().map(|d| self.path(d)).collect(),
            out: self.path(out),
            existing: Existing::Replace,
            command: "test".into(),
            write: report::write,
        })
    }

    fn csv(&self, out: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(out).join("chips.csv")).unwrap();
        text.lines().map(String::from).collect()
    }

    /// The summary without times.
    fn summary(&self, out: &str) -> Value {
        let text = std::fs::read_to_string(self.path(out).join("summary.json")).unwrap();
        let mut summary: Value = serde_json::from_str(&text).unwrap();
        strip(&mut summary);
        summary
    }

    fn assert_same(&self, a: &str, b: &str) {
        assert_eq!(self.csv(a), self.csv(b));
        assert_eq!(self.summary(a), self.summary(b));
        let toml = |out: &str| std::fs::read(self.path(out).join("experiment.toml")).unwrap();
        assert_eq!(toml(a), toml(b));
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !["elapsed_s", "started"].contains(&key.as_str()));
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn more_chips_and_fewer_give_what_one_run_would_have() {
    let place = Place::new();
    place.sweep("whole", &small(60, "", GRID), None).unwrap();
    place.sweep("grown", &small(40, "", GRID), None).unwrap();
    let forty = place.csv("grown");
    place.sweep("grown", &small(60, "", GRID), None).unwrap();
    place.assert_same("whole", "grown");
    // And back: what is beyond stays in the journal.
    place.sweep("grown", &small(40, "", GRID), None).unwrap();
    assert_eq!(place.csv("grown"), forty);
    place.sweep("fresh", &small(40, "", GRID), None).unwrap();
    place.assert_same("fresh", "grown");
    place.sweep("grown", &small(60, "", GRID), None).unwrap();
    place.assert_same("whole", "grown");
}

#[test]
fn a_new_value_of_an_axis_keeps_the_rows_of_the_others() {
    let place = Place::new();
    let grid = |sigmas: &str| format!("[sweep.axes]\n\"variation.sigma_layer\" = {sigmas}\n");
    let e = |sigmas: &str| small(20, "", &grid(sigmas));
    place.sweep("out", &e("[0.1, 0.3]"), None).unwrap();
    let before = place.csv("out");
    assert!(before[0].starts_with("point,chip,variation.sigma_layer,accuracy"));
    // Networks are not needed for points that are complete: without them only the new one trains.
    place.sweep("out", &e("[0.2, 0.3, 0.1]"), None).unwrap();
    let after = place.csv("out");
    assert_eq!(after.len(), 1 + 3 * 20);
    let renumbered = |line: &String, number: usize| {
        let (_, rest) = line.split_once(',').unwrap();
        format!("{number},{rest}")
    };
    let expected: Vec<String> = before[1..=20].iter().map(|l| renumbered(l, 2)).collect();
    assert_eq!(after[41..], expected[..]);
    let expected: Vec<String> = before[21..].iter().map(|l| renumbered(l, 1)).collect();
    assert_eq!(after[21..41], expected[..]);
    place.sweep("fresh", &e("[0.2, 0.3, 0.1]"), None).unwrap();
    place.assert_same("fresh", "out");
    // Another axis, at whose first value the points are the old ones.
    let two = "[sweep.axes]\n\"variation.sigma_layer\" = [0.1, 0.3]\ntuning = [\"self-tuning\", \"none\"]\n";
    place.sweep("out", &small(20, "", two), None).unwrap();
    place.sweep("two", &small(20, "", two), None).unwrap();
    place.assert_same("two", "out");
}

#[test]
fn settings_that_no_chip_was_made_with_are_refused_by_name() {
    let place = Place::new();
    place.sweep("out", &small(10, "", GRID), None).unwrap();
    let before = place.csv("out");
    let mut other = small(10, "", GRID);
    other.train.epochs = 2;
    let mut seed = small(10, "", GRID);
    seed.seed = 9;
    let mut images = small(10, "", GRID);
    images.sweep.images = 32;
    let axes = small(10, "", "[[sweep.grid]]\ntuning = [\"oracle\"]\n");
    for (e, words) in [
        (&other, "`train.epochs = 1` there, `train.epochs = 2` now"),
        (&seed, "`seed = 1` there, `seed = 9` now"),
        (&images, "48 images a chip there, 32 now"),
        (&axes, "sweep.grid"),
    ] {
        let e = place.sweep("out", e, None).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert!(e.to_string().contains(words), "{words}: {e}");
        assert_eq!(place.csv("out"), before);
    }
    let mut data = digits();
    data.test = data.test.limit(100);
    let options = SweepOptions {
        existing: Existing::Continue,
        ..SweepOptions::new(place.path("out"), "test", report::write)
    };
    let e = run(
        &[&CpuBackend::new()],
        &small(10, "", GRID),
        &data,
        &options,
        &(),
    );
    assert!(e.unwrap_err().to_string().contains("test_data_sha256"));
}

#[test]
fn shards_grow_together() {
    let place = Place::new();
    let names = ["s1", "s2", "s3"];
    let all = |chips: usize| {
        for (i, name) in names.iter().enumerate() {
            let shard = format!("{}/3", i + 1);
            place
                .sweep(name, &small(chips, "", GRID), Some(&shard))
                .unwrap();
        }
    };
    all(20);
    place.merge(&names, "merged").unwrap();
    place.sweep("twenty", &small(20, "", GRID), None).unwrap();
    assert_eq!(place.csv("merged"), place.csv("twenty"));
    all(50);
    place.merge(&names, "merged").unwrap();
    place.sweep("fifty", &small(50, "", GRID), None).unwrap();
    assert_eq!(place.csv("merged"), place.csv("fifty"));
    let points = |out: &str| place.summary(out)["points"].clone();
    assert_eq!(points("merged"), points("fifty"));
    assert_eq!(
        place.summary("merged")["trainings"],
        place.summary("fifty")["trainings"]
    );
    // What was merged is a run like any other.
    place.sweep("merged", &small(60, "", GRID), None).unwrap();
    place.sweep("sixty", &small(60, "", GRID), None).unwrap();
    assert_eq!(place.csv("merged"), place.csv("sixty"));
    // One shard that did not grow, one that is missing (once, not for every point), one twice.
    place
        .sweep("s2", &small(20, "", GRID), Some("2/3"))
        .unwrap();
    let e = place.merge(&names, "no").unwrap_err().to_string();
    assert!(
        e.contains("`sweep.chips = 50` there, `sweep.chips = 20` now"),
        "{e}"
    );
    let e = place.merge(&["s1", "s3"], "no").unwrap_err().to_string();
    assert_eq!(e.matches("missing").count(), 1, "{e}");
    assert!(e.contains("shard 2/3 is missing"), "{e}");
    place
        .sweep("s2", &small(50, "", GRID), Some("2/3"))
        .unwrap();
    let Err(Error::Input(problems)) = place.merge(&["s1", "s2", "s3", "s1"], "no") else {
        panic!("a shard that is there twice is an error");
    };
    assert!(
        problems.len() == 1
            && problems[0]
                .to_string()
                .contains("at every point: chips 0 to 15 are in")
    );
    let e = place.merge(&names, "s1").unwrap_err();
    assert!(e.to_string().contains("is one of the directories"), "{e}");
}

const METRICS: &str = "metrics = [\"brier\", \"top5\"]";

/// Metrics change no other number, and are the same in runs that grow and in shards.
#[test]
fn metrics_are_columns_like_the_others() {
    let place = Place::new();
    let names = ["s1", "s2", "s3"];
    place.sweep("plain", &small(60, "", GRID), None).unwrap();
    place
        .sweep("whole", &small(60, METRICS, GRID), None)
        .unwrap();
    place
        .sweep("grown", &small(40, METRICS, GRID), None)
        .unwrap();
    place
        .sweep("grown", &small(60, METRICS, GRID), None)
        .unwrap();
    place.assert_same("whole", "grown");
    for (i, name) in names.iter().enumerate() {
        let shard = format!("{}/3", i + 1);
        let e = small(60, METRICS, GRID);
        place.sweep(name, &e, Some(&shard)).unwrap();
    }
    place.merge(&names, "merged").unwrap();
    assert_eq!(place.csv("merged"), place.csv("whole"));
    let (merged, whole) = (place.summary("merged"), place.summary("whole"));
    assert_eq!(merged["points"], whole["points"]);
    assert_eq!(merged["comparisons"], whole["comparisons"]);
    let column = &whole["points"][1]["columns"]["brier"];
    assert_eq!(column["n"], 60);
    assert!(column["ideal"].as_f64().unwrap() > 0.0, "{column}");
    assert_eq!(
        (&column["better"], &column["error"]),
        (&"lower".into(), &0.0.into())
    );
    assert_eq!(whole["comparisons"][0]["columns"]["top5"]["n"], 60);

    // In declared order behind the other columns, whatever order the experiment has.
    let (plain, whole) = (place.csv("plain"), place.csv("whole"));
    assert_eq!(whole[0], format!("{},top5,brier", plain[0]));
    for (plain, whole) in plain[1..].iter().zip(&whole[1..]) {
        let values = whole.strip_prefix(plain.as_str()).unwrap();
        let values: Vec<f64> = values[1..].split(',').map(|x| x.parse().unwrap()).collect();
        let accuracy: f64 = plain.split(',').nth(3).unwrap().parse().unwrap();
        assert!((accuracy..=1.0).contains(&values[0]), "{whole}");
        assert!((0.0..=2.0).contains(&values[1]), "{whole}");
    }
    assert!(place.summary("plain")["points"][0].get("columns").is_none());
}

#[test]
fn a_run_is_not_continued_with_other_metrics() {
    let place = Place::new();
    place.sweep("out", &small(10, "", GRID), None).unwrap();
    let before = place.csv("out");
    let e = place.sweep("out", &small(10, METRICS, GRID), None);
    let e = e.unwrap_err().to_string();
    assert!(e.contains("no `sweep.metrics` there"), "{e}");
    assert_eq!(place.csv("out"), before);
    // Their order does not matter.
    let other = "metrics = [\"top5\", \"brier\"]";
    place
        .sweep("with", &small(10, METRICS, GRID), None)
        .unwrap();
    place.sweep("with", &small(20, other, GRID), None).unwrap();
    assert_eq!(place.csv("with").len(), 1 + 2 * 20);
}

#[test]
fn metrics_that_can_tell_nothing_are_refused() {
    let mut data = digits();
    data.test.classes = 5;
    let e = small(10, METRICS, GRID);
    let options = SweepOptions::new(Place::new().path("out"), "test", report::write);
    let e = run(&[&CpuBackend::new()], &e, &data, &options, &()).unwrap_err();
    assert!(
        e.to_string()
            .contains("has 5 classes; allowed: with at least 6"),
        "{e}"
    );
}

const FLIPS: u32 = 200;

/// Every flipped bit of a journal is an error that names the file, or changes nothing.
#[test]
fn flipped_bits_of_a_journal_are_refused_or_harmless() {
    let place = Place::new();
    let e = small(20, "", GRID);
    place.sweep("whole", &e, None).unwrap();
    let journal = place.path("out/journal.bin");
    let copy = |from: &Path| {
        std::fs::create_dir_all(place.path("out")).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.path("out").join(file.file_name())).unwrap();
        }
    };
    let whole = std::fs::read(place.path("whole/journal.bin")).unwrap();
    let random = Stream::new(7, Purpose::Init, 0, 0, 0);
    let (mut refused, mut harmless) = (0, 0);
    for flip in 0..FLIPS {
        copy(&place.path("whole"));
        // Every region: one flip in each of as many parts of the file.
        let (from, to) = (
            u64::from(flip) * whole.len() as u64 / u64::from(FLIPS),
            u64::from(flip + 1) * whole.len() as u64 / u64::from(FLIPS),
        );
        let at = from + u64::from(random.word(2 * flip)) % (to - from).max(1);
        let mut bytes = whole.clone();
        bytes[at as usize] ^= 1 << (random.word(2 * flip + 1) % 8);
        std::fs::write(&journal, &bytes).unwrap();
        match place.sweep("out", &e, None) {
            Err(e) => {
                assert_eq!(e.exit_code(), 2, "{e}");
                let text = e.to_string();
                let named = text.contains("journal.bin") || text.contains("was not written by");
                assert!(named, "{text}");
                refused += 1;
            }
            Ok(_) => {
                place.assert_same("whole", "out");
                harmless += 1;
            }
        }
    }
    println!("{FLIPS} flips: {refused} refused, {harmless} harmless, 0 others");
    assert!(refused > 150, "{refused}");
}
