use super::*;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::fs;
use std::io::Write;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Records with these classes; pixel `i` of record `r` is `i + 7*r`.
fn records(kind: Cifar, classes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    for (r, &class) in classes.iter().enumerate() {
        if kind == Cifar::Hundred {
            out.push(99);
        }
        out.push(class);
        out.extend((0..PIXELS).map(|i| (i + 7 * r) as u8));
    }
    out
}

fn refusal(bytes: &[u8], kind: Cifar) -> String {
    match parse_cifar("f", bytes, kind) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal, got {:?}", other.map(|o| o.1)),
    }
}

#[test]
fn records_become_images_and_labels() {
    for (kind, classes) in [(Cifar::Ten, [9, 0, 4]), (Cifar::Hundred, [99, 0, 40])] {
        let bytes = records(kind, &classes);
        let (images, labels) = parse_cifar("f", &bytes[..], kind).unwrap();
        assert_eq!(labels, classes.map(u16::from));
        assert_eq!(images.len(), 3 * PIXELS);
        for at in [0, 1, PIXELS - 1, PIXELS, 2 * PIXELS + 100] {
            assert_eq!(images[at], (at % PIXELS + 7 * (at / PIXELS)) as u8, "{at}");
        }
        let packed = parse_cifar("f", &gz(&bytes)[..], kind).unwrap();
        assert_eq!(packed, (images, labels));
    }
}

#[test]
fn wrong_lengths_and_labels_are_named() {
    let good = records(Cifar::Ten, &[1, 2, 3]);
    for (message, says) in [
        (
            refusal(&records(Cifar::Ten, &[3, 10]), Cifar::Ten),
            "f: record 1 (byte 3073): label 10; allowed: 0 to 9",
        ),
        (
            refusal(&records(Cifar::Hundred, &[3, 4, 100]), Cifar::Hundred),
            "f: record 2 (byte 6149): label 100; allowed: 0 to 99",
        ),
        (
            refusal(&[], Cifar::Ten),
            "f: 0 bytes; expected a whole number of records of 3073",
        ),
        (
            refusal(&good[..good.len() - 1], Cifar::Ten),
            "f: 9218 bytes; expected a whole number of records of 3073 bytes, at least 1",
        ),
        (
            refusal(&gz(&good[..4000]), Cifar::Ten),
            "f: 4000 bytes (uncompressed); expected",
        ),
        (refusal(&gz(&good)[..100], Cifar::Ten), "damaged gzip data"),
        // The other set's file.
        (
            refusal(&good, Cifar::Hundred),
            "expected a whole number of records of 3074",
        ),
    ] {
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn directories_are_read_as_published() {
    let dir = tempfile::tempdir().unwrap();
    let message = load_cifar_dir(dir.path(), Cifar::Ten)
        .unwrap_err()
        .to_string();
    for name in [
        "data_batch_1.bin[.gz]",
        "data_batch_5.bin[.gz]",
        "test_batch.bin[.gz]",
    ] {
        assert!(message.contains(name), "{message}");
    }
    let inner = dir.path().join("cifar-10-batches-bin");
    fs::create_dir(&inner).unwrap();
    for i in 1..=5u8 {
        let path = inner.join(format!("data_batch_{i}.bin"));
        fs::write(path, records(Cifar::Ten, &[i, 0])).unwrap();
    }
    fs::write(
        inner.join("test_batch.bin.gz"),
        gz(&records(Cifar::Ten, &[7])),
    )
    .unwrap();
    let split = load_cifar_dir(dir.path(), Cifar::Ten).unwrap();
    assert_eq!(split.train.labels, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    assert_eq!(split.test.labels, [7]);
    let shape = (split.test.c, split.test.h, split.test.w, split.test.classes);
    assert_eq!(shape, (3, 32, 32, 10));
    fs::write(inner.join("train.bin"), records(Cifar::Hundred, &[99])).unwrap();
    let message = load_cifar_dir(&inner, Cifar::Hundred)
        .unwrap_err()
        .to_string();
    assert!(message.ends_with("missing test.bin[.gz]"), "{message}");
    fs::write(inner.join("test.bin"), records(Cifar::Hundred, &[98])).unwrap();
    let split = load_cifar_dir(&inner, Cifar::Hundred).unwrap();
    assert_eq!((split.train.classes, split.train.labels[0]), (100, 99));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(0u8..12, 0..7000)) {
        let _ = parse_cifar("f", &bytes[..], Cifar::Ten);
        let _ = parse_cifar("f", &gz(&bytes)[..], Cifar::Hundred);
    }
}
