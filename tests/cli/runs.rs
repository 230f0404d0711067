//! Sweeps, trainings and single chips from the command line, small enough for a few seconds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Run, pimento, pimento_with, text};

/// Two points of a small network on the 8 x 8 digits.
const EXPERIMENT: &str = r#"
name = "small"
[data]
set = "digits-8x8"
[network]
kind = "mlp"
hidden = [16]
batch_norm = true
[train]
epochs = 2
batch = 64
[sweep]
chips = 5
images = 100
[[sweep.grid]]
sigma_w = 0.2
sigma_b = 0.3
tuning = ["none", "self-tuning"]
"#;

/// A folder with the experiment in it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("small.toml"), EXPERIMENT).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a subcommand on the experiment, on the CPU.
    fn run(&self, subcommand: &str, more: &[&str]) -> Run {
        let file = self.path("small.toml");
        let mut args = vec![subcommand, text(&file)];
        args.extend(more);
        pimento_with(&args, &[("PIMENTO_BACKEND", "cpu")])
    }
}

/// The objects of a file of measurements, with their times taken out.
fn measurements(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<Value> = text.lines().map(json).collect();
    for line in &mut lines {
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        assert!(humantime::parse_rfc3339(time.as_str().unwrap()).is_ok());
    }
    lines
}

/// An object for every epoch and every wave, with the numbers of the run; a second process appends.
#[test]
fn measurements_are_those_of_the_run() {
    let place = Place::new();
    let file = place.path("m.jsonl");
    let out = place.path("run");
    let args = ["--out", text(&out), "--metrics", text(&file), "--json"];
    let run = place.run("sweep", &args);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let summary = json(&run.stdout);
    let lines = measurements(&file);
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    let history = summary["trainings"][0]["epochs"].as_array().unwrap();
    let epochs = of("epoch");
    assert_eq!((epochs.len(), history.len()), (2, 2));
    for (line, record) in epochs.iter().zip(history) {
        for field in ["epoch", "loss", "accuracy"] {
            assert_eq!(line[field], record[field], "{field}");
        }
        assert_eq!(line["epochs"], 2);
        assert_eq!(line["stage"], Value::Null);
    }
    assert!(epochs[0]["learning_rate"].as_f64() > epochs[1]["learning_rate"].as_f64());
    let waves = of("wave");
    assert_eq!(waves.len() + epochs.len(), lines.len());
    for (i, point) in summary["points"].as_array().unwrap().iter().enumerate() {
        let last = waves.iter().rfind(|line| line["point"] == i);
        let last = last.expect("a wave of every point");
        assert_eq!(
            (&last["chips_done"], &last["chips"]),
            (&point["chips"], &point["chips"])
        );
        assert_eq!(last["mean"], point["mean"]);
    }

    let more = [
        "--out",
        text(&out),
        "--resume",
        "--chips",
        "7",
        "--metrics",
        text(&file),
    ];
    let run = place.run("sweep", &more);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let all = measurements(&file);
    assert_eq!(all[..lines.len()], lines[..]);
    assert_eq!(all.last().unwrap()["all_done"], 14);

    let net = place.path("net.safetensors");
    let alone = place.path("alone.jsonl");
    let args = ["--out", text(&net), "--metrics", text(&alone)];
    assert_eq!(place.run("train", &args).code, 0);
    let expected: Vec<Value> = epochs.into_iter().cloned().collect();
    assert_eq!(measurements(&alone), expected);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_sweep_its_files_and_a_chip_of_it() {
    let place = Place::new();
    let out = place.path("out");
    let run = place.run("sweep", &["--out", text(&out)]);
    run.assert_ok();
    run.assert_says(&["self-tuning"]);
    let mut expected = vec![
        "chips.csv",
        "experiment.toml",
        "headline.svg",
        "journal.bin",
        "models",
        "report.html",
        "summary.json",
    ];
    if cfg!(feature = "parquet") {
        expected.insert(1, "chips.parquet");
    }
    assert_eq!(files(&out), expected);
    let csv = std::fs::read_to_string(out.join("chips.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 5);
    let summary = json(&std::fs::read_to_string(out.join("summary.json")).unwrap());
    assert_eq!(summary["experiment"], "small");
    assert_eq!(summary["points"][1]["tuning"], "self-tuning");
    assert_eq!(summary["points"][1]["chips"], 5);

    // The same chip alone: from the sweep's network, and from a network trained again.
    let row = csv.lines().find(|l| l.starts_with("1,3,")).unwrap();
    let accuracy: f64 = row.split(',').nth(5).unwrap().parse().unwrap();
    for more in [&["--run", text(&out)][..], &[]] {
        let args = [&["--point", "1", "--index", "3", "--json"], more].concat();
        let run = place.run("chip", &args);
        run.assert_ok();
        let chip = json(&run.stdout);
        assert_eq!(chip["chip"]["chip"], 3);
        assert_eq!(chip["chip"]["accuracy"], accuracy);
    }

    // Another run is not overwritten unless asked for.
    let before = std::fs::read(out.join("summary.json")).unwrap();
    let run = place.run("sweep", &["--out", text(&out)]);
    run.assert_refused(&["--force"]);
    place
        .run("sweep", &["--out", text(&out), "--resume", "--seed", "9"])
        .assert_refused(&["seed"]);
    place
        .run(
            "sweep",
            &["--out", text(&out), "--resume", "--kernels", "direct"],
        )
        .assert_refused(&["`winograd` there", "`direct` now (--kernels)"]);
    assert_eq!(std::fs::read(out.join("summary.json")).unwrap(), before);
    let run = place.run(
        "sweep",
        &["--out", text(&out), "--force", "--seed", "9", "--json"],
    );
    run.assert_ok();
    assert_eq!(json(&run.stdout)["seed"], 9);
}

#[test]
fn output_directories_that_cannot_be_used() {
    let place = Place::new();
    let file = place.path("small.toml");
    let below_a_file = file.join("out");
    for out in [&file, &below_a_file] {
        place
            .run("sweep", &["--out", text(out)])
            .assert_refused(&[text(&file)]);
    }
    assert_eq!(files(place.dir.path()), ["small.toml"]);
}

#[test]
fn adapters_that_cannot_be_used() {
    let place = Place::new();
    let out = place.path("out");
    for more in [
        &["--backend", "cpu", "--adapter", "x"][..],
        &["--backend", "cpu", "--kernels", "tiled"],
        &["--kernels", "fast"],
        &["--kernels", "portable,tiled"],
        &["--backend", "cpu", "--kernels", "direct,portable"],
        &["--backend", "gpu", "--adapter", "no such adapter"],
        &["--backend", "auto", "--adapter", "no such adapter"],
        &["--backend", "tpu"],
    ] {
        let args = [&["--out", text(&out)], more].concat();
        let run = place.run("sweep", &args);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (2, ""),
            "{more:?}: {}",
            run.stderr
        );
        assert!(!out.exists());
    }
}

#[test]
fn a_training_alone() {
    let place = Place::new();
    let file = place.path("net.safetensors");
    let run = place.run("train", &["--out", text(&file), "--json"]);
    run.assert_ok();
    assert_eq!(json(&run.stdout)["config"]["train"]["epochs"], 2);
    assert_eq!(files(place.dir.path()), ["net.safetensors", "small.toml"]);
    let run = place.run("train", &["--out", text(&file)]);
    run.assert_refused(&["--force"]);
    place
        .run("train", &["--out", text(&place.path("no/net.safetensors"))])
        .assert_refused(&["no such directory"]);
}

#[test]
fn points_that_do_not_exist() {
    let place = Place::new();
    for args in [
        &["chip", "--index", "0", "--point", "2"][..],
        &["train", "--out", "x", "--point", "2"],
    ] {
        place
            .run(args[0], &args[1..])
            .assert_refused(&["--point 2", "0 to 1"]);
    }
    assert_eq!(pimento(&["chip", "x.toml"]).code, 2);
}

/// What does not fit is known before anything is tried, and is the user's to change.
#[test]
fn too_much_for_the_memory_is_refused_with_the_numbers() {
    let place = Place::new();
    let large = EXPERIMENT.replace("hidden = [16]", "hidden = [2000, 2000]");
    std::fs::write(place.path("small.toml"), large).unwrap();
    let out = place.path("out");
    let run = place.run("sweep", &["--memory", "1MiB", "--out", text(&out)]);
    run.assert_refused(&["need ", " MiB", "the memory budget is 1 MiB (as asked for)"]);
    let run = place.run("check", &[]);
    let mut memory = run.stdout.lines();
    assert!(
        memory.any(|l| l.starts_with("memory "))
            && memory.next().is_some_and(|l| l.contains(" MiB (half of ")),
        "{}",
        run.stdout
    );
}

/// Ctrl-C is a signal only where there are signals.
#[cfg(unix)]
#[test]
fn an_interrupted_sweep_can_be_resumed() {
    let place = Place::new();
    let long = EXPERIMENT.replace("epochs = 2", "epochs = 100000");
    let file = place.path("long.toml");
    std::fs::write(&file, long).unwrap();
    let out = place.path("out");
    let args = [
        "sweep",
        text(&file),
        "--out",
        text(&out),
        "--backend",
        "cpu",
    ];
    let child = Command::new(env!("CARGO_BIN_EXE_pimento"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !out.join("experiment.toml").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(!out.join("summary.json").exists());
}

/// A training leaves a page; files of several make one together, and are not mixed with sweeps.
#[test]
fn trainings_have_pages() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = dir.path().join("e.toml");
    std::fs::write(
        &experiment,
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 100\n[network]\nkind = \"mlp\"\nhidden = [4]\n[[train.stage]]\n\
         name = \"first\"\nepochs = 1\n[[train.stage]]\nname = \"then\"\nepochs = 2\n[sweep.axes]\n\"train.seed\" = [1, 2]\n",
    )
    .unwrap();
    let path = |name: &str| dir.path().join(name);
    let page = path("one.html");
    for (point, file, more) in [
        ("0", "one.safetensors", vec!["--report", text(&page)]),
        ("1", "two.safetensors", vec![]),
    ] {
        let out = path(file);
        let args = [
            "train",
            text(&experiment),
            "--out",
            text(&out),
            "--point",
            point,
        ];
        let run = pimento(&[&args[..], &["--backend", "cpu", "-q"], &more[..]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    }
    let one = std::fs::read_to_string(&page).unwrap();
    assert!(one.contains(">then</td>") && one.contains("name = &quot;then&quot;"));
    let (a, b, out) = (
        path("one.safetensors"),
        path("two.safetensors"),
        path("t.html"),
    );
    let files = ["report", text(&a), text(&b), "--out", text(&out)];
    for _ in 0..2 {
        // A page of ours may be made again.
        let run = pimento(&files);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    }
    let both = std::fs::read_to_string(&out).unwrap();
    assert!(both.contains("What tells them apart") && both.contains("two (seed 2)"));
    let mixed = pimento(&[
        "report",
        text(&a),
        text(dir.path()),
        "--out",
        text(&path("m.html")),
    ]);
    assert_eq!(mixed.code, 2);
    assert!(
        mixed.stderr.contains("only files of `pimento train`"),
        "{}",
        mixed.stderr
    );
    let same = pimento(&[
        "train",
        text(&experiment),
        "--out",
        text(&path("x")),
        "--report",
        text(&path("x")),
    ]);
    assert_eq!(same.code, 2);
    assert!(!path("m.html").exists() && !path("x").exists());
    let onto = pimento(&["report", text(&a), "--out", text(&b), "--force"]);
    let kept = std::fs::read(&b).unwrap().starts_with(b"<!DOCTYPE");
    assert!(
        onto.code == 0 && kept,
        "a file that is not read may be replaced by force"
    );
    assert_eq!(
        pimento(&["report", text(&a), "--out", text(&a), "--force"]).code,
        2
    );
}
