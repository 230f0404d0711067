//! Signal-to-noise ratios of layers, from outside.

use std::path::Path;

use serde_json::Value;

use super::{Run, pimento_with, text};

const TEXT: &str = "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 200\ntest_limit = 60\n[network]\n\
                    kind = \"mlp\"\nhidden = [10, 8]\n[train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
                    [chip.array]\nrows = 24\n[chip.cells]\nslice_bits = 3\n[chip.adc]\nbits = 4\n\
                    [sweep]\nchips = 2\n[[sweep.grid]]\nsigma_w = [0.0, 0.1]\n[layer.fc2]\ndigital = true\n";

fn run(dir: &Path, args: &[&str]) -> Run {
    let args: Vec<String> = args.iter().map(|a| a.replace("DIR", text(dir))).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    pimento_with(&args, &[("PIMENTO_BACKEND", "cpu")])
}

fn json(run: &Run) -> Value {
    run.assert_ok();
    serde_json::from_str(&run.stdout).expect("one document")
}

/// A directory with an experiment and its network.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.toml"), TEXT).unwrap();
    let trained = run(
        dir.path(),
        &["train", "DIR/a.toml", "--out", "DIR/a.safetensors"],
    );
    trained.assert_ok();
    dir
}

fn names(layers: &Value) -> Vec<&str> {
    let layers = layers.as_array().expect("a list").iter();
    layers
        .map(|layer| layer["name"].as_str().unwrap())
        .collect()
}

#[test]
fn inspect_measures_a_network_on_the_chips_of_an_experiment() {
    let dir = place();
    let base = ["inspect", "DIR/a.safetensors", "--plan", "DIR/a.toml"];
    let with = |more: &[&str]| run(dir.path(), &[&base[..], more].concat());
    let plain = json(&with(&["--json"]));
    assert!(plain.get("snr").is_none());
    let options = ["--snr", "--snr-chips", "3", "--snr-images", "20", "--json"];
    let first = json(&with(&options));
    let found = &first["snr"];
    // What is planned stays as it is.
    assert_eq!(first["layers"], plain["layers"]);
    assert_eq!(names(&found["layers"]), ["fc1", "fc3"]);
    assert_eq!(found["digital_layers"], serde_json::json!(["fc2"]));
    assert_eq!(
        (found["images"].as_u64(), found["images_of"].as_u64()),
        (Some(20), Some(60))
    );
    assert_eq!(found["chips"], 3);
    // The first point has no variation: 4 bits are too few, 9 bits exact.
    for layer in found["layers"].as_array().unwrap() {
        let converters = &layer["converters"];
        assert_eq!(converters["without"]["is"], "infinite");
        assert!(converters["without"]["db"].is_null() && converters["goal_db"].is_null());
        assert!(layer["snr"]["db"].as_f64().is_some());
        let last = converters["tried"].as_array().unwrap().last().unwrap();
        assert_eq!(last["snr"]["is"], "infinite");
        assert_eq!(last["bits"], converters["bits"]);
        assert_eq!(converters["range"]["limit"].as_array().unwrap().len(), 1);
        let parts = layer["parts"].as_array().unwrap();
        let has = |name: &str| {
            let part = parts.iter().find(|p| p["part"] == name).unwrap();
            part["has"].as_str().unwrap().to_string()
        };
        assert_eq!(
            ["programming", "steps", "clipping", "tuning"].map(has),
            ["off", "measured", "measured", "off"]
        );
    }
    // The second one has, and 14 bits do not reach 60 dB.
    let more = ["--point", "1", "--snr-goal", "60"];
    let second = json(&with(&[&options[..], &more].concat()));
    for layer in second["snr"]["layers"].as_array().unwrap() {
        assert_eq!(layer["converters"]["goal_db"], 60.0);
        assert!(layer["converters"]["bits"].is_null());
        assert_eq!(layer["parts"][1]["has"], "measured");
    }
    let table = with(&["--snr", "--point", "1", "--no-snr-bits", "--snr-chips", "2"]);
    table.assert_ok();
    for word in [
        "SQNR inputs",
        "programming",
        "fc2: digital, no chips",
        "2 chips",
    ] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    assert!(!table.stdout.contains("best limit"), "{}", table.stdout);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let dir = place();
    let refused = |args: &[&str], words: &[&str]| {
        let run = run(dir.path(), args);
        run.assert_refused(words);
    };
    let inspect = ["inspect", "DIR/a.safetensors", "--plan", "DIR/a.toml"];
    refused(
        &["inspect", "DIR/a.safetensors", "--snr"],
        &["--snr: a network alone", "allowed: --plan"],
    );
    refused(&[&inspect[..], &["--snr-chips", "3"]].concat(), &["--snr"]);
    let both = ["--snr", "--snr-loss", "1", "--snr-goal", "20"];
    refused(&[&inspect[..], &both].concat(), &["--snr-goal"]);
    let none = ["--snr", "--snr-loss", "0"];
    refused(&[&inspect[..], &none].concat(), &["0 dB", "more than 0"]);
    let far = ["--snr", "--point", "2"];
    refused(&[&inspect[..], &far].concat(), &["--point 2", "0 to 1"]);
}

#[test]
fn a_report_shows_the_ratios_of_every_point_where_it_is_asked_to() {
    let dir = place();
    run(dir.path(), &["sweep", "DIR/a.toml", "--out", "DIR/run"]).assert_ok();
    let page = || std::fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    let heading = "Signal-to-noise ratios of the layers";
    let before = page();
    assert!(!before.contains(heading));
    let options = [
        "--snr",
        "--snr-chips",
        "2",
        "--snr-images",
        "20",
        "--no-snr-bits",
    ];
    let report = ["report", "DIR/run", "--json"];
    let found = json(&run(dir.path(), &[&report[..], &options].concat()));
    let points = found["snr"].as_array().expect("a list");
    assert_eq!(points.len(), 2);
    assert_ne!(points[0]["point"], points[1]["point"]);
    assert!(points.iter().all(|p| names(&p["layers"]) == ["fc1", "fc3"]));
    let after = page();
    assert_eq!(after.matches(&format!("<h2>{heading}")).count(), 2);
    // Points are networks of the run: the ratio of the second is that of its chips.
    assert_eq!(points[1]["layers"][0]["parts"][1]["has"], "measured");
    run(dir.path(), &["report", "DIR/run"]).assert_ok();
    assert_eq!(page(), before);
    let two = [
        "report",
        "DIR/run",
        "DIR/run",
        "--snr",
        "--out",
        "DIR/x.html",
    ];
    run(dir.path(), &two).assert_refused(&["--snr of 2 runs", "allowed: one run"]);
    let network = [
        "report",
        "DIR/a.safetensors",
        "--snr",
        "--out",
        "DIR/x.html",
    ];
    run(dir.path(), &network).assert_refused(&["which is no run", "pimento inspect MODEL --plan"]);
}
