//! Journals that nobody wrote: right checksums, any content.

use super::super::wave::WAVE_HEAD;
use super::*;
use crate::random::{Purpose, Stream};

/// A file of its own for every case, with these records behind those of [`written`].
fn with(records: &[(u32, Vec<u8>)]) -> Result<Journal> {
    let (_dir, path, _) = written();
    let mut journal = open(&path).unwrap();
    for (kind, payload) in records {
        journal.append(*kind, payload).unwrap();
    }
    drop(journal);
    open(&path)
}

fn wave(slot: u32, first: u32, chips: u32, adapter: u32) -> Vec<u8> {
    let head = WaveHead {
        slot,
        first,
        chips,
        adapter,
        seconds: 0.0,
    };
    let mut payload = head.encode();
    let rows = rows(0, first..first + chips.min(100));
    layout(&[]).encode(&rows, &mut payload);
    payload
}

/// The payload of a wave with other bytes at a place.
fn patched(mut payload: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    payload[at..at + bytes.len()].copy_from_slice(bytes);
    payload
}

/// Whether a record is refused with these words; taken where there are none.
fn assert_refused(kind: u32, payload: Vec<u8>, want: &str) {
    match with(&[(kind, payload)]) {
        Ok(_) => assert_eq!(want, ""),
        Err(e) => {
            let e = e.to_string();
            assert!(!want.is_empty() && e.contains(want), "{want}: {e}");
            assert!(e.contains("the record at byte "), "{e}");
        }
    }
}

#[test]
fn waves_that_cannot_be_meant_are_refused() {
    // The same two columns of counts, then seven of numbers, one value each.
    let constant = |chips: u32| patched(wave(1, 0, 1, 0), 8, &chips.to_le_bytes());
    let infinite = patched(wave(1, 0, 1, 0), 16, &f64::INFINITY.to_le_bytes());
    let columns =
        |chips: u32, at: usize, bytes: &[u8]| patched(wave(1, 0, chips, 0), WAVE_HEAD + at, bytes);
    for (payload, want) in [
        (wave(2, 0, 1, 0), "does not exist"),
        (wave(1, 90, 20, 0), "of a point of 100 chips"),
        (wave(1, 0, 1, 7), "adapter 7 does not exist"),
        (wave(0, 5, 1, 0), "there before"),
        (vec![0; 10], "too short"),
        (constant(0), "a wave of 0 chips"),
        (constant(u32::MAX), "a wave of 4294967295 chips"),
        (constant(10_000_000), "a wave of 10000000 chips"),
        (constant(4_096), "of a point of 100 chips"),
        (infinite, "seconds"),
        (columns(2, 0, &[2]), "do not fit"),
        (columns(2, 0, &[0]), "in a sweep of 50 images"),
        (
            columns(1, 1, &51_u32.to_le_bytes()),
            "51 of 50 images are correct",
        ),
        (columns(1, 6, &[0; 4]), "a chip of 0 images"),
    ] {
        assert_refused(WAVE, payload, want);
    }
}

#[test]
fn ends_that_cannot_be_meant_are_refused() {
    for (payload, want) in [
        ("[9, 1]", "does not exist"),
        ("[0, 101]", "an end before chip 101"),
        ("[1, 50]", "chips 0 to 39 before its end"),
        ("{}", "makes no sense"),
    ] {
        assert_refused(END, payload.into(), want);
    }
    assert_refused(77, vec![], "kind is unknown");
}

#[test]
fn headers_that_cannot_be_meant_are_refused() {
    for (payload, want) in [("{}", "format"), (r#"{"format": 1}"#, "its format is 1")] {
        assert_refused(HEADER, payload.into(), want);
    }
    type Change = fn(&mut Header);
    let cases: [(Change, &str); 7] = [
        (|h| h.points.swap_remove(0).chips = 0, ""),
        (|h| h.points[0].chips = u32::MAX, "4294967295 chips"),
        (|h| h.points[1].id = "a".into(), "there twice"),
        (
            |h| h.columns[2].name = "correct".into(),
            "column `correct` is there twice",
        ),
        (
            |h| h.columns[0].name = "right".into(),
            "column `correct` is missing",
        ),
        (|h| h.columns[2].type_ = Type::U32, "another type"),
        (|h| h.points[0].yield_limit = 7.0, "yield limit"),
    ];
    for (change, want) in cases {
        let mut header = header();
        change(&mut header);
        assert_refused(HEADER, json(&header).unwrap(), want);
    }
}

#[test]
fn chips_or_the_end_of_a_point_whose_record_was_lost_are_refused() {
    let mut more = header();
    more.points.push(PlannedPoint {
        id: "c".into(),
        chips: 10,
        ..PlannedPoint::default()
    });
    for lost in [(WAVE, wave(2, 0, 1, 0)), (END, b"[2, 0]".to_vec())] {
        let e = with(&[(HEADER, json(&more).unwrap()), lost]).unwrap_err();
        assert!(e.to_string().contains("the record of point 2"), "{e}");
    }
}

/// Records with right checksums and any content: an error that names a byte, or a journal whose
/// chips can all be read; never more than the header allows.
#[test]
fn any_records_are_read_or_refused() {
    let (_dir, path, ends) = written();
    let whole = std::fs::read(&path).unwrap();
    let random = Stream::new(11, Purpose::Init, 0, 0, 0);
    let (mut word, mut refused, mut read) = (0, 0, 0);
    let mut next = |below: usize| {
        word += 1;
        random.word(word) as usize % below.max(1)
    };
    for _ in 0..400 {
        let mut records: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut from = 0;
        for &end in &ends {
            let record = &whole[from..end as usize];
            from = end as usize;
            let kind = u32::from_le_bytes(record[4..8].try_into().unwrap());
            records.push((kind, record[20..].to_vec()));
        }
        // Fields of records are changed, records are lost, doubled or change places.
        for _ in 0..=next(3) {
            let at = next(records.len());
            match next(5) {
                0 => _ = records.remove(at),
                1 => records.insert(at, records[next(records.len())].clone()),
                2 => {
                    let other = next(records.len());
                    records.swap(at, other);
                }
                _ => {
                    let payload = &mut records[at].1;
                    let extreme = [0, 1, 50, u32::MAX, i32::MAX as u32, next(200) as u32];
                    let value = extreme[next(extreme.len())].to_le_bytes();
                    let place = 4 * next((payload.len() / 4).min(12));
                    if payload.first() != Some(&b'{') && payload.len() >= place + 4 {
                        payload[place..place + 4].copy_from_slice(&value);
                    } else {
                        let place = next(payload.len());
                        let digit = b"0123456789[]{}\",-"[next(17)];
                        if let Some(byte) = payload.get_mut(place) {
                            *byte = digit;
                        }
                    }
                }
            }
        }
        let bytes = records.iter().flat_map(|(kind, p)| frame::encode(*kind, p));
        std::fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
        match Journal::read(&path) {
            Err(e) => {
                let e = e.to_string();
                assert!(
                    e.contains("byte ") || e.contains("not even the header"),
                    "{e}"
                );
                refused += 1;
            }
            Ok(journal) => {
                for point in 0..journal.header().points.len() {
                    let rows: Result<Vec<_>> = journal.of_point(point).unwrap().collect();
                    let rows = rows.unwrap();
                    assert!(rows.len() <= journal.header().points[point].chips as usize);
                    assert!(rows.iter().all(|r| (0.0..=1.0).contains(&r.accuracy)));
                    for wave in journal.waves(point) {
                        wave.unwrap();
                    }
                }
                read += 1;
            }
        }
    }
    println!("{refused} refused, {read} read");
    assert!(refused > 100 && read > 20, "{refused} refused, {read} read");
}

/// A file with the beginning of a record at every place, each of which claims all that follows.
#[test]
fn a_file_of_beginnings_is_refused_at_once() {
    let (_dir, path, _) = written();
    let mut bytes = std::fs::read(&path).unwrap();
    let heads = 20_000;
    for i in 0..heads {
        let length = (heads - i - 1) * 20;
        let mut head = frame::encode(WAVE, &[]);
        head[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        let sum = crc32fast::hash(&head[..16]).to_le_bytes();
        head[16..20].copy_from_slice(&sum);
        bytes.extend(head);
    }
    std::fs::write(&path, &bytes).unwrap();
    let e = Journal::read(&path).unwrap_err();
    assert!(e.to_string().contains("is damaged"), "{e}");
}
