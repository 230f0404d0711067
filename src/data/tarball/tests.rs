use super::*;
use crate::data::labelled::tests::{PLAIN, grey};
use crate::data::mutations::read_mutations;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::Write;
use tar::{Builder, Header};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(vec![]);
    for (path, bytes) in entries {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn small() -> Vec<u8> {
    archive(&[
        ("set/LICENCE", b"none".to_vec()),
        ("set/train/b/1.png", grey(2)),
        ("set/train/a/1.png", grey(1)),
        ("set/test/a/1.png", grey(3)),
    ])
}

fn read(bytes: &[u8]) -> Result<Split> {
    read_archive("f.tar", bytes, &PLAIN)
}

fn refusal(bytes: &[u8]) -> String {
    match read(bytes) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn plain_and_packed_read_the_same() {
    let split = read(&small()).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (2, 1));
    assert_eq!(split.train.labels, [0, 1]);
    assert_eq!(read(&gz(&small())).unwrap(), split);
}

#[test]
fn long_names_are_read_in_both_ways_of_writing_them() {
    let long = format!("{}/train/a/{}.png", "d".repeat(120), "n".repeat(150));
    // The builder writes a GNU record where a name is too long for the header.
    let gnu = archive(&[(&long, grey(1)), ("test/a/1.png", grey(2))]);
    let mut builder = Builder::new(vec![]);
    let pax = [("path", long.as_bytes()), ("comment", &b"x"[..])];
    builder.append_pax_extensions(pax).unwrap();
    for path in ["short", "test/a/1.png"] {
        let mut header = Header::new_ustar();
        header.set_size(grey(1).len() as u64);
        builder
            .append_data(&mut header, path, &grey(1)[..])
            .unwrap();
    }
    for bytes in [gnu, builder.into_inner().unwrap()] {
        assert_eq!(read(&bytes).unwrap().train.len(), 1);
    }
}

#[test]
fn a_cut_anywhere_is_noticed() {
    let (plain, packed) = (small(), gz(&small()));
    // All but the padding after the end marker, of which a reader needs one block.
    let end = plain.len() - 512;
    for cut in (0..end).step_by(64).chain([end - 1]) {
        let message = refusal(&plain[..cut]);
        assert!(
            ["f.tar: entry", "no pictures", "an empty file"]
                .iter()
                .any(|says| message.contains(says)),
            "{cut}: {message}"
        );
    }
    assert!(refusal(&plain[..end - 512]).contains("no end marker"));
    for cut in 2..packed.len() {
        let message = refusal(&packed[..cut]);
        assert!(
            message.contains("damaged tar.gz archive"),
            "{cut}: {message}"
        );
    }
    // The last checksum of the compression covers the padding too.
    let mut wrong = packed.clone();
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    assert!(refusal(&wrong).contains("damaged tar.gz archive"));
}

#[test]
fn entries_that_are_no_pictures_in_their_place_are_named() {
    let with = |path: &str, change: &dyn Fn(&mut Header)| {
        let mut builder = Builder::new(vec![]);
        let mut header = Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_size(0);
        change(&mut header);
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
        refusal(&builder.into_inner().unwrap())
    };
    for (message, says) in [
        (
            with("val/a/1.png", &|_| ()),
            "f.tar: val/a/1.png: a picture must be train/CLASS/FILE",
        ),
        (
            with("train/a/1.png", &|h| {
                h.set_entry_type(EntryType::Symlink);
                h.set_link_name("2.png").unwrap();
            }),
            "f.tar: train/a/1.png: a link or special entry",
        ),
        (
            with("train/a/1.png", &|h| h.set_size(MAX_FILE + 1)),
            "a picture file of 67108865 bytes; allowed: at most 67108864",
        ),
        (
            with("train/a/1.png", &|h| h.set_size(5000)),
            "the file ends after",
        ),
        (
            with("long", &|h| {
                h.set_entry_type(EntryType::GNULongName);
                h.set_size(1 << 40);
            }),
            "entry of 1099511627776 bytes, allowed: at most 1048576",
        ),
        (
            with("train/a/1.png", &|_| ()),
            "train/a/1.png: starts with the bytes []",
        ),
    ] {
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn files_and_directories_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let message = load_archive(dir.path(), &PLAIN).unwrap_err().to_string();
    assert!(
        message.contains("a directory; a .tar or .tar.gz"),
        "{message}"
    );
    let none = load_archive(&dir.path().join("none.tar"), &PLAIN);
    assert!(matches!(none, Err(Error::Io { .. })), "{none:?}");
    let path = dir.path().join("x.tar");
    std::fs::write(&path, small()).unwrap();
    assert_eq!(load_archive(&path, &PLAIN).unwrap().train.len(), 2);
}

#[test]
fn what_is_no_archive_is_named() {
    for (bytes, says) in [
        (&b"BZh91AY&SY\x01\x02"[..], "archive; this is bzip2 data"),
        (b"PK\x03\x04\x14\0", "archive; this is a ZIP archive"),
        (b"<!doctype html><html>404", "archive; this is an HTML page"),
        (
            &[0x37; 700],
            "neither a .tar nor a .tar.gz archive; this is a text",
        ),
        (&[0x83; 700], "neither a .tar nor a .tar.gz archive"),
    ] {
        let message = refusal(bytes);
        assert!(message.starts_with("f.tar: neither"), "{message}");
        assert!(message.contains(says), "{message}");
        // Nothing of the file itself reaches the terminal.
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
    let packed = refusal(&gz(b"%PDF-1.7"));
    assert!(
        packed.ends_with("this is a PDF document in gzip data"),
        "{packed}"
    );
}

#[test]
fn thousands_of_mutations_never_panic() {
    let valid = [small(), gz(&small())];
    let (accepted, refused) = read_mutations(20_260_103, 4_000, &valid, read, |_| {});
    assert!(accepted > 50 && refused > 1_000, "{accepted} {refused}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        let _ = read(&bytes);
        let _ = read(&gz(&bytes));
    }
}
