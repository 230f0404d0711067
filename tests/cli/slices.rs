//! The digits of networks on arrays, from outside.

use std::path::Path;

use pimento::column::Field;
use pimento::sweep::slices::{AccuracyRow, ArrayRow, CellRow, LayerRow, ReadRow, SliceRow};

use super::{Run, pimento_with, text};

const TEXT: &str = "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 200\ntest_limit = 60\n[network]\n\
                    kind = \"mlp\"\nhidden = [10, 8]\n[train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n\
                    [chip.array]\nrows = 24\ncols = 8\n[chip.cells]\nslice_bits = 2\n[chip.wires]\nrow_ohm = 2\n[variation]\n\
                    sigma_w = 0.05\n[sweep]\nchips = 2\n[layer.fc3]\ndigital = true\n";

fn run(dir: &Path, args: &[&str]) -> Run {
    let args: Vec<String> = args.iter().map(|a| a.replace("DIR", text(dir))).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    pimento_with(&args, &[("PIMENTO_BACKEND", "cpu")])
}

fn json(run: &Run) -> serde_json::Value {
    run.assert_ok();
    serde_json::from_str(&run.stdout).expect("one document")
}

/// A directory with an experiment, its network and its sweep.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.toml"), TEXT).unwrap();
    let weight = TEXT.replace("fidelity = \"cell\"\n", "");
    std::fs::write(dir.path().join("weight.toml"), weight).unwrap();
    let other = TEXT.replace("weight_bits = 5", "weight_bits = 4");
    std::fs::write(dir.path().join("other.toml"), other).unwrap();
    dir
}

/// Every column that is declared is there, and nothing that is not.
fn has_columns<R>(row: &serde_json::Value, fields: &[Field<R>], more: &[&str]) {
    let mut wanted: Vec<&str> = fields.iter().map(|f| f.column.name).collect();
    wanted.extend(more);
    wanted.sort_unstable();
    let mut found: Vec<&str> = row
        .as_object()
        .expect("a row")
        .keys()
        .map(String::as_str)
        .collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn a_run_its_experiment_and_its_network_say_the_same() {
    let dir = place();
    let dir = dir.path();
    run(dir, &["sweep", "DIR/a.toml", "--out", "DIR/run", "-q"]).assert_ok();
    run(
        dir,
        &["train", "DIR/a.toml", "--out", "DIR/net.safetensors", "-q"],
    )
    .assert_ok();
    let options = [
        "--images",
        "20",
        "--chips",
        "2",
        "--current-images",
        "2",
        "--accuracy",
        "0",
        "--json",
    ];
    let of = |source: &[&str]| json(&run(dir, &[&["slices"], source, &options].concat()));
    let whole = of(&["DIR/run", "--out", "DIR/page.html"]);
    assert!(whole["page"].as_str().unwrap().ends_with("page.html"));
    let page = std::fs::read(dir.join("page.html")).unwrap();
    assert!(pimento::sweep::outdir::is_page(&page));

    assert_eq!(whole["digital_layers"], serde_json::json!(["fc3"]));
    assert_eq!(
        (&whole["sums"]["images"], &whole["sums"]["of"]),
        (&20.into(), &60.into())
    );
    let layer = &whole["layers"][0];
    has_columns(
        layer,
        LayerRow::FIELDS,
        &["name", "cells", "reads", "arrays"],
    );
    has_columns(&layer["cells"][0], CellRow::FIELDS, &["plane"]);
    has_columns(&layer["reads"][0], ReadRow::FIELDS, &["plane", "beyond"]);
    has_columns(&layer["arrays"][0], ArrayRow::FIELDS, &["plane"]);
    has_columns(&whole["slices"][0], SliceRow::FIELDS, &["beyond"]);
    has_columns(
        &whole["accuracy"][0],
        AccuracyRow::FIELDS,
        &["converters", "bits"],
    );
    // 64 rows in tiles of 24, 10 columns in tiles of 8, two slices and polarities.
    assert_eq!((&layer["tiles"], &layer["planes"]), (&6.into(), &4.into()));
    assert_eq!(layer["arrays"].as_array().unwrap().len(), 24);
    // 20 images, 10 columns, 3 row tiles, input steps of one bit.
    let sums = layer["reads"][0]["sums"].as_u64().unwrap();
    assert_eq!(sums % (20 * 10 * 3), 0);
    assert!(layer["nf"].as_f64().unwrap() > 0.0);

    for source in [
        &["DIR/a.toml", "--run", "DIR/run"][..],
        &["DIR/a.toml"],
        &["DIR/net.safetensors", "--experiment", "DIR/a.toml"],
        &["DIR/weight.toml", "--as-cells", "--run", "DIR/run"],
    ] {
        let other = of(source);
        for part in ["layers", "slices", "accuracy", "total"] {
            assert_eq!(other[part], whole[part], "{source:?}: {part}");
        }
    }
}

#[test]
fn the_table_names_layers_and_images() {
    let dir = place();
    let found = run(
        dir.path(),
        &["slices", "DIR/a.toml", "--images", "20", "--chips", "0"],
    );
    assert_eq!(found.code, 0, "{}", found.stderr);
    found.assert_says(&[
        "fc1",
        "fc2",
        "fc3: digital, no arrays",
        "positive",
        "negative",
        "difference",
        "20 of 60 test images",
    ]);
    assert!(!found.stdout.contains("NF"), "{}", found.stdout);
}

#[test]
fn what_cannot_be_analysed_is_refused_with_what_is_allowed() {
    let dir = place();
    let dir = dir.path();
    let refused = |args: &[&str], words: &[&str]| {
        run(dir, &[&["slices"], args].concat()).assert_refused(words);
    };
    refused(&["DIR/none.toml"], &["none.toml"]);
    refused(
        &["DIR"],
        &[
            "holds no run",
            "journal.bin",
            "experiment file, or a network",
        ],
    );
    refused(
        &["DIR/weight.toml"],
        &[
            "fidelity = \"weight\"",
            "no arrays",
            "\"cell\"",
            "--as-cells",
        ],
    );
    refused(&["DIR/a.toml", "--point", "3"], &["--point 3", "0 to 0"]);
    refused(
        &["DIR/a.toml", "--run", "DIR/nowhere"],
        &["--run", "no such directory"],
    );
    refused(
        &["DIR/a.toml", "--experiment", "DIR/a.toml"],
        &["--experiment", "with a network only"],
    );
    refused(
        &["DIR/net.safetensors"],
        &["no images and no chip", "--experiment EXPERIMENT.toml"],
    );
    refused(
        &["DIR/a.toml", "--out", "DIR/a.toml", "--force"],
        &["is the file that is read"],
    );
    std::fs::write(dir.join("mine.html"), "mine").unwrap();
    refused(
        &["DIR/a.toml", "--out", "DIR/mine.html"],
        &["exists", "--force"],
    );
    run(
        dir,
        &["train", "DIR/a.toml", "--out", "DIR/net.safetensors", "-q"],
    )
    .assert_ok();
    refused(
        &["DIR/net.safetensors", "--experiment", "DIR/other.toml"],
        &[
            "net.safetensors",
            "layer `fc1`",
            "5 bits for weights",
            "the experiment has 4 bits",
            "[quantize]",
        ],
    );
    refused(
        &[
            "DIR/net.safetensors",
            "--experiment",
            "DIR/a.toml",
            "--run",
            "DIR",
        ],
        &["--run", "with an experiment file only"],
    );
}
