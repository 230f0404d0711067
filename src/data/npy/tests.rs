use super::*;
use proptest::prelude::*;
use std::fs;
use std::io::{Cursor, Write};

/// A version 1.0 file with this header text.
fn with_header(text: &str, values: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.bytes());
    out.extend(values);
    out
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}   \n");
    with_header(&text, values)
}

fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    for (i, (name, bytes)) in arrays.iter().enumerate() {
        // numpy.savez stores, numpy.savez_compressed deflates.
        let method = [
            zip::CompressionMethod::Stored,
            zip::CompressionMethod::Deflated,
        ][i % 2];
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn refusal(bytes: &[u8]) -> String {
    match parse_npy("f", bytes) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn values_of_every_type_and_order_are_read() {
    let cases: &[(&str, &[u8], Values)] = &[
        ("|u1", &[1, 255], Values::Bytes(vec![1, 255])),
        ("|b1", &[1, 0], Values::Integers(vec![1, 0])),
        ("|i1", &[1, 0xff], Values::Integers(vec![1, -1])),
        ("<i2", &[1, 0, 0xfe, 0xff], Values::Integers(vec![1, -2])),
        (">i2", &[0, 1, 0xff, 0xfe], Values::Integers(vec![1, -2])),
        (">u2", &[0, 1, 0xff, 0xfe], Values::Integers(vec![1, 65534])),
        (
            "<u4",
            &[1, 0, 0, 0, 255, 255, 255, 255],
            Values::Integers(vec![1, 4294967295]),
        ),
        ("<i8", &[255; 16], Values::Integers(vec![-1, -1])),
        (
            "<f2",
            &[0x00, 0x3c, 0x01, 0x80],
            Values::Floats(vec![1.0, -(2f32.powi(-24))]),
        ),
        (
            "<f2",
            &[0xff, 0x7b, 0x00, 0xfc],
            Values::Floats(vec![65504.0, f32::NEG_INFINITY]),
        ),
        (
            "<f4",
            &[0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1],
            Values::Floats(vec![1.0, -10.0]),
        ),
        (
            ">f4",
            &[0x3f, 0x80, 0, 0, 0xc1, 0x20, 0, 0],
            Values::Floats(vec![1.0, -10.0]),
        ),
        (
            "<f8",
            &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0x24, 0xc0],
            Values::Floats(vec![1.0, -10.0]),
        ),
    ];
    for (descr, bytes, values) in cases {
        let found = parse_npy("f", &npy(descr, "(2,)", bytes)[..]).unwrap();
        assert_eq!(
            (&found.values, &found.shape[..]),
            (values, &[2][..]),
            "{descr}"
        );
    }
    // What f32 does not hold does not become infinite unsaid; what is infinite stays it.
    let huge = npy(
        "<f8",
        "(2,)",
        &[1f64.to_le_bytes(), 1e300f64.to_le_bytes()].concat(),
    );
    let message = refusal(&huge);
    assert!(
        message.contains("value 1 is 1e300; allowed: magnitudes up to 3.4"),
        "{message}"
    );
    let infinite = npy("<f8", "(1,)", &f64::INFINITY.to_le_bytes());
    let found = parse_npy("f", &infinite[..]).unwrap().values;
    assert_eq!(found, Values::Floats(vec![f32::INFINITY]));
    // Versions 2 and 3 have four bytes of length.
    let one = npy("|u1", "(2,)", &[3, 4]);
    let mut two = b"\x93NUMPY\x02\x00".to_vec();
    two.extend([one[8], one[9], 0, 0]);
    two.extend(&one[10..]);
    assert_eq!(
        parse_npy("f", &two[..]).unwrap().values,
        Values::Bytes(vec![3, 4])
    );
    // No dimension is one value.
    let scalar = parse_npy("f", &npy("|u1", "()", &[3])[..]).unwrap();
    assert_eq!(
        (scalar.shape, scalar.values),
        (vec![], Values::Bytes(vec![3]))
    );
}

#[test]
fn column_major_arrays_are_turned() {
    let text = "{\"shape\": (2, 3), \"fortran_order\": True, \"descr\": \"|u1\"}";
    let found = parse_npy("f", &with_header(text, &[1, 4, 2, 5, 3, 6])[..]).unwrap();
    assert_eq!(found.values, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
}

#[test]
fn headers_and_lengths_are_checked() {
    let good = npy("<f4", "(2, 3)", &[0; 24]);
    let header = |text: &str| refusal(&with_header(text, &[]));
    for (message, says) in [
        (refusal(b""), "f: the file ends in its NPY header"),
        (refusal(b"PK\x03\x04.....00"), "no NPY file"),
        (
            refusal(b"\x93NUMPY\x09\x00\x00\x00"),
            "NPY version 9; allowed: 1, 2, 3",
        ),
        (
            refusal(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
            "header of 4294967295 bytes; allowed: at most 10000",
        ),
        (refusal(&good[..40]), "the file ends in its NPY header"),
        (
            refusal(&good[..good.len() - 1]),
            "the file ends after 23 of 24 bytes of an array of shape (2, 3)",
        ),
        (
            refusal(&[&good[..], &[0]].concat()),
            "more bytes than an array of shape (2, 3) has",
        ),
        (
            refusal(&npy("<f4", "(4294967296, 2)", &[])),
            "at most 4294967296 values",
        ),
        (
            refusal(&npy(
                "<f4",
                "(9223372036854775807, 9223372036854775807)",
                &[],
            )),
            "at most",
        ),
        (
            refusal(&npy("<f4", "(4294967296,)", &[])),
            "the file ends after 0 of 17179869184 bytes",
        ),
        (
            refusal(&npy("<f4", "(99999999999999999999,)", &[])),
            "expected a size",
        ),
        (
            refusal(&npy("<c8", "(2,)", &[])),
            "values of type '<c8'; allowed: b1, u1",
        ),
        (refusal(&npy("|O", "(2,)", &[])), "values of type '|O'"),
        (refusal(&npy("", "(2,)", &[])), "values of type ''"),
        (
            refusal(&npy("<u8", "(1,)", &[255; 8])),
            "value 0 is 18446744073709551615",
        ),
        (
            header("{'descr': '<f4', 'shape': (1,)}"),
            "no 'fortran_order'",
        ),
        (header("{'descr': [('a', '<f4')]}"), "expected '''"),
        (header("{'x': 1}"), "unknown key 'x'"),
        (header("[]"), "expected '{'"),
        (header("{'descr': '<f4"), "a string without its end"),
        (
            header("{'shape': (1, -2)}"),
            "expected a size, found \"-2)}\"",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x"),
            "text after",
        ),
    ] {
        assert!(message.contains(says), "{message}, not {says}");
    }
    let deep = format!("{{'shape': ({})}}", "1,".repeat(65));
    assert!(header(&deep).contains("more than 64 dimensions"));
}

#[test]
fn npz_arrays_are_found_by_name() {
    let (a, b) = (npy("|u1", "(2,)", &[1, 2]), npy("<i2", "(1,)", &[5, 0]));
    let both = npz(&[("x", &a), ("y", &b)]);
    let read = |bytes: &[u8], array| parse_npz("f", Cursor::new(bytes), array);
    assert_eq!(
        read(&both, Some("x")).unwrap().values,
        Values::Bytes(vec![1, 2])
    );
    assert_eq!(
        read(&both, Some("y")).unwrap().values,
        Values::Integers(vec![5])
    );
    assert_eq!(read(&npz(&[("x", &a)]), None).unwrap().shape, [2]);
    for (result, says) in [
        (
            read(&both, None),
            "which array? allowed: FILE.npz:NAME with one of: x, y",
        ),
        (read(&both, Some("z")), "one of: x, y"),
        (read(b"nothing", None), "damaged NPZ file"),
        (
            read(&both[..both.len() - 10], Some("x")),
            "damaged NPZ file",
        ),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
    // A flipped bit in the deflated array.
    for at in 0..both.len() {
        let mut bytes = both.clone();
        bytes[at] ^= 1;
        let _ = read(&bytes, Some("y"));
    }
}

/// Writes a set of 2 + 1 images with 3 rows and 2 columns and loads it.
fn load(images: &[u8], shape: &str, descr: &str, labels: &[u8]) -> Result<Split> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let size = images.len() / 2;
    let shape_of = |n: usize| shape.replace('N', &n.to_string());
    fs::write(path("i.npy"), npy(descr, &shape_of(2), images)).unwrap();
    let test = npy(descr, &shape_of(1), &images[..size]);
    let label = npy("<i4", "(1, 1)", &[1, 0, 0, 0]);
    fs::write(path("t.npz"), npz(&[("x", &test), ("y", &label)])).unwrap();
    fs::write(path("l.npy"), labels).unwrap();
    load_npy(&NpyFiles {
        train_images: path("i.npy"),
        train_labels: path("l.npy"),
        test_images: path("t.npz:x"),
        test_labels: path("t.npz:y"),
    })
}

fn labels(values: [i8; 2]) -> Vec<u8> {
    npy("|i1", "(2,)", &values.map(|v| v as u8))
}

#[test]
fn sets_of_every_layout_are_loaded() {
    let values: Vec<u8> = (0..36).collect();
    let split = load(&values, "(N, 3, 3, 2)", "|u1", &labels([2, 0])).unwrap();
    assert_eq!((split.train.c, split.train.h, split.train.w), (3, 3, 2));
    assert_eq!((split.train.classes, split.train.pixel_max), (3, 255));
    assert_eq!(split.train.labels, [2, 0]);
    assert_eq!(split.test.labels, [1]);
    assert_eq!(split.train.images, Pixels::from(values.clone()));
    // Channels last.
    let split = load(&values, "(N, 2, 3, 3)", "|u1", &labels([2, 0])).unwrap();
    assert_eq!((split.train.c, split.train.h, split.train.w), (3, 2, 3));
    let Pixels::Bytes(pixels) = &split.train.images else {
        panic!("bytes stay bytes");
    };
    assert_eq!(pixels[..6], [0, 3, 6, 9, 12, 15]);
    assert_eq!(pixels[18..24], [18, 21, 24, 27, 30, 33]);
    // No channels, floats.
    let floats: Vec<u8> = (0..12)
        .flat_map(|i| (i as f32 / 4.0).to_le_bytes())
        .collect();
    let split = load(&floats, "(N, 3, 2)", "<f4", &labels([0, 1])).unwrap();
    assert_eq!((split.train.c, split.train.pixel_max), (1, 1));
    let expected: Vec<f32> = (0..12).map(|i| i as f32 / 4.0).collect();
    assert_eq!(split.train.images, Pixels::from(expected));
}

#[test]
fn what_is_no_array_is_named() {
    for (message, says) in [
        (
            refusal(b"BZh91AY&SY0123456789"),
            "with 93 'NUMPY'; this is bzip2 data",
        ),
        (refusal(b"<html><body>"), "; this is an HTML page"),
        (
            parse_npz("f", Cursor::new(b"\x93NUMPY\x01\x00"), None)
                .unwrap_err()
                .to_string(),
            "damaged NPZ file",
        ),
        (
            parse_npz("f", Cursor::new(b"\x93NUMPY\x01\x00"), None)
                .unwrap_err()
                .to_string(),
            "; this is an NPY file",
        ),
    ] {
        assert!(message.contains(says), "{message}, not {says}");
    }
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let six = [0u8; 12];
    for (result, says) in [
        (
            load(&[0; 2], "(N,)", "|u1", &labels([0, 1])),
            "images of shape (2,); allowed: (N, C, H, W)",
        ),
        (
            load(&six, "(N, 3, 2)", "|i1", &labels([0, 1])),
            "images of signed or wide integers",
        ),
        (
            load(&six, "(N, 3, 2)", "|u1", &labels([0, -1])),
            "l.npy: label of image 1 is -1; allowed: 0 to 65534",
        ),
        (
            load(&six, "(N, 3, 2)", "|u1", &npy("|u1", "(3,)", &[0; 3])),
            "l.npy: 3 labels, but",
        ),
        (
            load(&six, "(N, 3, 2)", "|u1", &npy("|u1", "(1, 2)", &[0; 2])),
            "labels of shape (1, 2)",
        ),
        (
            load(&six, "(N, 3, 2)", "|u1", &npy("<f4", "(2,)", &[0; 8])),
            "labels are floats",
        ),
        (
            load(&[], "(N, 0, 2)", "|u1", &labels([0, 1])),
            "each must be at least 1",
        ),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
    let none = read_npy(Path::new("no/such.npz:x"));
    assert!(
        matches!(&none, Err(Error::Io { path, .. }) if path.ends_with("such.npz")),
        "{none:?}"
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(text in "[ -~]{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse_npy("f", &with_header(&text, &bytes)[..]);
        let _ = parse_npy("f", &bytes[..]);
        let _ = parse_npz("f", Cursor::new(&bytes), None);
        let text = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({text})}}");
        let _ = parse_npy("f", &with_header(&text, &bytes)[..]);
    }
}
