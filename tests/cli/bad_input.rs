//! Wrong input: exit code 2, a message with the place, nothing on standard output.

use std::path::Path;

use super::{Run, pimento, pimento_with, text};

/// Runs `check` on the text of an experiment file called `x.toml`, with more arguments.
fn check(experiment: &str, more: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    std::fs::write(&path, experiment).unwrap();
    let mut args = vec!["check", text(&path)];
    args.extend(more);
    let mut run = pimento(&args);
    run.stderr = run.stderr.replace(text(&path), "x.toml");
    run
}

#[track_caller]
fn refused(run: &Run, messages: &[&str]) {
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(run.stdout, "");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines, messages);
}

#[test]
fn values_outside_their_limits() {
    let run = check(
        "[variation]\nsigma_w = -0.1\n[quantize]\nweight_bits = 9\nactivation_bits = -1\n[sweep]\nchips = 0\n",
        &[],
    );
    refused(
        &run,
        &[
            "error: x.toml:2: field `variation.sigma_w`: value -0.1 is not allowed; allowed: 0 to 10",
            "error: x.toml:4: field `quantize.weight_bits`: value 9 is not allowed; allowed: 0 to 8",
            "error: x.toml:5: field `quantize.activation_bits`: value -1 is not allowed; allowed: 0 to 8",
            "error: x.toml:7: field `sweep.chips`: value 0 is not allowed; allowed: 1 to 10000000",
        ],
    );
}

/// The example of docs/errors.md is what the program prints.
#[test]
fn mistakes_are_objects_for_editors() {
    let page = include_str!("../../docs/errors.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let example: serde_json::Value = serde_json::from_str(example).unwrap();
    let run = check("seed = 1\n[train]\nepochs = -1\n", &["--json"]);
    assert_eq!(
        run.stderr,
        format!("error: {}\n", example["error"].as_str().unwrap()).replace("my.toml", "x.toml")
    );
    let mut printed: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(printed["valid"], false);
    assert_eq!(printed["errors"][0]["file"], printed["file"]);
    printed["errors"][0]["file"] = "my.toml".into();
    assert_eq!(printed["errors"], example["errors"]);
    assert_eq!(
        (run.code, &printed["exit_code"]),
        (2, &example["exit_code"])
    );
}

#[test]
fn zero_bits_where_they_are_needed() {
    let run = check(
        "[train]\nrecipe = \"ptq-vat\"\n[quantize]\nweight_bits = 0\n",
        &[],
    );
    refused(
        &run,
        &[
            "error: x.toml:4: field `quantize.weight_bits`: 0 bits leave nothing to quantize after training; allowed with recipe \"ptq-vat\": 1 to 8",
        ],
    );
}

#[test]
fn unknown_fields_and_wrong_types() {
    let run = check("[tuning]\nmetod = \"none\"\ntest_cells = \"many\"\n", &[]);
    refused(
        &run,
        &[
            "error: x.toml:2: unknown field `tuning.metod`; did you mean `method`? allowed: method, place, scope, test_cells, estimator, level, read_noise, read_lsb, gain_floor, reference_columns, recalibration_batches, recalibration_batch, training_steps, training_rate, training_momentum, training_backward",
            "error: x.toml:3: field `tuning.test_cells`: expected an integer, found the string \"many\"; allowed: 1 to 1000000",
        ],
    );
}

#[test]
fn syntax_that_is_not_toml() {
    let run = check("[train\n", &[]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("error: x.toml:1: TOML parse error at line 1, column"),
        "{}",
        run.stderr
    );
}

#[test]
fn values_that_contradict_each_other() {
    let run = check("[train]\nbatch = 100\nchips_per_batch = 3\n", &[]);
    refused(
        &run,
        &[
            "error: x.toml:3: field `train.chips_per_batch`: 3 chips do not divide a batch of 100 images; allowed: divisors of 100",
        ],
    );
}

#[test]
fn a_file_that_is_not_there() {
    let run = pimento(&["check", "no/such/file.toml"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.starts_with("error: no/such/file.toml: "),
        "{}",
        run.stderr
    );
}

#[test]
fn command_lines() {
    for args in [
        &["chekc"][..],
        &[],
        &["check"],
        &["check", "x.toml", "--chips", "0"],
        &["check", "x.toml", "--seed", "-1"],
        &["check", "x.toml", "--images", "ten"],
        &["completions", "tcl"],
    ] {
        let run = pimento(args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(
            run.stderr.contains("Usage: pimento") || run.stderr.contains("--help"),
            "{}",
            run.stderr
        );
    }
    assert!(
        pimento(&["chekc"])
            .stderr
            .contains("a similar subcommand exists: 'check'")
    );
}

#[test]
fn data_directories_that_do_not_fit() {
    let run = check("", &["--data", "somewhere"]);
    refused(
        &run,
        &[
            "error: --data somewhere: the experiment `x` uses the embedded set \"fashion-10k\"; allowed with another data.kind only",
        ],
    );
    let idx = "[data]\nkind = \"idx\"\n";
    let run = check(idx, &[]);
    refused(
        &run,
        &[
            "error: the experiment `x` needs a directory with the images: set data.dir in the file, --data PATH or PIMENTO_DATA",
        ],
    );
    let run = check("[data]\nkind = \"archive\"\n", &[]);
    refused(
        &run,
        &[
            "error: the experiment `x` needs an archive with the images: set data.file in the file, --data PATH or PIMENTO_DATA",
        ],
    );
    check(idx, &["--data", "no/such/place"]).assert_refused(&["no/such/place"]);
}

/// An IDX file of `n` items of `item` zero bytes each; images where `item > 1`.
fn idx(n: u32, item: u32) -> Vec<u8> {
    let side = item.isqrt();
    let mut bytes = vec![0, 0, 8, if item > 1 { 3 } else { 1 }];
    bytes.extend(n.to_be_bytes());
    if item > 1 {
        bytes.extend(side.to_be_bytes());
        bytes.extend(side.to_be_bytes());
    }
    bytes.resize(bytes.len() + (n * item) as usize, 0);
    bytes
}

/// Writes the four files of a small set: 4 training and 2 test images of 3 x 3.
fn write_set(dir: &Path) {
    for (part, n) in [("train", 4), ("t10k", 2)] {
        std::fs::write(dir.join(format!("{part}-images-idx3-ubyte")), idx(n, 9)).unwrap();
        let mut labels = idx(n, 1);
        // Two classes at least.
        *labels.last_mut().unwrap() = 1;
        std::fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn idx_files_that_are_damaged() {
    let experiment = "[data]\nkind = \"idx\"\n[network]\nkind = \"mlp\"\n";
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    write_set(dir.path());
    let good = check(experiment, &["--data", data]);
    assert_eq!(good.code, 0, "{}", good.stderr);
    good.assert_says(&["4 training and 2 test images of 3 x 3"]);

    let images = dir.path().join("train-images-idx3-ubyte");
    let whole = std::fs::read(&images).unwrap();
    let mut wrong_magic = whole.clone();
    wrong_magic[2] = 0x55;
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..7],
        &wrong_magic,
        &idx(3, 9),
    ] {
        std::fs::write(&images, damaged).unwrap();
        check(experiment, &["--data", data]).assert_refused(&["train-images-idx3-ubyte"]);
    }
}

#[test]
fn the_environment_names_the_data_only_where_nothing_else_does() {
    let here = tempfile::tempdir().unwrap();
    write_set(here.path());
    let path = here.path().join("x.toml");
    let variables = [("PIMENTO_DATA", text(here.path()))];
    for (experiment, code) in [
        ("data.kind = \"idx\"\nnetwork.kind = \"mlp\"\n", 0),
        ("data.kind = \"idx\"\ndata.dir = \"elsewhere\"\n", 2),
        ("", 0),
    ] {
        std::fs::write(&path, experiment).unwrap();
        let run = pimento_with(&["check", text(&path)], &variables);
        assert_eq!(run.code, code, "{experiment}: {}", run.stderr);
    }
}
