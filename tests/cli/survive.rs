//! What a sweep survives: being killed at any moment, a changed network, a damaged journal. Each test
//! compares with a run that nothing happened to.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pimento::network::Parameters;
use pimento::random::{Purpose, Stream};
use pimento::sweep::journal::{Claimed, Journal};
use serde_json::Value;

use super::{Run, pimento, text};

/// Waves of about a hundred chips, so that there are many.
const SMALL_WAVES: [&str; 2] = ["--memory", "1MiB"];

/// Files that are the same to the byte whatever a sweep went through.
const CHIPS: &[&str] = match cfg!(feature = "parquet") {
    true => &["chips.csv", "chips.parquet"],
    false => &["chips.csv"],
};

/// Whether two directories hold the same chips.
fn assert_same_chips(a: &Path, b: &Path) {
    for name in CHIPS {
        let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
        assert!(read(a) == read(b), "{} differs", b.join(name).display());
    }
}

/// A folder with an experiment on the 8 x 8 digits, its trained network, and the result of a run
/// that nothing happened to.
pub struct Undisturbed {
    pub dir: tempfile::TempDir,
}

impl Undisturbed {
    pub fn new(chips: usize, grid: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let experiment = format!(
            "name = \"survive\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\n\
             hidden = [8]\n[train]\nepochs = 2\nbatch = 64\n[variation]\nsigma_w = 0.3\n\
             sigma_b = 0.2\n[tuning]\ntest_cells = 4\n[sweep]\nchips = {chips}\nimages = 150\n{grid}"
        );
        std::fs::write(dir.path().join("survive.toml"), experiment).unwrap();
        let this = Self { dir };
        this.sweep("undisturbed", &[]).assert_ok();
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn args(&self, out: &Path, more: &[&str]) -> Vec<String> {
        let (file, models) = (self.path("survive.toml"), self.path("models"));
        let fixed = [
            "sweep",
            text(&file),
            "--out",
            text(out),
            "--models",
            text(&models),
            "--backend",
            "cpu",
        ];
        let all = [&fixed[..], &SMALL_WAVES, more].concat();
        all.into_iter().map(String::from).collect()
    }

    pub fn sweep(&self, out: &str, more: &[&str]) -> Run {
        self.sweep_into(&self.path(out), more)
    }

    pub fn sweep_into(&self, out: &Path, more: &[&str]) -> Run {
        let args = self.args(out, more);
        pimento(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn spawn(&self, out: &Path, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_pimento"))
            .args(self.args(out, more))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// That a directory holds what the undisturbed run left: the chips to the byte, the summary but
    /// for times and command lines.
    pub fn assert_equal(&self, out: &Path) {
        let whole = self.path("undisturbed");
        assert_same_chips(&whole, out);
        assert_eq!(summary(&whole), summary(out));
    }
}

/// A summary without what differs between two runs of the same sweep: times, and command lines.
fn summary(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("summary.json")).unwrap();
    let mut summary: Value = serde_json::from_str(&text).unwrap();
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !["elapsed_s", "started", "command"].contains(&key.as_str()));
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut summary);
    summary
}

/// Leaves of a run what there was before its last wave: the journal up to there, no results.
pub fn lose_chips(out: &Path) {
    const WAVE: u8 = 5;
    let journal = out.join("journal.bin");
    let bytes = std::fs::read(&journal).unwrap();
    // The head of every record: four bytes, its kind, and the length of what follows.
    let (mut at, mut last) = (0, 0);
    while at < bytes.len() {
        if bytes[at + 4] == WAVE {
            last = at;
        }
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        at += 20 + length as usize;
    }
    std::fs::write(&journal, &bytes[..last]).unwrap();
    for name in ["summary.json", "report.html", "headline.svg"]
        .iter()
        .chain(CHIPS)
    {
        std::fs::remove_file(out.join(name)).unwrap();
    }
}

/// The chips of the waves that a log says were begun.
fn begun(log: &Path) -> Vec<Range<u32>> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let waves = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once(": chips ")?;
        let (first, rest) = rest.split_once(" to ")?;
        let (last, _) = rest.split_once(" on ")?;
        Some(first.parse().ok()?..last.parse::<u32>().ok()? + 1)
    });
    waves.collect()
}

/// Lets a child live for so long unless it ends before, then kills it; whether it had to.
fn kill_after(child: &mut Child, time: Duration) -> bool {
    std::thread::sleep(time);
    if child.try_wait().unwrap().is_some() {
        return false;
    }
    // SIGKILL on Unix: the process does not learn of it.
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

const KILLS: u32 = 50;

#[test]
fn a_sweep_killed_at_50_random_moments_ends_with_the_same_bytes() {
    let place = Undisturbed::new(6_000, "");
    let moments = Stream::new(5, Purpose::Init, 0, 0, 0);
    let (mut kills, mut sweeps, mut waves_lost) = (0, 0, 0);
    while kills < KILLS {
        sweeps += 1;
        let out = place.path(&format!("killed-{sweeps}"));
        while kills < KILLS {
            let log = place.path("life.log");
            let _ = std::fs::remove_file(&log);
            let mut child = place.spawn(&out, &["--resume", "--log", text(&log)]);
            let word = moments.word(kills);
            // Half of the moments lie behind the start of the first wave, so that slow machines
            // are not always stopped before it; the other half are anywhere.
            if word & 1 == 1 {
                while begun(&log).is_empty() && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            let time = Duration::from_micros(u64::from(word >> 8) % 150_000);
            if !kill_after(&mut child, time) {
                let output = child.wait_with_output().unwrap();
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{stderr}");
                break;
            }
            kills += 1;
            // What was begun in this life and is not in the journal: at most the last wave.
            let begun = begun(&log);
            let Ok(journal) = Journal::read(&out.join("journal.bin")) else {
                assert!(begun.is_empty(), "no journal, but waves {begun:?}");
                continue;
            };
            let lost = |wave: &&Range<u32>| !journal.missing(0, (*wave).clone()).is_empty();
            let lost: Vec<_> = begun.iter().filter(lost).collect();
            assert!(lost.len() <= 1, "kill {kills} lost {lost:?}");
            assert!(lost.is_empty() || lost[0] == begun.last().unwrap());
            waves_lost += lost.len();
        }
        place.sweep_into(&out, &["--resume"]).assert_ok();
        place.assert_equal(&out);
    }
    println!("{kills} kills in {sweeps} sweeps, {waves_lost} waves done twice");
}

/// Makes 16 shards of the sweep in any order, two of them killed and resumed; gives their
/// directories.
fn shards(place: &Undisturbed) -> Vec<PathBuf> {
    let dir = |i: usize| place.path(&format!("shard-{i}"));
    let order = pimento::data::permutation(16, 3, 0);
    for (turn, &i) in order.iter().enumerate() {
        let (shard, out) = (format!("{}/16", i + 1), dir(i));
        let log = place.path(&format!("shard-{i}.log"));
        let args = ["--shard", &shard, "--resume", "--log", text(&log)];
        if turn == 4 || turn == 11 {
            let mut child = place.spawn(&out, &args);
            while begun(&log).is_empty() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            kill_after(&mut child, Duration::ZERO);
        }
        place.sweep_into(&out, &args).assert_ok();
    }
    (0..16).map(dir).collect()
}

#[test]
fn shards_in_any_order_two_of_them_killed_merge_to_the_same_bytes() {
    let grid = "[[sweep.grid]]\ntuning = [\"none\", \"self-tuning\"]\n";
    let place = Undisturbed::new(1_603, grid);
    let dirs = shards(&place);
    let merge = |dirs: &[PathBuf], out: &str| {
        let out = place.path(out);
        let dirs = dirs.iter().map(|d| text(d));
        let args: Vec<&str> = ["merge", "--out", text(&out)]
            .into_iter()
            .chain(dirs)
            .collect();
        pimento(&args)
    };
    merge(&dirs, "merged").assert_ok();
    let (whole, merged) = (place.path("undisturbed"), place.path("merged"));
    assert_same_chips(&whole, &merged);
    assert_eq!(summary(&merged)["points"], summary(&whole)["points"]);

    // What is missing, and what is there twice. Shard 6 of 16 has chips 500 to 600.
    let mut fewer = dirs.clone();
    fewer.remove(5);
    let run = merge(&fewer, "fewer");
    run.assert_refused(&["shard 6/16 is missing"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(!place.path("fewer").exists());
    let more = [&dirs[..], &[whole]].concat();
    merge(&more, "more").assert_refused(&["at every point: chips 0 to 99 are in"]);

    // Another sweep, and no sweep.
    let other = place.sweep("other", &["--seed", "9", "--shard", "1/16"]);
    other.assert_ok();
    let run = merge(&[dirs[1].clone(), place.path("other")], "no");
    run.assert_refused(&["`seed = 1` there, `seed = 9` now"]);
    merge(&[place.path("models")], "no").assert_refused(&["no journal of a sweep"]);

    // A directory goes on as what it is.
    place
        .sweep_into(&dirs[2], &["--shard", "4/16", "--resume"])
        .assert_refused(&["`shard 3/16` there, `shard 4/16` now"]);
    for wrong in ["0/4", "5/4", "slurm", "1/2000"] {
        place
            .sweep("wrong", &["--shard", wrong])
            .assert_refused(&["allowed"]);
        assert!(!place.path("wrong").exists());
    }
}

#[test]
fn a_changed_network_or_a_damaged_journal_is_refused() {
    let place = Undisturbed::new(300, "");
    let out = place.path("out");
    place.sweep_into(&out, &[]).assert_ok();
    let journal = out.join("journal.bin");
    let whole = std::fs::read(&journal).unwrap();

    // Without its last waves the point is not complete, and the network is looked at again.
    lose_chips(&out);
    let models: Vec<_> = std::fs::read_dir(place.path("models")).unwrap().collect();
    let model = models[0].as_ref().unwrap().path();
    let trained = std::fs::read(&model).unwrap();
    // Damaged in its last byte, and another network with a checksum of its own.
    let mut changed = trained.clone();
    *changed.last_mut().unwrap() ^= 0x01;
    let (mut parameters, meta) = Parameters::from_bytes(&trained, &model).unwrap();
    let some = parameters.tensors.values_mut().next().unwrap();
    some.data[0] += 0.5;
    let other = parameters.to_file(&meta).unwrap();
    for (bytes, says) in [
        (changed, "damaged: the checksum"),
        (other, "is another one"),
    ] {
        std::fs::write(&model, &bytes).unwrap();
        let run = place.sweep_into(&out, &["--resume"]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        let name = text(&model);
        assert!(
            run.stderr.contains(says) && run.stderr.contains(name),
            "{}",
            run.stderr
        );
    }
    std::fs::write(&model, &trained).unwrap();
    place.sweep_into(&out, &["--resume"]).assert_ok();
    place.assert_equal(&out);

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x01;
    std::fs::write(&journal, &damaged).unwrap();
    place
        .sweep_into(&out, &["--resume"])
        .assert_refused(&["journal.bin: the record at byte"]);
    assert_eq!(std::fs::read(&journal).unwrap(), damaged);
}

#[test]
fn a_directory_belongs_to_one_process() {
    let place = Undisturbed::new(90, "");
    let journal = place.path("undisturbed/journal.bin");
    // This process holds it, the sweep's own record says who it was.
    let held = Claimed::new(&journal).unwrap();
    for args in [&["--resume"][..], &["--force"]] {
        place.sweep("undisturbed", args).assert_refused(&[
            "another process (process ",
            "journal.bin",
            "allowed",
        ]);
    }
    drop(held);
    place.sweep("undisturbed", &["--resume"]).assert_ok();
}

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let place = Undisturbed::new(90, "[[sweep.grid]]\ntuning = [\"none\", \"self-tuning\"]\n");
    let run = place.sweep("dry", &["--dry-run", "--chips", "1000"]);
    run.assert_ok();
    run.assert_says(&[
        "2000 chips of 150 images",
        "0 trainings",
        "is there",
        "chips/s",
        "memory",
    ]);
    let none = place.path("none");
    let args = [
        "--dry-run",
        "--json",
        "--shard",
        "2/3",
        "--models",
        text(&none),
    ];
    let run = pimento(
        &[
            &[
                "sweep",
                text(&place.path("survive.toml")),
                "--backend",
                "cpu",
            ][..],
            &args,
        ]
        .concat(),
    );
    run.assert_ok();
    let plan: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(plan["plan"]["points"][1]["chips"], 30);
    assert_eq!(plan["plan"]["trainings"][0]["there"], false);
    assert!(plan["seconds"].as_f64().unwrap() > 0.0);
    assert!(!place.path("dry").exists() && !place.path("none").exists());
    let run = place.sweep("undisturbed", &["--dry-run", "--resume"]);
    run.assert_says(&["0 chips of 150 images"]);
    for wrong in ["4", "many", "1KiB"] {
        pimento(&["sweep", "x.toml", "--memory", wrong])
            .assert_refused(&["such as 512MiB or 4GiB"]);
    }
}

#[test]
fn processes_that_share_networks_train_each_once() {
    let place = Undisturbed::new(90, "");
    std::fs::remove_dir_all(place.path("models")).unwrap();
    let log = |i: u32| place.path(&format!("{i}.log"));
    let children: Vec<Child> = (1..=3)
        .map(|i| {
            let (shard, log) = (format!("{i}/3"), log(i));
            let out = place.path(&format!("shard-{i}"));
            place.spawn(&out, &["--shard", &shard, "--log", text(&log)])
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let logs = (1..=3).map(|i| std::fs::read_to_string(log(i)).unwrap());
    let trained = logs.filter(|l| l.contains("trained ")).count();
    assert_eq!(trained, 1);
    let models: Vec<_> = std::fs::read_dir(place.path("models")).unwrap().collect();
    assert_eq!(models.len(), 1, "{models:?}");
}
