//! Directories of runs: used again by themselves, and what is never replaced.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Run, pimento, pimento_in, pimento_with, text};

/// A network on arrays of images, both beside the experiment.
const EXPERIMENT: &str = r#"
name = "small"
[data]
kind = "npy"
dir = "images"
[network]
kind = "mlp"
hidden = [8]
[train]
epochs = 1
batch = 16
[variation]
sigma_w = 0.2
sigma_b = 0.3
[tuning]
test_cells = 4
[sweep]
chips = 6
images = 30
[sweep.axes]
"tuning.method" = ["none", "self-tuning"]
"#;

/// An array of bytes or of 64-bit integers as an NPY file.
fn npy(path: &Path, descr: &str, shape: &str, bytes: &[u8]) {
    let mut head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((head.len() as u16).to_le_bytes());
    file.extend(head.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let images = dir.path().join("work/images");
        std::fs::create_dir_all(&images).unwrap();
        for (part, n) in [("train", 64_usize), ("test", 40)] {
            let pixels: Vec<u8> = (0..n * 16)
                .map(|i| (((i / 16) % 4 * 60) + (i * 7) % 23) as u8)
                .collect();
            let labels: Vec<u8> = (0..n)
                .flat_map(|i| ((i % 4) as i64).to_le_bytes())
                .collect();
            let path = |what: &str| images.join(format!("{part}_{what}.npy"));
            npy(&path("images"), "|u1", &format!("({n}, 4, 4)"), &pixels);
            npy(&path("labels"), "<i8", &format!("({n},)"), &labels);
        }
        std::fs::write(dir.path().join("work/small.toml"), EXPERIMENT).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the program in a folder of this place, on the CPU.
    fn run_in(&self, folder: &str, args: &[&str]) -> Run {
        let folder = self.path(folder);
        pimento_in(&folder, args, &[("PIMENTO_BACKEND", "cpu")])
    }

    fn ok(&self, folder: &str, args: &[&str]) -> String {
        let run = self.run_in(folder, args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        run.stdout
    }

    fn refused(&self, folder: &str, args: &[&str], words: &str) {
        self.run_in(folder, args).assert_refused(&[words]);
    }

    /// The chips of a run.
    fn table(&self, run: &str) -> String {
        String::from_utf8(self.read(&format!("{run}/chips.csv"))).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// Arrays beside an experiment that is named without its directory, and a network without hidden
/// units: what a run writes of both is read again as it was.
#[test]
fn a_run_of_arrays_and_of_an_empty_list_is_used_again() {
    let place = Place::new();
    let names = ["train_images", "train_labels", "test_images", "test_labels"]
        .map(|name| format!("{name} = \"images/{name}.npy\"\n"));
    let experiment = EXPERIMENT
        .replace("dir = \"images\"\n", &names.concat())
        .replace("hidden = [8]", "hidden = []");
    std::fs::write(place.path("work/small.toml"), experiment).unwrap();
    place.ok("work", &["sweep", "small.toml", "--out", "run"]);
    place.ok(".", &["sweep", "work/run/experiment.toml", "--out", "a"]);
    assert_eq!(place.read("a/chips.csv"), place.read("work/run/chips.csv"));
    let page = String::from_utf8(place.read("a/report.html")).unwrap();
    assert!(!page.contains("hidden units"), "{page}");
    let chip = place.ok(".", &["chip", "work/run", "--index", "2", "--json"]);
    let chip: Value = serde_json::from_str(&chip).unwrap();
    assert_eq!(chip["equal"], true, "{chip}");
}

/// A place with a run of some chips in `work/run`, whose table it gives too.
fn with_run(chips: &str) -> (Place, String) {
    let place = Place::new();
    let sweep = ["sweep", "small.toml", "--out", "run", "--chips", chips];
    place.ok("work", &sweep);
    let csv = place.table("work/run");
    (place, csv)
}

/// What continues the run in `work/run`.
const RESUME: [&str; 3] = ["sweep", "work/run/experiment.toml", "--resume"];

/// What makes a chip of it again.
const CHIP: [&str; 4] = ["chip", "work/run", "--index", "0"];

/// A chip, as the report says it, from another folder: the paths of the run still hold.
#[test]
fn a_chip_of_a_run_is_made_again_from_anywhere() {
    let (place, csv) = with_run("4");
    assert!(
        csv.starts_with("point,chip,tuning.method,accuracy,loss,"),
        "{csv}"
    );
    let row = csv.lines().nth(6).unwrap();
    assert!(row.starts_with("1,1,self-tuning,"), "{csv}");
    let page = String::from_utf8(place.read("work/run/report.html")).unwrap();
    assert!(
        page.contains("pimento chip run --point 1 --index "),
        "the command"
    );
    let chip = |args: &[&str]| -> Value {
        let args = [&["chip", "work/run", "--json"], args].concat();
        serde_json::from_str(&place.ok(".", &args)).unwrap()
    };
    let last = chip(&["--point", "1", "--index", "3"]);
    assert_eq!(last["equal"], true, "{last}");
    let row = csv.lines().last().unwrap();
    assert!(row.starts_with("1,3,"), "{row}");
    let loss: f64 = row.split(',').nth(4).unwrap().parse().unwrap();
    assert_eq!(last["chip"]["loss"], loss);
    let words = place.ok(".", &["chip", "work/run/experiment.toml", "--index", "0"]);
    assert!(words.contains("the same to the last bit"), "{words}");
    // A chip that the run does not have is made all the same.
    let new = chip(&["--index", "5"]);
    assert!(new["equal"].is_null() && new["recorded"].is_null());
    let seed = [&CHIP[..], &["--seed", "3"]].concat();
    place.refused(".", &seed, "--seed");
    place.refused(".", &["chip", "work", "--index", "0"], "holds no run");
}

#[test]
fn a_run_is_made_again_and_grows_from_anywhere() {
    let (place, _) = with_run("4");
    let again = ["sweep", "work/run/experiment.toml", "--out", "again"];
    place.ok(".", &again);
    for name in ["chips.csv", "experiment.toml"] {
        let [run, again] = ["work/run", "again"].map(|dir| place.read(&format!("{dir}/{name}")));
        assert!(run == again, "{name}");
    }
    place.ok(".", &[&RESUME[..], &["--chips", "9"]].concat());
    let nine = ["sweep", "small.toml", "--out", "nine", "--chips", "9"];
    place.ok("work", &nine);
    assert_eq!(place.table("work/run"), place.table("work/nine"));
}

/// A value added by hand in the run's own file: it stays as it was written.
#[test]
fn a_run_is_continued_with_a_value_added_in_its_own_file() {
    let (place, before) = with_run("9");
    let file = place.path("work/run/experiment.toml");
    let edited = std::fs::read_to_string(&file).unwrap();
    let method = "\"tuning.method\" = [";
    let edited = match edited.contains(method) {
        true => edited,
        false => edited.replace("tuning = [", method),
    };
    let edited = edited.replacen(method, &format!("# mine\n{method}\"oracle\", "), 1);
    std::fs::write(&file, &edited).unwrap();
    place.refused(".", &CHIP, "experiment.toml");
    let more = [&RESUME[..], &["--chips", "12"]].concat();
    place.refused(".", &more, "in the file");
    place.ok(".", &RESUME);
    assert_eq!(place.read("work/run/experiment.toml"), edited.as_bytes());
    let csv = place.table("work/run");
    assert_eq!(csv.lines().count(), 1 + 3 * 9);
    for (old, new) in before.lines().skip(1).zip(csv.lines().skip(1 + 9)) {
        assert_eq!(old[1..], new[1..], "but for the point's number");
    }
}

#[test]
fn other_images_under_the_path_of_a_run_are_noticed() {
    let (place, _) = with_run("4");
    let labels = place.path("work/images/test_labels.npy");
    let mut bytes = std::fs::read(&labels).unwrap();
    *bytes.iter_mut().rev().nth(7).unwrap() ^= 1;
    std::fs::write(&labels, bytes).unwrap();
    place.refused(".", &CHIP, "test_data_sha256");
    place.refused(".", &RESUME, "test_data_sha256");
}

#[test]
fn files_of_others_are_not_replaced() {
    let place = Place::new();
    // In a directory of the user's.
    std::fs::create_dir(place.path("work/mine")).unwrap();
    std::fs::write(place.path("work/mine/report.html"), "mine").unwrap();
    let into_mine = ["sweep", "small.toml", "--out", "mine"];
    place.refused("work", &into_mine, "report.html");
    let resumed = [&into_mine[..], &["--resume"]].concat();
    place.refused("work", &resumed, "report.html");
    let files: Vec<_> = std::fs::read_dir(place.path("work/mine"))
        .unwrap()
        .collect();
    assert_eq!(files.len(), 1);
    place.ok("work", &[&into_mine[..], &["--force", "-q"]].concat());
    // In the directory of a run: a page of `report` is no stranger, a picture is.
    place.ok("work", &["report", "mine"]);
    place.ok("work", &[&into_mine[..], &["--resume", "-q"]].concat());
    std::fs::write(place.path("work/mine/headline.svg"), "mine").unwrap();
    place.refused("work", &resumed, "headline.svg");
    assert_eq!(place.read("work/mine/headline.svg"), b"mine");
    // The experiment itself, under its name or another one, even with --force.
    std::fs::copy(
        place.path("work/small.toml"),
        place.path("work/experiment.toml"),
    )
    .unwrap();
    let here = ["sweep", "experiment.toml", "--out", ".", "--chips", "3"];
    place.refused(
        "work",
        &[&here[..], &["--force"]].concat(),
        "experiment.toml",
    );
    assert_eq!(place.read("work/experiment.toml"), EXPERIMENT.as_bytes());
    let summary = place.path("work/mine/summary.json");
    std::fs::remove_file(&summary).unwrap();
    std::fs::hard_link(place.path("work/small.toml"), &summary).unwrap();
    place.refused(
        "work",
        &[&into_mine[..], &["--force"]].concat(),
        "is read as",
    );
    assert_eq!(place.read("work/small.toml"), EXPERIMENT.as_bytes());
    let log = ["sweep", "small.toml", "--out", "new", "--log", "small.toml"];
    place.refused("work", &log, "is read as");
    std::fs::write(place.path("work/notes"), "mine\n").unwrap();
    let log = ["sweep", "small.toml", "--out", "new", "--log", "notes"];
    place.refused("work", &log, "is no log");
    let metrics = ["sweep", "small.toml", "--out", "new", "--metrics", "notes"];
    place.refused("work", &metrics, "holds no measurements");
    let metrics = [
        "sweep",
        "small.toml",
        "--out",
        "new",
        "--metrics",
        "small.toml",
    ];
    place.refused("work", &metrics, "is read as");
    assert_eq!(place.read("work/notes"), b"mine\n");
}

#[test]
fn outputs_replace_no_inputs() {
    let place = Place::new();
    place.ok("work", &["train", "small.toml", "--out", "net.safetensors"]);
    let net = place.read("work/net.safetensors");
    let force = ["train", "small.toml", "--force", "--out"];
    place.refused(
        "work",
        &[&force[..], &["small.toml"]].concat(),
        "is read as",
    );
    let images = "images/test_images.npy";
    place.refused("work", &[&force[..], &[images]].concat(), "is read as");
    std::os::unix::fs::symlink("net.safetensors", place.path("work/link.safetensors")).unwrap();
    let export = [
        "export",
        "net.safetensors",
        "--force",
        "--output",
        "link.safetensors",
    ];
    place.refused("work", &export, "is read as");
    let pixels: Vec<u8> = (0..32).collect();
    npy(&place.path("work/x.npy"), "|u1", "(2, 1, 4, 4)", &pixels);
    let infer = |output: &'static str, more: &[&'static str]| {
        let fixed = [
            "infer",
            "net.safetensors",
            "--input",
            "x.npy",
            "--output",
            output,
        ];
        [&fixed[..], more].concat()
    };
    for output in ["net.safetensors", "link.safetensors", "x.npy"] {
        place.refused("work", &infer(output, &["--force"]), "is read as");
    }
    place.ok("work", &infer("y.npy", &[]));
    place.refused("work", &infer("y.npy", &[]), "--force");
    place.ok("work", &infer("y.npy", &["--force"]));
    assert_eq!(place.read("work/net.safetensors"), net);
    place.ok("work", &["sweep", "small.toml", "--out", "run", "-q"]);
    for file in ["run/summary.json", "run/chips.csv", "run/journal.bin"] {
        let before = place.read(&format!("work/{file}"));
        place.refused(
            "work",
            &["report", "run", "--force", "--out", file],
            "is read as",
        );
        assert_eq!(place.read(&format!("work/{file}")), before);
    }
    std::fs::write(place.path("work/page.html"), "mine").unwrap();
    place.refused("work", &["report", "run", "--out", "page.html"], "--force");
    place.ok("work", &["report", "run", "--out", "new.html"]);
    place.ok("work", &["report", "run", "--out", "new.html"]);
}

#[test]
fn quiet_is_quiet_and_json_is_json() {
    let place = Place::new();
    let (net, images) = ("net.safetensors", "images/test_images.npy");
    let all: &[&[&str]] = &[
        &["check", "small.toml"],
        &["train", "small.toml", "--out", net],
        &["sweep", "small.toml", "--out", "run"],
        &["sweep", "small.toml", "--out", "other", "--dry-run"],
        &["merge", "run", "--out", "merged"],
        &["chip", "run", "--index", "0"],
        &["report", "run", "--force", "--out", "page.html"],
        &["diff", "run", "merged"],
        &["inspect", net],
        &["infer", net, "--input", images, "--output", "y.npy"],
        &["export", net, "--output", "net.onnx"],
        &["devices"],
        &["completions", "bash"],
        &["init", "new.toml", "--force"],
        &["config", "chip"],
        &["presets"],
    ];
    for json in [false, true] {
        for args in all {
            let more: &[&str] = match (json, args[0]) {
                (false, _) => &["--quiet"],
                (
                    true,
                    "check" | "chip" | "report" | "diff" | "inspect" | "devices" | "completions"
                    | "init" | "config" | "presets",
                ) => &["-q", "--json"],
                (true, _) if args.contains(&"--dry-run") => &["-q", "--json"],
                (true, _) => &["-q", "--json", "--force"],
            };
            let said = place.ok("work", &[args, more].concat());
            match json {
                false => assert_eq!(said, "", "{args:?}"),
                true => assert!(
                    serde_json::from_str::<Value>(&said).is_ok(),
                    "{args:?}: {said}"
                ),
            }
        }
    }
    // Options that mean nothing are unknown.
    for name in ["chip", "worst-case", "train"] {
        let help = pimento(&[name, "--help"]).stdout;
        for option in ["--chips", "--until", "--max-chips"] {
            assert!(!help.contains(option), "{name}: {option}");
        }
    }
    let run = pimento_with(&["chip", text(&place.path("none")), "--index", "0"], &[]);
    assert_eq!(run.code, 2);
}

#[test]
fn files_that_the_journal_does_not_know_are_no_results() {
    let place = Place::new();
    place.ok("work", &["sweep", "small.toml", "--out", "run", "-q"]);
    place.ok("work", &["sweep", "small.toml", "--out", "other", "-q"]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.path(name), bytes).unwrap();
    let report = ["report", "run", "--out", "page.html"];
    let resume = ["sweep", "small.toml", "--out", "run", "--resume", "-q"];
    // What does not change any row.
    let chips = String::from_utf8(place.read("work/run/chips.csv")).unwrap();
    let mut edited = chips.clone();
    edited.push('\n');
    write("work/run/chips.csv", edited.as_bytes());
    place.refused("work", &report, "chips.csv: has SHA-256");
    place.refused("work", &["diff", "other", "run"], "chips.csv: has SHA-256");
    write("work/run/chips.csv", chips.as_bytes());
    let summary = place.read("work/run/summary.json");
    let mut value: Value = serde_json::from_slice(&summary).unwrap();
    value["points"][0]["mean"] = 0.123.into();
    let changed = serde_json::to_vec(&value).unwrap();
    write("work/run/summary.json", &changed);
    place.refused("work", &report, "summary.json: has SHA-256");
    // Without a journal the rows tell.
    let journal = place.read("work/run/journal.bin");
    std::fs::remove_file(place.path("work/run/journal.bin")).unwrap();
    place.refused("work", &report, "point 0: mean is 0.123 in summary.json");
    write("work/run/summary.json", &summary);
    place.ok("work", &report);
    // The last record damaged, cut in half, and missing as a whole.
    let last = (0..journal.len())
        .rev()
        .find(|&at| journal[at..].starts_with(b"\xF7PMJ"))
        .unwrap();
    let mut damaged = journal.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [&damaged[..], &journal[..last + 30], &journal[..last]] {
        write("work/run/journal.bin", bytes);
        let words = format!("at byte {last}");
        let force = [&report[..], &["--force"]].concat();
        for args in [&force[..], &resume, &resume] {
            place.refused("work", args, &words);
        }
        assert_eq!(place.read("work/run/journal.bin"), bytes);
    }
    // Moved away they are made again.
    for name in ["chips.csv", "summary.json", "report.html", "headline.svg"] {
        std::fs::remove_file(place.path("work/run").join(name)).unwrap();
    }
    let typed = place.path("work/run/chips.parquet");
    if typed.exists() {
        std::fs::remove_file(typed).unwrap();
    }
    place.ok("work", &resume);
    assert_eq!(place.read("work/run/chips.csv"), chips.as_bytes());
    place.ok("work", &[&report[..], &["--force"]].concat());
    std::fs::remove_file(place.path("work/run/experiment.toml")).unwrap();
    place.refused(
        "work",
        &["chip", "run", "--index", "0"],
        "experiment.toml: is missing",
    );
    // And a failure is a document where one was asked for.
    for args in [
        &["chip", "none", "--index", "0", "--json"][..],
        &["diff", "run", "--json"],
    ] {
        let run = place.run_in("work", args);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.code, &json["exit_code"]), (2, &2.into()));
        assert!(json["error"].as_str().is_some_and(|e| !e.is_empty()));
        assert_eq!(json["errors"].as_array().map(Vec::len), Some(1));
    }
}
