//! Images that fit a network up to ones, or flattened, are classified as those of its own shape.

use std::path::Path;

use pimento::network::file::{Loaded, to_safetensors};
use pimento::network::graph::Layer;
use pimento::network::npy;
use pimento::program::Activation;

use super::{Run, mlp, pimento_with, text};

/// Classes of the sets here.
const CLASSES: usize = 3;

fn run(dir: &Path, args: &[&str]) -> Run {
    let args: Vec<String> = args.iter().map(|a| a.replace("DIR", text(dir))).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    pimento_with(&args, &[("PIMENTO_BACKEND", "cpu")])
}

/// An NPY file of labels.
fn labels(path: &Path, labels: &[u8]) {
    let text = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}\n",
        labels.len()
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(labels);
    std::fs::write(path, bytes).unwrap();
}

/// Writes 30 images of this shape, some values from -1 to 1.
fn write_set(dir: &Path, sizes: &[usize]) {
    let n: usize = 30 * sizes.iter().product::<usize>();
    let values: Vec<f32> = (0..n).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let shape = [&[30], sizes].concat();
    npy::write(&dir.join("x.npy"), &shape, &values).unwrap();
    let of: Vec<u8> = (0..30).map(|i| (i * i % 3) as u8).collect();
    labels(&dir.join("y.npy"), &of);
}

/// The first lines of chips.csv: everything that was measured.
fn chips(dir: &Path, sizes: &[usize], network: &Loaded) -> Result<String, String> {
    write_set(dir, sizes);
    std::fs::write(
        dir.join("net.safetensors"),
        to_safetensors(network, &Default::default()).unwrap(),
    )
    .unwrap();
    std::fs::write(
        dir.join("x.toml"),
        "[data]\nkind = \"npy\"\ntrain_images = \"x.npy\"\ntrain_labels = \"y.npy\"\n\
         test_images = \"x.npy\"\ntest_labels = \"y.npy\"\nmean = 0.0\nstd = 1.0\n\
         [network]\nkind = \"file\"\nfile = \"net.safetensors\"\n\
         [train]\nrecipe = \"float\"\nepochs = 0\n[variation]\nsigma_w = 0.2\n[sweep]\nchips = 4\n",
    )
    .unwrap();
    let check = run(dir, &["check", "DIR/x.toml"]);
    let sweep = run(dir, &["sweep", "DIR/x.toml", "--out", "DIR/out", "--force"]);
    assert_eq!((check.code, &check.stderr), (sweep.code, &sweep.stderr));
    match sweep.code {
        0 => Ok(std::fs::read_to_string(dir.join("out/chips.csv")).unwrap()),
        2 => Err(sweep.stderr),
        code => panic!("{code}: {}", sweep.stderr),
    }
}

/// The logits that `infer` gives.
fn logits(dir: &Path) -> Vec<u8> {
    let args = [
        "infer",
        "DIR/net.safetensors",
        "--input",
        "DIR/x.npy",
        "--output",
        "DIR/out.npy",
    ];
    let infer = run(dir, &args);
    assert_eq!(infer.code, 0, "{}", infer.stderr);
    let logits = std::fs::read(dir.join("out.npy")).unwrap();
    std::fs::remove_file(dir.join("out.npy")).unwrap();
    logits
}

#[test]
fn shapes_that_agree_up_to_ones_give_the_same_chips() {
    let dir = tempfile::tempdir().unwrap();
    let own = chips(dir.path(), &[1, 6, 4], &mlp((1, 6, 4), CLASSES)).unwrap();
    let own_logits = logits(dir.path());
    for (sizes, input) in [
        (&[6, 4][..], (1, 6, 4)),
        // Keras: rows are what the importer takes for channels.
        (&[6, 4], (6, 1, 4)),
        (&[6, 4, 1], (6, 4, 1)),
        (&[1, 1, 6, 4], (1, 6, 4)),
        // Flat.
        (&[24], (24, 1, 1)),
        (&[24, 1, 1], (24, 1, 1)),
        (&[1, 1, 24], (24, 1, 1)),
        (&[24], (1, 1, 24)),
        // Flattened: channel, row, column.
        (&[6, 4], (24, 1, 1)),
        (&[2, 3, 4], (24, 1, 1)),
    ] {
        let found = chips(dir.path(), sizes, &mlp(input, CLASSES));
        assert_eq!(found.as_ref(), Ok(&own), "{sizes:?} {input:?}");
        assert_eq!(logits(dir.path()), own_logits, "{sizes:?} {input:?}");
    }
    for (sizes, input) in [
        (&[24][..], (1, 6, 4)),
        (&[4, 6], (1, 6, 4)),
        (&[5, 5], (24, 1, 1)),
    ] {
        let refused = chips(dir.path(), sizes, &mlp(input, CLASSES)).unwrap_err();
        assert!(refused.contains("the network wants images of"), "{refused}");
    }
}

#[test]
fn logits_may_have_ones_too() {
    let dir = tempfile::tempdir().unwrap();
    let plain = mlp((1, 6, 4), CLASSES);
    let own = chips(dir.path(), &[6, 4], &plain).unwrap();
    for shape in [(1, 1, CLASSES), (1, CLASSES, 1)] {
        let mut network = plain.clone();
        let last = network.graph.last();
        network
            .graph
            .push("turned", Layer::Reshape, vec![last], shape);
        assert_eq!(
            chips(dir.path(), &[6, 4], &network).as_ref(),
            Ok(&own),
            "{shape:?}"
        );
    }
    let mut network = plain.clone();
    let last = network.graph.last();
    network.graph.push(
        "act",
        Layer::Activation(Activation::Abs),
        vec![last],
        (CLASSES, 1, 1),
    );
    assert_ne!(chips(dir.path(), &[6, 4], &network).as_ref(), Ok(&own));
}

#[test]
fn classes_without_images_are_named_and_absurd_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    let network = mlp((1, 6, 4), 5);
    chips(dir.path(), &[6, 4], &network).unwrap();
    let of = |labels_of: &[u8]| {
        labels(&dir.path().join("y.npy"), labels_of);
        run(dir.path(), &["check", "DIR/x.toml"])
    };
    let from_one: Vec<u8> = (0..30).map(|i| 1 + i % 3).collect();
    let warned = of(&from_one);
    assert_eq!(warned.code, 0, "{}", warned.stderr);
    assert!(
        warned
            .stderr
            .contains("1 of 4 classes without a training image: 0 (classes are counted from 0)"),
        "{}",
        warned.stderr
    );
    let six: Vec<u8> = (0..30).map(|i| i % 6).collect();
    let refused = of(&six);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .stderr
            .contains("has 6 classes and needs at least as many logits"),
        "{}",
        refused.stderr
    );
    let mut absurd = six;
    absurd[7] = 200;
    let refused = of(&absurd);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains(
            "y.npy: label of image 7 is 200, so there are at least 201 classes for 60 images"
        ),
        "{}",
        refused.stderr
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    chips(dir.path(), &[6, 4], &mlp((1, 6, 4), CLASSES)).unwrap();
    let place = dir.path().join("x.npy");
    std::fs::remove_file(&place).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&place).status();
    assert!(made.unwrap().success());
    for (args, what) in [
        (&["check", "DIR/x.toml"][..], "a pipe"),
        (
            &[
                "infer",
                "DIR/net.safetensors",
                "--input",
                "DIR/x.npy",
                "--output",
                "DIR/o.npy",
            ],
            "a pipe",
        ),
        (
            &[
                "infer",
                "DIR/net.safetensors",
                "--input",
                "/dev/zero",
                "--output",
                "DIR/o.npy",
            ],
            "a device",
        ),
        (
            &[
                "infer",
                "DIR/net.safetensors",
                "--input",
                "DIR",
                "--output",
                "DIR/o.npy",
            ],
            "a directory",
        ),
    ] {
        let run = run(dir.path(), args);
        run.assert_refused(&[&format!(": {what}; allowed: a file")]);
    }
}
