use super::*;
use crate::data::mutations::read_mutations;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use rand::Rng;
use rand_philox::Philox;
use std::io::Write;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(dims: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes
}

fn small() -> Vec<u8> {
    let mut bytes = header(&[3, 2, 2]);
    bytes.extend(1..=12);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    match parse_idx("f", bytes, 3..=4) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal of {bytes:02x?}, got {other:?}"),
    }
}

#[test]
fn plain_and_packed_read_the_same() {
    let plain = parse_idx("f", &small()[..], 3..=3).unwrap();
    assert_eq!(plain.dims, [3, 2, 2]);
    assert_eq!(plain.values, (1..=12).collect::<Vec<u8>>());
    assert_eq!(parse_idx("f", &gz(&small())[..], 3..=3).unwrap(), plain);
    // Gzip members may be concatenated.
    let all = small();
    let joined = [gz(&all[..17]), gz(&all[17..])].concat();
    assert_eq!(parse_idx("f", &joined[..], 3..=3).unwrap(), plain);
}

#[test]
fn headers_are_checked_with_their_place() {
    let with = |at: usize, value: u8| {
        let mut bytes = small();
        bytes[at] = value;
        bytes
    };
    for (bytes, says) in [
        (
            vec![],
            "f: byte 0: found the end of the file, expected the magic number",
        ),
        (vec![0x1f], "f: byte 1: found the end of the file"),
        (vec![0, 0, 8], "f: byte 3: found the end of the file"),
        (with(0, 1), "f: byte 0: found bytes 01 00, expected 00 00"),
        (b"PK\x03\x04....".to_vec(), "not an IDX file"),
        (with(2, 0x0d), "f: byte 2: found type 0d, expected 08"),
        (with(3, 1), "f: byte 3: found 1 dimensions, expected 3 to 4"),
        (with(3, 255), "f: byte 3: found 255 dimensions"),
        (
            small()[..9].to_vec(),
            "f: byte 9: found the end of the file, expected a dimension: 4 bytes from byte 8 to byte 11",
        ),
        (with(11, 0), "f: byte 8: found a dimension of 0"),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(says), "{message}");
        if !bytes.starts_with(&GZIP_MAGIC[..1]) {
            let packed = refusal(&gz(&bytes));
            let says = says.replace(": found", " (uncompressed): found");
            assert!(packed.contains(&says), "{packed}");
        }
    }
}

#[test]
fn lengths_are_checked() {
    let mut long = small();
    long.push(0);
    for (bytes, says) in [
        (
            small()[..20].to_vec(),
            "byte 20: found the end of the file, expected 3 x 2 x 2 values: 12 bytes from byte 16 to byte 27",
        ),
        (small()[..16].to_vec(), "byte 16: found the end of the file"),
        (
            long,
            "byte 28: found more bytes, expected the end of the file after 3 x 2 x 2 values",
        ),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(says), "{message}");
        let says = says.replace(": found", " (uncompressed): found");
        let packed = refusal(&gz(&bytes));
        assert!(packed.contains(&says), "{packed}");
    }
}

#[test]
fn absurd_sizes_cost_nothing() {
    // 2^32 - 1 values are over the limit, so is any product beyond 2^31; 2^31 are allowed but not
    // there. No case may take memory for them.
    let message = refusal(&header(&[u32::MAX; 3]));
    assert!(
        message.contains("byte 4: found a dimension of 4294967295"),
        "{message}"
    );
    let message = refusal(&header(&[1 << 31, u32::MAX, u32::MAX, u32::MAX]));
    assert!(
        message.contains("byte 8: found a dimension of 4294967295 after"),
        "{message}"
    );
    assert!(message.contains("at most 2147483648 values"), "{message}");
    let message = refusal(&header(&[1 << 20, 1 << 10, 2, 2]));
    assert!(
        message.contains("byte 16: found a dimension of 2 after a product of 2147483648"),
        "{message}"
    );
    let message = refusal(&header(&[1 << 20, 1 << 10, 2]));
    assert!(
        message.contains("byte 16: found the end of the file"),
        "{message}"
    );
}

#[test]
fn damaged_gzip_is_named() {
    let good = gz(&small());
    let mut wrong_sum = good.clone();
    let crc = wrong_sum.len() - 8;
    wrong_sum[crc] ^= 1;
    let mut trailing = good.clone();
    trailing.extend(b"no second member");
    for (bytes, says) in [
        (&good[..good.len() - 4], "truncated gzip data"),
        (&good[..12], "truncated gzip data"),
        (&good[..3], "truncated gzip data"),
        (&wrong_sum, "damaged gzip data"),
        (&trailing, "damaged gzip data"),
    ] {
        let message = refusal(bytes);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn unreadable_paths_are_io_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none");
    let error = read_idx(&path, 1..=1).unwrap_err();
    assert!(
        matches!(&error, Error::Io { path: p, .. } if *p == path),
        "{error:?}"
    );
    let error = read_idx(dir.path(), 1..=1).unwrap_err().to_string();
    assert!(error.ends_with(": a directory; allowed: a file"), "{error}");
}

/// Mutations of valid files, plain and packed: the answer is a value or a refusal, and an accepted
/// file has as many values as its dimensions say.
#[test]
fn a_hundred_thousand_mutations_never_panic() {
    let (accepted, refused) = read_mutations(
        20_260_101,
        100_000,
        &[small(), gz(&small())],
        |bytes| parse_idx("f", bytes, 1..=4),
        |idx| assert_eq!(idx.dims.iter().product::<usize>(), idx.values.len()),
    );
    // Changed pixels are still a valid file; most other changes are not.
    assert!(accepted > 1_000 && refused > 50_000, "{accepted} {refused}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_idx("f", &bytes[..], 1..=4);
    }

    #[test]
    fn random_tails_never_panic(ndim in 0u8..6, bytes in prop::collection::vec(0u8..4, 0..100)) {
        let all = [&[0, 0, 8, ndim][..], &bytes].concat();
        if let Ok(idx) = parse_idx("f", &all[..], 1..=4) {
            prop_assert_eq!(idx.dims.iter().product::<usize>(), idx.values.len());
        }
        let _ = parse_idx("f", &gz(&all)[..], 1..=4);
    }

    #[test]
    fn what_is_written_is_read(
        dims in prop::collection::vec(1u32..6, 1..5),
        fill in any::<u64>(),
        packed in any::<bool>(),
    ) {
        let n: u32 = dims.iter().product();
        let mut values = vec![0; n as usize];
        Philox::from_u64_seed(fill).fill_bytes(&mut values);
        let bytes = [header(&dims), values.clone()].concat();
        let bytes = if packed { gz(&bytes) } else { bytes };
        let idx = parse_idx("f", &bytes[..], 1..=4).unwrap();
        prop_assert_eq!(idx.values, values);
        prop_assert_eq!(idx.dims, dims.iter().map(|&d| d as usize).collect::<Vec<_>>());
    }
}
