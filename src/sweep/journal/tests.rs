use std::ops::Range;

mod hostile;

use super::*;
use crate::column::Column;
use crate::sweep::columns::{all, find};
use crate::sweep::rows::Rows;

const CHIPS: u32 = 100;

fn header() -> Header {
    let point = |label: &str| PlannedPoint {
        id: label.into(),
        label: label.into(),
        chips: CHIPS,
        ..PlannedPoint::default()
    };
    Header {
        format: FORMAT,
        revision: REVISION,
        products: "winograd".into(),
        images: 50,
        columns: stored(&[]),
        points: vec![point("a"), point("b")],
        ..Header::default()
    }
}

fn layout(values: &[&Column]) -> Layout {
    Layout::new(&stored(values)).unwrap()
}

fn row(point: usize, chip: u32) -> ChipRow {
    let x = f64::from(chip) / 7.0;
    ChipRow {
        point,
        chip,
        accuracy: f64::from(chip % 51) / 50.0,
        loss: x.sin(),
        correct: chip % 51,
        images: 50,
        eps_b: x,
        eps_common: -x,
        eps_hat: if point == 0 { f64::NAN } else { x + 1e-17 },
        wafer: chip / 30,
        die_x_mm: f64::NAN,
        die_y_mm: if chip == 3 { f64::NAN } else { -12.5 },
        ..ChipRow::blank()
    }
}

fn rows(point: usize, range: Range<u32>) -> Vec<ChipRow> {
    range.map(|chip| row(point, chip)).collect()
}

/// As text, since `NaN` is not equal to itself.
fn text(rows: impl IntoIterator<Item = ChipRow>) -> Vec<String> {
    rows.into_iter().map(|r| format!("{r:?}")).collect()
}

fn adapter(name: &str) -> Adapter {
    Adapter {
        backend: "cpu".into(),
        name: name.into(),
        api: String::new(),
        driver: String::new(),
    }
}

fn facts(point: usize) -> PointFacts {
    PointFacts {
        history: vec![],
        ideal: 1.0 / (3.0 + point as f64),
        ideal_metrics: [("top5".to_string(), 0.75)].into(),
        tuning_cost: None,
        costs: [("cells".to_string(), 12.0)].into(),
        energy: None,
        predicted_variance: Some(0.1),
        model_sha256: "00".into(),
    }
}

/// A file with some waves, out of order, in a directory that must be kept.
fn written() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.bin");
    let mut journal = Claimed::new(&path).unwrap().begin(header()).unwrap();
    let mut ends = vec![journal.end];
    let a = journal.adapter(&adapter("one")).unwrap();
    ends.push(journal.end);
    let b = journal.adapter(&adapter("two")).unwrap();
    ends.push(journal.end);
    journal.begin_point(0, facts(0)).unwrap();
    ends.push(journal.end);
    for (range, adapter) in [(0..10, a), (20..50, b), (10..20, a), (50..100, b)] {
        journal.add(&rows(0, range), adapter, 0.25).unwrap();
        ends.push(journal.end);
    }
    journal.end_point(0, CHIPS).unwrap();
    ends.push(journal.end);
    journal.begin_point(1, facts(1)).unwrap();
    ends.push(journal.end);
    journal.add(&rows(1, 40..60), b, 0.5).unwrap();
    ends.push(journal.end);
    (dir, path, ends)
}

fn open(path: &Path) -> Result<Journal> {
    match Claimed::new(path)?.open()? {
        Opened::Journal(journal) => Ok(*journal),
        Opened::Nothing(_) => panic!("an empty journal"),
    }
}

#[test]
fn everything_comes_back_to_the_last_bit() {
    let (_dir, path, _) = written();
    let journal = Journal::read(&path).unwrap();
    let all: Result<Vec<_>> = journal.of_point(0).unwrap().collect();
    assert_eq!(text(all.unwrap()), text(rows(0, 0..CHIPS)));
    let some: Result<Vec<_>> = journal.rows(1, 45..50).collect();
    assert_eq!(text(some.unwrap()), text(rows(1, 45..50)));
    assert_eq!(journal.header(), &header());
    assert_eq!(journal.facts(0), Some(&facts(0)));
    assert_eq!((journal.ended(0), journal.ended(1)), (Some(CHIPS), None));
    assert_eq!(journal.seconds(0), 1.0);
    assert_eq!(journal.chips_by_adapter(), [20, 100]);
    assert_eq!(journal.covered(0), vec![0..100; 1]);
    assert_eq!(journal.missing(1, 0..100), [0..40, 60..100]);
    assert_eq!(journal.missing(1, 45..50), []);
    assert_eq!(journal.missing(1, 50..70), vec![60..70; 1]);
}

/// What a process that was killed, or a machine without power, leaves: the file ends anywhere, and
/// the unwritten rest may be zeros.
#[test]
fn an_unfinished_record_is_dropped_wherever_the_file_ends() {
    let (_dir, path, ends) = written();
    let whole = std::fs::read(&path).unwrap();
    for cut in (0..whole.len()).rev().step_by(31) {
        for zeros in [0, 40] {
            let mut bytes = whole[..cut].to_vec();
            bytes.extend(std::iter::repeat_n(0, zeros));
            std::fs::write(&path, &bytes).unwrap();
            let last = ends.iter().rfind(|&&end| end <= cut as u64);
            let opened = Claimed::new(&path).unwrap().open().unwrap();
            let Some(&last) = last else {
                assert!(matches!(opened, Opened::Nothing(_)), "cut at {cut}");
                continue;
            };
            let Opened::Journal(mut journal) = opened else {
                panic!("cut at {cut}");
            };
            assert_eq!(journal.end, last, "cut at {cut}");
            assert_eq!(journal.dropped(), bytes.len() as u64 - last);
            // It goes on from there.
            journal
                .note_run(Run {
                    pid: 1,
                    host: "h".into(),
                    started: String::new(),
                    command: String::new(),
                })
                .unwrap();
            drop(journal);
            assert_eq!(Journal::read(&path).unwrap().dropped(), 0);
        }
    }
}

#[test]
fn damage_before_the_end_is_an_error_that_names_its_byte() {
    let (_dir, path, ends) = written();
    let whole = std::fs::read(&path).unwrap();
    let last = ends[ends.len() - 2] as usize;
    for at in (0..last).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let record = ends
            .iter()
            .rfind(|&&end| end <= at as u64)
            .copied()
            .unwrap_or(0);
        let message = open(&path).unwrap_err().to_string();
        assert!(
            message.contains(&format!("byte {record} ")),
            "byte {at}: {message}"
        );
        assert!(message.contains("journal.bin"), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
    }
}

#[test]
fn other_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.bin");
    std::fs::write(&path, "a text of mine").unwrap();
    let message = open(&path).unwrap_err().to_string();
    assert!(message.contains("byte 0"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), b"a text of mine");
}

#[test]
fn a_run_goes_on_with_another_plan() {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    let mut other = header();
    // A new point before the others, one that is gone, and more chips.
    other.points[0] = PlannedPoint {
        id: "new".into(),
        chips: 5,
        ..PlannedPoint::default()
    };
    other.points[1].chips = 2 * CHIPS;
    other.points.push(PlannedPoint {
        id: "a".into(),
        chips: 30,
        ..PlannedPoint::default()
    });
    other.points.swap(1, 2);
    journal.replan(other.clone()).unwrap();
    let length = journal.end;
    journal.replan(other.clone()).unwrap();
    assert_eq!(journal.end, length, "the same header is not written again");
    journal.begin_point(0, facts(7)).unwrap();
    journal.add(&rows(0, 0..5), 0, 0.0).unwrap();
    journal.end_point(0, 5).unwrap();
    journal.end_point(1, 30).unwrap();
    drop(journal);
    let mut journal = Journal::read(&path).unwrap();
    assert_eq!(journal.header(), &other);
    let of = |journal: &Journal, point| {
        let rows: Result<Vec<_>> = journal.of_point(point).unwrap().collect();
        text(rows.unwrap())
    };
    assert_eq!(of(&journal, 0), text(rows(0, 0..5)));
    // Their number is that of the present plan, the rest is as it was.
    let renumbered = |from: usize, to: usize, range: Range<u32>| {
        text(range.map(|chip| ChipRow {
            point: to,
            ..row(from, chip)
        }))
    };
    assert_eq!(of(&journal, 1), renumbered(0, 1, 0..30));
    assert_eq!(of(&journal, 2), renumbered(1, 2, 40..60));
    assert_eq!(journal.facts(1), Some(&facts(0)));
    assert_eq!(
        [0, 1, 2].map(|p| journal.ended(p)),
        [Some(5), Some(30), None]
    );
    assert_eq!(journal.missing(2, 0..200), [0..40, 60..200]);
    assert_eq!(journal.chips_by_adapter(), [5 + 20, 10 + 20]);
    // As one of two shards it shows its own chips only.
    let mut shard = other;
    shard.shard = Some("2/2".parse().unwrap());
    shard.points[2].chips = 100;
    journal.adopt(shard).unwrap();
    assert_eq!(of(&journal, 2), renumbered(1, 2, 50..60));
    assert_eq!(journal.covered(1), vec![15..30; 1]);
    assert_eq!(journal.chips(2), 10);
}

#[test]
fn columns_are_found_by_name() {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    // A version that knows a column more and does not know the estimate.
    let mut other = header();
    other.columns.retain(|c| c.name != "eps_hat");
    other.columns.insert(
        1,
        StoredColumn {
            name: "energy".into(),
            type_: Type::F64,
            unit: "J".into(),
        },
    );
    journal.replan(other).unwrap();
    let head = WaveHead {
        slot: 1,
        first: 0,
        chips: 2,
        adapter: 0,
        seconds: 0.0,
    };
    let mut payload = head.encode();
    let mut column = |tag: u8, values: &[u8]| {
        payload.push(tag);
        payload.extend(values);
    };
    column(1, &[7, 0, 0, 0, 9, 0, 0, 0]);
    column(1, &[0xaa; 16]);
    column(0, &50_u32.to_le_bytes());
    for x in [0.5_f64, 0.25, -0.25] {
        column(0, &x.to_le_bytes());
    }
    column(0, &3_u32.to_le_bytes());
    column(0, &1.0_f64.to_le_bytes());
    column(0, &2.0_f64.to_le_bytes());
    journal.append(WAVE, &payload).unwrap();
    drop(journal);
    // Back at this version's columns.
    let mut journal = open(&path).unwrap();
    journal.replan(header()).unwrap();
    journal.add(&rows(1, 2..4), 0, 0.0).unwrap();
    drop(journal);
    let journal = Journal::read(&path).unwrap();
    let found: Result<Vec<_>> = journal.rows(1, 0..4).collect();
    let found = found.unwrap();
    for (row, correct) in found.iter().zip([7, 9]) {
        assert_eq!((row.correct, row.images, row.wafer), (correct, 50, 3));
        assert_eq!((row.loss, row.eps_b, row.eps_common), (0.5, 0.25, -0.25));
        assert_eq!((row.die_x_mm, row.die_y_mm), (1.0, 2.0));
        assert!(row.eps_hat.is_nan());
        assert_eq!(row.accuracy, f64::from(correct) / 50.0);
    }
    assert_eq!(text(found[2..].to_vec()), text(rows(1, 2..4)));
}

/// A run goes on with more columns: the chips before have no value in them.
#[test]
fn values_that_only_some_experiments_have_are_kept_by_name() {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    let values: Vec<&Column> = all().iter().collect();
    let mut more = header();
    more.columns = stored(&values);
    assert_eq!(more.values(), values);
    assert!(header().values().is_empty());
    journal.replan(more).unwrap();
    let with_values = |chip: u32| {
        let mut row = row(1, chip);
        row.values
            .push(find("top5").unwrap(), f64::from(chip) / 100.0);
        // One chip has no value.
        let brier = if chip == 1 { f64::NAN } else { 0.25 };
        row.values.push(find("brier").unwrap(), brier);
        row
    };
    let added: Vec<ChipRow> = (0..4).map(with_values).collect();
    journal.add(&added, 0, 0.0).unwrap();
    drop(journal);
    let journal = Journal::read(&path).unwrap();
    let found: Result<Vec<_>> = journal.rows(1, 0..4).collect();
    let found = found.unwrap();
    assert_eq!(text(found.clone()), text(added));
    assert_eq!(found[2].value("top5"), Some(0.02));
    assert_eq!(found[1].value("brier"), None);
    let before: Result<Vec<_>> = journal.rows(1, 45..50).collect();
    assert_eq!(text(before.unwrap()), text(rows(1, 45..50)));
}

#[test]
fn chips_are_added_once() {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    assert!(journal.add(&rows(1, 59..61), 0, 0.0).is_err());
}

#[test]
fn another_way_to_sum_is_said() {
    let now = Header {
        products: "direct".into(),
        ..header()
    };
    assert_eq!(
        header().difference(&now).unwrap(),
        "convolutions summed as `winograd` there, as `direct` now (--kernels)"
    );
}

#[test]
fn what_differs_is_said() {
    let there = || {
        let mut header = header();
        header.config = serde_json::json!({
            "name": "x",
            "seed": 1,
            "train": {"epochs": 10},
            "sweep": {"chips": 100, "axes": {"a": [1, 2]}},
            "data": {"dir": "here"},
        });
        header
    };
    let change = |f: fn(&mut Header)| {
        let mut other = there();
        f(&mut other);
        there().difference(&other)
    };
    let new_points = |h: &mut Header| h.points.iter_mut().for_each(|p| p.id += "!");
    assert_eq!(change(|_| ()), None);
    // More chips, other axes, another rule, another name: the points say whether they are the same.
    let grown = change(|h| {
        h.points[0].chips = 200;
        h.points[1].id = "c".into();
        h.config["sweep"]["chips"] = 200.into();
        h.config["name"] = "y".into();
        h.config["train"]["epochs"] = 20.into();
        h.stopping = Some("rule".into());
        h.pimento = "9.9".into();
    });
    assert_eq!(grown, None);
    let mut other = there();
    new_points(&mut other);
    other.config["name"] = "y".into();
    other.config["sweep"]["chips"] = 200.into();
    other.config["data"]["dir"] = "there".into();
    other.config["train"]["epochs"] = 20.into();
    let configuration = there().difference(&other).unwrap();
    assert_eq!(
        configuration,
        "`train.epochs = 10` there, `train.epochs = 20` now"
    );
    other.config["train"] = serde_json::json!({"epochs": 10, "seed": 3});
    let configuration = there().difference(&other).unwrap();
    assert_eq!(configuration, "no `train.seed` there, `train.seed = 3` now");
    other.config["train"] = there().config["train"].clone();
    other.config["sweep"]["axes"]["a"] = serde_json::json!([3]);
    let axes = there().difference(&other).unwrap();
    assert_eq!(
        axes,
        "`sweep.axes.a = [1,2]` there, `sweep.axes.a = [3]` now"
    );
    let shard = change(|h| h.shard = Some("2/3".parse().unwrap())).unwrap();
    assert_eq!(shard, "`all chips` there, `shard 2/3` now");
    let version = change(|h| (h.revision, h.pimento) = (REVISION + 1, "9.9".into())).unwrap();
    assert!(
        version.contains("9.9 now, which makes other chips"),
        "{version}"
    );
    let images = change(|h| h.images = 3).unwrap();
    assert_eq!(images, "50 images a chip there, 3 now");
    let mut old = there();
    old.inputs.insert("test_data_sha256".into(), "aa".into());
    let mut new = there();
    new.inputs.insert("test_data_sha256".into(), "bb".into());
    let data = old.difference(&new).unwrap();
    assert_eq!(data, "test_data_sha256: \"aa\" there, \"bb\" now");
    // Shards must be of exactly one plan.
    let mut other = there();
    other.points[1].chips = 200;
    other.config["sweep"]["chips"] = 200.into();
    let difference = there().difference_beside_shard(&other).unwrap();
    assert_eq!(
        difference,
        "`sweep.chips = 100` there, `sweep.chips = 200` now"
    );
    other = there();
    other.stopping = Some("rule".into());
    let rule = there().difference_beside_shard(&other).unwrap();
    assert_eq!(rule, "no stopping rule there, rule now");
}

#[test]
fn matrices_that_others_did_not_use_are_said() {
    let mut other = header();
    other.cooperative = true;
    let difference = header().difference(&other).unwrap();
    assert!(
        difference.contains("without cooperative matrices there"),
        "{difference}"
    );
    assert_eq!(other.difference(&other), None);
}

#[test]
fn a_million_rows_are_small() {
    // No estimate, no wafer: correct, loss, eps_b and eps_common of every chip.
    let mut bytes = Vec::new();
    let rows: Vec<ChipRow> = (0..1000)
        .map(|i| ChipRow {
            wafer: 0,
            die_y_mm: f64::NAN,
            ..row(0, i)
        })
        .collect();
    layout(&[]).encode(&rows, &mut bytes);
    assert!(bytes.len() <= 1000 * 28 + 100, "{} bytes", bytes.len());
}
