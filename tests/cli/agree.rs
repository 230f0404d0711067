//! `check` refuses what `sweep` refuses, in the same words and with the same code, and nothing else.

use std::path::Path;

use super::{Run, pimento_with, text};

/// Runs a subcommand on `x.toml` in `dir`.
fn run(dir: &Path, subcommand: &str, more: &[&str]) -> Run {
    let file = dir.join("x.toml");
    let mut args = vec![subcommand, text(&file)];
    args.extend(more);
    pimento_with(&args, &[("PIMENTO_BACKEND", "cpu")])
}

const DIGITS: &str = "[data]\nset = \"digits-8x8\"\ntrain_limit = 40\ntest_limit = 20\n";

/// Experiments that cannot be, each with a part of what is said about it.
const BAD: [(&str, &str); 12] = [
    ("[network]\nkind = \"lenet5\"\n", "needs images of 28x28; "),
    (
        "[network]\nkind = \"cnn\"\nchannels = [4, 4, 4, 4]\n",
        "each halves the image, and 8x8 pixels allow at most 3",
    ),
    (
        "[sweep.axes]\n\"network.kind\" = [\"mlp\", \"resnet20\"]\n",
        "multiple of 32 pixels; `digits-8x8 train` has 8x8 (at the point network.kind = resnet20)",
    ),
    (
        "[network]\nkind = \"mlp\"\nhidden = [4]\n[train]\nlevel = \"cell\"\n",
        "inputs of 0 bits",
    ),
    (
        "fidelity = \"cell\"\n[network]\nkind = \"mlp\"\nhidden = [4]\n[quantize]\ninput_bits = 4\nlinear_inputs = \"float\"\n",
        "field `quantize.linear_inputs`: inputs in full precision have no codes",
    ),
    (
        "[network]\nkind = \"mlp\"\nhidden = [65536, 65536]\n",
        "MiB",
    ),
    (
        "[train]\nbatch = 64\nchips_per_batch = 64\n",
        "train.batch = 64 over train.chips_per_batch = 64 chips",
    ),
    (
        "data.validation = 40\n",
        "data.validation = 40 of `digits-8x8 train`, which has 40 training images; allowed: 0 to 39",
    ),
    (
        "[network]\nkind = \"file\"\nfile = \"page.onnx\"\n",
        "page.onnx",
    ),
    (
        "[network]\nkind = \"file\"\nfile = \"few.safetensors\"\n[train]\nepochs = 0\n",
        "the output is 3 x 1 x 1; `digits-8x8 train` has 10 classes",
    ),
    (
        "[network]\nkind = \"file\"\nfile = \"wide.safetensors\"\n[train]\nepochs = 0\n",
        "the network wants images of 1 x 16 x 4",
    ),
    (
        "[network]\nkind = \"file\"\nfile = \"good.safetensors\"\n[train]\nrecipe = \"qat\"\n[sweep.axes]\n\"train.epochs\" = [1, 0]\n",
        "has nothing to deploy; allowed: recipe \"ptq\" or \"float\", or more epochs (at the point train.epochs = 0)",
    ),
];

/// Networks for images of 64 values.
fn write_networks(dir: &Path) {
    for (name, input, classes) in [
        ("good", (1, 8, 8), 10),
        ("few", (1, 8, 8), 3),
        ("wide", (1, 16, 4), 10),
    ] {
        let loaded = super::mlp(input, classes);
        let bytes = pimento::network::file::to_safetensors(&loaded, &Default::default()).unwrap();
        std::fs::write(dir.join(format!("{name}.safetensors")), bytes).unwrap();
    }
    std::fs::write(dir.join("page.onnx"), "<!DOCTYPE html><p>not found").unwrap();
}

/// A message without the memory that is free at the moment.
fn said(message: &str) -> String {
    match message.split_once("the memory budget is ") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}the memory budget is{after}")
        }
        None => message.into(),
    }
}

#[test]
fn check_and_sweep_refuse_alike() {
    let dir = tempfile::tempdir().unwrap();
    write_networks(dir.path());
    for (bad, says) in BAD {
        let top = bad.lines().take_while(|l| !l.starts_with('['));
        let top: String = top.map(|l| format!("{l}\n")).collect();
        let rest = &bad[top.len()..];
        let file = match top.strip_prefix("data.") {
            Some(of_data) => format!("{DIGITS}{of_data}{rest}"),
            None => format!("{top}{DIGITS}{rest}"),
        };
        let whole = format!("{file}[variation]\nsigma_w = 0.1\n");
        std::fs::write(dir.path().join("x.toml"), &whole).unwrap();
        let out = dir.path().join("out");
        let check = run(dir.path(), "check", &[]);
        let sweep = run(dir.path(), "sweep", &["--out", text(&out)]);
        let plan = run(dir.path(), "sweep", &["--dry-run"]);
        assert!(check.stderr.contains(says), "{whole}\n{}", check.stderr);
        assert_eq!((check.code, check.stdout.as_str()), (2, ""), "{whole}");
        assert_eq!((sweep.code, plan.code), (2, 2), "{whole}\n{}", sweep.stderr);
        for run in [&sweep, &plan] {
            assert_eq!(said(&run.stderr), said(&check.stderr));
        }
        assert!(!out.exists(), "{whole}");
        let json = run(dir.path(), "check", &["--json"]);
        assert_eq!((json.code, said(&json.stderr)), (2, said(&check.stderr)));
        let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(document["valid"], false);
        let errors = document["errors"].as_array().unwrap();
        let line = |e: &serde_json::Value| {
            let message = e["message"].as_str().unwrap();
            let place = [
                e["file"].as_str().map(str::to_string),
                e["line"].as_u64().map(|l| l.to_string()),
            ];
            let place: String = place.into_iter().flatten().map(|part| part + ":").collect();
            let blank = if place.is_empty() { "" } else { " " };
            format!("error: {place}{blank}{message}\n")
        };
        assert_eq!(errors.iter().map(line).collect::<String>(), json.stderr);
    }
}

#[test]
fn what_check_calls_valid_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    write_networks(dir.path());
    for good in [
        "[network]\nkind = \"file\"\nfile = \"good.safetensors\"\n[train]\nepochs = 0\nrecipe = \"float\"\n",
        "fidelity = \"cell\"\n[network]\nkind = \"mlp\"\nhidden = [4]\n[quantize]\ninput_bits = 4\n[chip.adc]\nbits = 6\nrange = \"calibrated\"\n[train]\nepochs = 1\n",
    ] {
        let top = good.lines().take_while(|l| !l.starts_with('['));
        let top: String = top.map(|l| format!("{l}\n")).collect();
        let whole = format!("{top}{DIGITS}{}[sweep]\nchips = 2\n", &good[top.len()..]);
        std::fs::write(dir.path().join("x.toml"), &whole).unwrap();
        let check = run(dir.path(), "check", &[]);
        assert_eq!(check.code, 0, "{whole}\n{}", check.stderr);
        check.assert_says(&["memory    waves of 2 chips"]);
        let out = dir.path().join("out");
        let sweep = run(dir.path(), "sweep", &["--force", "--out", text(&out)]);
        assert_eq!(sweep.code, 0, "{whole}\n{}", sweep.stderr);
    }
}

#[test]
fn many_values_of_an_axis_are_one_network() {
    let dir = tempfile::tempdir().unwrap();
    let list = |n: usize| {
        let values: Vec<String> = (0..n).map(|i| format!("0.1{i:04}")).collect();
        values.join(", ")
    };
    let whole = format!(
        "{DIGITS}[network]\nkind = \"mlp\"\nhidden = [4]\n[sweep.axes]\n\"variation.sigma_w\" = [{}]\n",
        list(10_000)
    );
    std::fs::write(dir.path().join("x.toml"), &whole).unwrap();
    let check = run(dir.path(), "check", &["--json"]);
    assert_eq!(check.code, 0, "{}", check.stderr);
    let document: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(document["points"].as_array().unwrap().len(), 10_000);
    assert_eq!(document["points"][9_999]["variation.sigma_w"], 0.19999);
}

#[test]
fn names_stay_in_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let long = "a".repeat(101);
    for name in [
        "..", ".", "", ".hidden", "a.", "a/b", "a\\\\b", "con", "NUL.txt", "com1", "a b", "a\\n",
        &long,
    ] {
        std::fs::write(dir.path().join("x.toml"), format!("name = \"{name}\"\n")).unwrap();
        for subcommand in ["check", "sweep"] {
            run(dir.path(), subcommand, &[]).assert_refused(&["x.toml:1: field `name`: value"]);
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
