//! Images of every kind from the command line, and the cache of decoded ones.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use super::{Run, pimento_with, text};

/// A PNG of 8 x 8 pixels of one colour.
fn picture(colour: [u8; 3]) -> Vec<u8> {
    let mut out = Cursor::new(vec![]);
    RgbImage::from_pixel(8, 8, image::Rgb(colour))
        .write_to(&mut out, ImageFormat::Png)
        .unwrap();
    out.into_inner()
}

/// Twelve training and four test pictures of two classes, as (place, file).
fn pictures() -> Vec<(String, Vec<u8>)> {
    let mut out = vec![];
    for (part, n) in [("train", 6), ("test", 2)] {
        for i in 0..n {
            out.push((format!("{part}/red/{i}.png"), picture([200 + i, 10, 10])));
            out.push((format!("{part}/blue/{i}.png"), picture([10, 10, 200 + i])));
        }
    }
    out
}

fn write_archive(path: &Path, pictures: &[(String, Vec<u8>)]) {
    let gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    let mut builder = tar::Builder::new(gz);
    for (name, bytes) in pictures {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    let packed = builder.into_inner().unwrap().finish().unwrap();
    std::fs::write(path, packed).unwrap();
}

/// Runs a subcommand on an experiment in `dir`, with the cache in `dir/cache`.
fn run(dir: &Path, subcommand: &str, experiment: &str, more: &[&str]) -> Run {
    let (file, cache) = (dir.join("x.toml"), dir.join("cache"));
    std::fs::write(&file, experiment).unwrap();
    let mut args = vec![subcommand, text(&file)];
    args.extend(more);
    pimento_with(
        &args,
        &[("PIMENTO_CACHE", text(&cache)), ("PIMENTO_BACKEND", "cpu")],
    )
}

const ARCHIVE: &str = r#"
[data]
kind = "archive"
file = "set.tar.gz"
train_limit = 10
[network]
kind = "mlp"
hidden = [4]
[train]
recipe = "qat"
epochs = 8
batch = 5
learning_rate = 0.02
[train.augment]
pad = 1
flip = true
rotate = 10
[sweep]
chips = 2
"#;

#[test]
fn an_archive_is_decoded_once_and_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    write_archive(&dir.path().join("set.tar.gz"), &pictures());
    let says = "10 training and 4 test images of 8 x 8, 2 classes";
    let first = run(dir.path(), "check", ARCHIVE, &[]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    first.assert_says(&[says]);
    // Green is 10 in every picture.
    first.assert_says(&[", 0.03922, "]);
    let kept = || std::fs::read_dir(dir.path().join("cache")).unwrap().count();
    assert_eq!(kept(), 1);
    let four = ARCHIVE.replace("train_limit", "mean = [0, 0, 0, 0]\ntrain_limit");
    let wrong = run(dir.path(), "check", &four, &[]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong
            .stderr
            .contains("4 values of mean, expected 1 or 3 (channels)"),
        "{}",
        wrong.stderr
    );
    let out = dir.path().join("out");
    let sweep = run(
        dir.path(),
        "sweep",
        ARCHIVE,
        &["--out", text(&out), "--json"],
    );
    assert_eq!(sweep.code, 0, "{}", sweep.stderr);
    let summary: serde_json::Value = serde_json::from_str(&sweep.stdout).unwrap();
    // Red and blue are told apart by anybody.
    assert_eq!(summary["points"][0]["ideal"], 1.0, "{}", sweep.stdout);
    assert_eq!(kept(), 1);
    // A damaged cache is no obstacle, and is replaced.
    let file = std::fs::read_dir(dir.path().join("cache")).unwrap();
    let file = file.map(|e| e.unwrap().path()).next().unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let again = run(dir.path(), "check", ARCHIVE, &[]);
    assert!(
        again.code == 0 && again.stdout.contains(says),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    // Unless it is not wanted.
    let uncached = ARCHIVE.replace("train_limit", "cache = false\nresize = [4, 4]\ntrain_limit");
    let run = run(dir.path(), "check", &uncached, &[]);
    assert!(run.stdout.contains("images of 4 x 4"), "{}", run.stderr);
    assert_eq!(kept(), 1);
}

#[test]
fn a_folder_reads_as_its_archive() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in pictures() {
        let path = dir.path().join("set").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let experiment = "[data]\nkind = \"folder\"\n[network]\nkind = \"mlp\"\n";
    let set = dir.path().join("set");
    let good = run(dir.path(), "check", experiment, &["--data", text(&set)]);
    assert!(
        good.stdout
            .contains("12 training and 4 test images of 8 x 8, 2 classes"),
        "{}{}",
        good.stdout,
        good.stderr
    );
    std::fs::write(set.join("train/red/5.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
    let bad = run(dir.path(), "check", experiment, &["--data", text(&set)]);
    assert_eq!((bad.code, bad.stdout.as_str()), (2, ""));
    assert!(
        bad.stderr.contains("5.png: damaged PNG file"),
        "{}",
        bad.stderr
    );
}

#[test]
fn truncated_archives_and_wrong_sizes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.tar.gz");
    write_archive(&path, &pictures());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let cut = run(dir.path(), "check", ARCHIVE, &[]);
    assert_eq!((cut.code, cut.stdout.as_str()), (2, ""));
    assert!(
        cut.stderr.contains("damaged tar.gz archive"),
        "{}",
        cut.stderr
    );
    let mut mixed = pictures();
    let mut wide = Cursor::new(vec![]);
    RgbImage::new(9, 8)
        .write_to(&mut wide, ImageFormat::Png)
        .unwrap();
    mixed[3].1 = wide.into_inner();
    write_archive(&path, &mixed);
    let wrong = run(dir.path(), "check", ARCHIVE, &[]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong
            .stderr
            .contains("train/blue/1.png: a picture of 8 x 9 pixels, but")
            && wrong.stderr.contains("has 8 x 8"),
        "{}",
        wrong.stderr
    );
    assert!(!dir.path().join("cache").exists());
}

#[test]
fn cifar_files_say_which_record_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let records = |labels: &[u8]| -> Vec<u8> {
        let record = |l: &u8| [&[*l][..], &[7; 3072]].concat();
        labels.iter().flat_map(record).collect()
    };
    for i in 1..=5 {
        let path = dir.path().join(format!("data_batch_{i}.bin"));
        std::fs::write(path, records(&[0, 9])).unwrap();
    }
    let test = dir.path().join("test_batch.bin");
    std::fs::write(&test, records(&[3])).unwrap();
    let experiment = "[data]\nkind = \"cifar10\"\ndir = \".\"\n";
    let good = run(dir.path(), "check", experiment, &[]);
    let says = "10 training and 1 test images of 32 x 32, 10 classes";
    assert!(good.stdout.contains(says), "{}{}", good.stdout, good.stderr);
    std::fs::write(&test, records(&[3, 4, 77])).unwrap();
    let bad = run(dir.path(), "check", experiment, &[]);
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr
            .contains("test_batch.bin: record 2 (byte 6146): label 77; allowed: 0 to 9"),
        "{}",
        bad.stderr
    );
}

#[test]
fn arrays_are_read_beside_the_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let array = |name: &str, descr: &str, shape: &str, values: &[u8]| {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(values);
        std::fs::write(dir.path().join(name), bytes).unwrap();
    };
    array("train_images.npy", "|u1", "(2, 4, 5, 3)", &[9; 120]);
    array(
        "train_labels.npy",
        "<i8",
        "(2,)",
        &[[1, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat(),
    );
    array("other.npy", "|u1", "(1, 4, 5, 3)", &[9; 60]);
    array("test_labels.npy", "|u1", "(1,)", &[1]);
    let experiment =
        "[data]\nkind = \"npy\"\ntest_images = \"other.npy\"\n[network]\nkind = \"mlp\"\n";
    let good = run(dir.path(), "check", experiment, &[]);
    let says = "2 training and 1 test images of 4 x 5, 2 classes";
    assert!(good.stdout.contains(says), "{}{}", good.stdout, good.stderr);
    array("test_labels.npy", "|i1", "(1,)", &[0xff]);
    let bad = run(dir.path(), "check", experiment, &[]);
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr
            .contains("test_labels.npy: label of image 0 is -1; allowed: 0 to 65534"),
        "{}",
        bad.stderr
    );
}
