use super::*;
use crate::sweep::result::Axes;

const CHIPS: u32 = 100;

fn header() -> Header {
    let point = |label: &str| PlannedPoint {
        label: label.into(),
        chips: CHIPS,
    };
    Header {
        format: FORMAT,
        columns: columns(),
        points: vec![point("a"), point("b")],
        ..Header::default()
    }
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
        training: None,
        point,
        axes: Axes::default(),
        ideal: 1.0 / 3.0,
        yield_limit: 0.8,
        tuning_cost: None,
        costs: [("cells".to_string(), 12.0)].into(),
        stratified: false,
        chance: Some(0.1),
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
    journal.begin_point(facts(0)).unwrap();
    ends.push(journal.end);
    for (range, adapter) in [(0..10, a), (20..50, b), (10..20, a), (50..100, b)] {
        journal.add(&rows(0, range), adapter, 0.25).unwrap();
        ends.push(journal.end);
    }
    journal.end_point(0, CHIPS).unwrap();
    ends.push(journal.end);
    journal.begin_point(facts(1)).unwrap();
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
fn whole_records_that_cannot_be_meant_are_refused() {
    let wave = |point, first, chips, adapter| {
        let head = WaveHead {
            point,
            first,
            chips,
            adapter,
            seconds: 0.0,
        };
        let mut payload = head.encode();
        columns::encode(&rows(0, first..first + chips), &mut payload);
        payload
    };
    let cases = [
        (WAVE, wave(2, 0, 1, 0), "do not exist"),
        (WAVE, wave(1, 90, 20, 0), "do not exist"),
        (WAVE, wave(1, 0, 1, 7), "do not exist"),
        (WAVE, wave(0, 5, 1, 0), "there before"),
        (WAVE, vec![0; 10], "too short"),
        (END, b"[9, 1]".to_vec(), "does not exist"),
        (END, b"{}".to_vec(), "makes no sense"),
        (77, vec![], "kind is unknown"),
    ];
    for (kind, payload, want) in cases {
        let (_dir, path, _) = written();
        let mut journal = open(&path).unwrap();
        journal.append(kind, &payload).unwrap();
        drop(journal);
        let message = open(&path).unwrap_err().to_string();
        assert!(message.contains(want), "{message}");
    }
}

#[test]
fn chips_are_added_once() {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    assert!(journal.add(&rows(1, 59..61), 0, 0.0).is_err());
}

#[test]
fn what_differs_is_said() {
    let change = |f: fn(&mut Header)| {
        let mut other = header();
        f(&mut other);
        header().difference(&other)
    };
    assert_eq!(change(|_| ()), None);
    let configuration = change(|h| h.provenance.config_toml = "seed = 2".into()).unwrap();
    assert!(configuration.contains("`seed = 2` now"), "{configuration}");
    let shard = change(|h| h.shard = Some("2/3".parse().unwrap())).unwrap();
    assert_eq!(shard, "`all chips` there, `shard 2/3` now");
    let version = change(|h| h.pimento = "9.9".into()).unwrap();
    assert!(version.contains("Pimento 9.9"), "{version}");
    let rule = change(|h| h.stopping = Some("rule".into())).unwrap();
    assert_eq!(rule, "no stopping rule there, rule now");
    let mut old = header();
    old.inputs.insert("test_data_sha256".into(), "aa".into());
    let mut new = header();
    new.inputs.insert("test_data_sha256".into(), "bb".into());
    let data = old.difference(&new).unwrap();
    assert_eq!(data, "test_data_sha256: \"aa\" there, \"bb\" now");
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
    columns::encode(&rows, &mut bytes);
    assert!(bytes.len() <= 1000 * 28 + 100, "{} bytes", bytes.len());
}
