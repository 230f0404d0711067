//! Runs compared, axes, and the worst chip, from the command line.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Run, pimento_with, text};

const EXPERIMENT: &str = r#"
name = "small"
[data]
set = "digits-8x8"
[network]
kind = "mlp"
hidden = [16]
[train]
recipe = "qat"
epochs = 2
batch = 64
[variation]
sigma_w = 0.2
[sweep]
chips = 40
images = 100
[sweep.axes]
"variation.sigma_b" = [0.0, 0.3]
"quantize.weight_bits" = [4]
[worst_case]
steps = 2
restarts = 1
search_images = 50
random_chips = 3
"#;

fn run(args: &[&str]) -> Run {
    pimento_with(args, &[("PIMENTO_BACKEND", "cpu")])
}

fn sweep(file: &Path, out: &Path, more: &[&str]) {
    let args = [&["sweep", text(file), "--out", text(out)], more].concat();
    run(&args).assert_ok();
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.toml");
    std::fs::write(&file, EXPERIMENT).unwrap();
    (dir, file)
}

#[test]
fn runs_are_compared_by_diff_and_on_one_page() {
    let (dir, file) = place();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
    sweep(&file, &a, &[]);
    sweep(&file, &b, &[]);
    let worse = EXPERIMENT.replace("sigma_w = 0.2", "sigma_w = 0.2\nsigma_layer = 1.5");
    std::fs::write(&file, worse).unwrap();
    sweep(&file, &c, &[]);

    let same = run(&["diff", text(&a), text(&b)]);
    assert_eq!((same.code, same.stderr.as_str()), (0, ""));
    same.assert_says(&["identical, chip by chip"]);
    let other = run(&["diff", text(&a), text(&c), "--json"]);
    assert_eq!((other.code, other.stderr.as_str()), (3, ""));
    let json: Value = serde_json::from_str(&other.stdout).unwrap();
    assert_eq!(json["differ"], true);
    assert_eq!(json["points"].as_array().unwrap().len(), 2);
    assert_eq!(json["points"][0]["paired"], true);
    assert_eq!(json["points"][0]["chips"], 40);
    assert!(
        json["points"][0]["mean"].as_f64().unwrap() < -0.05,
        "{json}"
    );

    let page = dir.path().join("page.html");
    let report = run(&["report", text(&a), text(&c), "--out", text(&page)]);
    assert_eq!((report.code, report.stderr.as_str()), (0, ""));
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("Comparison of a, c"), "{page}");
    assert!(page.contains("What it gains on the same chips"), "{page}");
    assert!(page.contains("= 0.3 against run a, "), "{page}");
    assert!(!page.contains("The configuration as"), "{page}");
    // One run alone gets the page it has.
    let before = std::fs::read(a.join("report.html")).unwrap();
    assert_eq!(run(&["report", text(&a)]).code, 0);
    assert_eq!(std::fs::read(a.join("report.html")).unwrap(), before);

    // A number that no sweep writes is refused where it stands.
    let csv = std::fs::read_to_string(b.join("chips.csv")).unwrap();
    let first = csv.lines().nth(1).unwrap();
    let accuracy = first.split(',').nth(
        csv.lines()
            .next()
            .unwrap()
            .split(',')
            .position(|c| c == "accuracy")
            .unwrap(),
    );
    let damaged = csv.replacen(&format!(",{},", accuracy.unwrap()), ",4294967296,", 1);
    std::fs::write(b.join("chips.csv"), damaged).unwrap();
    let refused = run(&[
        "report",
        text(&b),
        "--out",
        text(&dir.path().join("x.html")),
    ]);
    assert_eq!(refused.code, 2);
    let place = "chips.csv: line 2, column `accuracy`: `4294967296` is not a number from 0 to 1";
    assert!(refused.stderr.contains(place), "{}", refused.stderr);

    let none = run(&["diff", text(&a), text(dir.path())]);
    assert_eq!(none.code, 2);
    assert!(
        none.stderr.contains("holds no summary.json"),
        "{}",
        none.stderr
    );
}

/// The interval of a mean has a part for chips not yet seen, which can be left out.
#[test]
fn chips_not_yet_seen_have_a_part_in_the_interval_and_can_be_left_out() {
    let (dir, file) = place();
    let [with, without] = ["with", "without"].map(|name| dir.path().join(name));
    sweep(&file, &with, &[]);
    let off = EXPERIMENT.replace("images = 100", "images = 100\nunseen = false");
    std::fs::write(&file, off).unwrap();
    sweep(&file, &without, &[]);
    let point = |dir: &Path| {
        let text = std::fs::read_to_string(dir.join("summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&text).unwrap();
        summary["points"][0].clone()
    };
    let number = |p: &Value, name: &str| p[name].as_f64().unwrap();
    let ends = |p: &Value| [0, 1].map(|i| p["mean_ci95"][i].as_f64().unwrap());
    let (with, plain) = (point(&with), point(&without));
    let (mean, se, unseen) = (
        number(&with, "mean"),
        number(&with, "se"),
        number(&with, "mean_unseen"),
    );
    // Ten classes, 40 chips; 2.0227 is the 97.5 % quantile of Student's t with 39 degrees of freedom.
    assert!((unseen - 3.0 / 40.0 * (mean - 0.1)).abs() < 1e-12, "{with}");
    let student = [mean - 2.022_690_9 * se, mean + 2.022_690_9 * se];
    let above = unseen.min(3.0 / 40.0 * (1.0 - mean));
    let near = |got: [f64; 2], want: [f64; 2]| {
        let close = got
            .iter()
            .zip(want)
            .all(|(g, w)| (g - w.clamp(0.0, 1.0)).abs() < 1e-8);
        assert!(close, "{got:?} {want:?}");
    };
    near(ends(&with), [student[0] - unseen, student[1] + above]);
    near(ends(&plain), student);
    assert!(plain["mean_unseen"].is_null(), "{plain}");
    let page = std::fs::read_to_string(without.join("report.html")).unwrap();
    assert!(page.contains("leave out chips not yet seen"), "{page}");
}

#[test]
fn axes_are_in_every_output_under_their_names() {
    let (dir, file) = place();
    let axes = EXPERIMENT.replace(
        "\"quantize.weight_bits\" = [4]",
        "\"train.learning_rate\" = [1e-3, 3e-3]\n\"quantize.weight_bits\" = 3",
    );
    std::fs::write(&file, &axes).unwrap();
    let out = dir.path().join("out");
    sweep(&file, &out, &["--chips", "2"]);
    let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let point = &summary["points"][3];
    assert_eq!(point["sigma_b"], 0.3);
    assert_eq!(point["weight_bits"], 3);
    assert_eq!(point["train.learning_rate"], 3e-3);
    assert_eq!(point["costs"]["cells"], f64::from(64 * 16 + 16 * 10));
    // Each sigma_b has two networks on the same chips.
    assert_eq!(summary["comparisons"].as_array().unwrap().len(), 2);
    assert_eq!(summary["comparisons"][0]["a"], 0);
    assert_eq!(summary["comparisons"][0]["chips"], 2);
    let trainings = summary["trainings"].as_array().unwrap();
    for rate in ["0.001", "0.003"] {
        let axis = format!(", train.learning_rate {rate}");
        let told = trainings
            .iter()
            .any(|t| t["label"].as_str().unwrap().contains(&axis));
        assert!(told, "{axis}: {trainings:?}");
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("train.learning_rate"), "{page}");

    std::fs::write(
        &file,
        axes.replace("train.learning_rate", "train.learnrate"),
    )
    .unwrap();
    let wrong = run(&["check", text(&file)]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(
        wrong.stderr.contains(
            "small.toml:19: unknown field `train.learnrate`; did you mean `learning_rate`?"
        ),
        "{}",
        wrong.stderr
    );
}

#[test]
fn the_worst_chip_is_printed_and_written() {
    let (dir, file) = place();
    let [out, page] = ["worst.json", "worst.html"].map(|name| dir.path().join(name));
    let args = [
        "worst-case",
        text(&file),
        "--point",
        "1",
        "--out",
        text(&out),
        "--report",
        text(&page),
    ];
    let done = run(&args);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let page = std::fs::read_to_string(&page).unwrap();
    for said in [
        "3 random chips",
        "worst found, all weights",
        "worst_case.csv",
    ] {
        assert!(page.contains(said), "{said}");
    }
    done.assert_says(&["worst found"]);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(
        json["point"],
        "variation.sigma_b = 0.3, quantize.weight_bits = 4"
    );
    assert_eq!(json["search_images"], 50);
    assert_eq!(json["random"]["chips"], 3);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for args in [&["worst-case"][..], &["chip", "--index", "0"]] {
        let wrong = run(&[args, &[text(&file), "--run", text(&empty)]].concat());
        assert!(wrong.stderr.contains("holds no run"), "{}", wrong.stderr);
        assert_eq!(
            (wrong.code, std::fs::read_dir(&empty).unwrap().count()),
            (2, 0)
        );
    }
    let wrong = run(&["worst-case", text(&file), "--point", "2"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("allowed: 0 to 1"), "{}", wrong.stderr);
}

/// A figure with its numbers; what the run is made of is never replaced.
#[test]
fn a_run_is_drawn_for_a_paper() {
    let (dir, file) = place();
    let [out, svg, csv] = ["a", "p.svg", "p.csv"].map(|name| dir.path().join(name));
    sweep(&file, &out, &[]);
    let listed = run(&["plot", text(&out)]);
    listed.assert_ok();
    listed.assert_says(&["variation.sigma_b", "accuracy_chips", "q05"]);

    let args = [
        "plot",
        text(&out),
        "--x",
        "sigma_b",
        "--out",
        text(&svg),
        "--out",
        text(&csv),
    ];
    let drawn = run(&args);
    drawn.assert_ok();
    drawn.assert_says(&["n = 40 chips at each point, 100 images each", "Student t"]);
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.contains("width=\"180mm\"") && picture.contains("mean accuracy (%)"));
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 3);

    let again = run(&args);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let chips = out.join("chips.csv");
    let over = run(&[
        "plot",
        text(&out),
        "--x",
        "sigma_b",
        "--out",
        text(&chips),
        "--force",
    ]);
    assert_eq!(over.code, 2);
    let none = run(&[
        "plot",
        text(&out),
        "--x",
        "sigma_b",
        "--y",
        "sigma_w",
        "--out",
        text(&svg),
        "--force",
    ]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("allowed: accuracy"), "{}", none.stderr);
}
