//! Networks from files, from outside.

use std::path::Path;

use pimento::data::npy::{Values, read_npy};
use pimento::network::npy;

use super::{pimento, text};

fn model(name: &str) -> String {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    text(&home.join(format!("assets/golden/onnx/{name}.onnx"))).to_string()
}

#[test]
fn inspect_shows_layers_and_totals() {
    let run = pimento(&["inspect", &model("small_17")]);
    run.assert_ok();
    // 6 channels of 3 x 3 x 3 on 6 x 6 places; 27 rows, 6 columns, two cells a weight.
    let conv = run.stdout.lines().find(|l| l.starts_with("stem.0 "));
    let words: Vec<&str> = conv.unwrap().split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "stem.0 conv 6 x 6 x 6 168 5,832 27 x 6 324",
        "{}",
        run.stdout
    );
    let run = pimento(&["inspect", &model("small_17"), "--fold-batch-norm", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["total"]["crossbar_layers"], 3);
    assert_eq!(json["total"]["weights"], 6 * 27 + 6 * 9 + 5 * 24);
    assert_eq!(json["total"]["cells"], 2 * (6 * 27 + 6 * 9 + 5 * 24));
    assert_eq!(json["nodes"][1]["crossbar"]["rows"], 27);
    assert!(!run.stdout.contains("batch norm"));
}

#[test]
fn infer_and_export_agree() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name)).to_string();
    let x: Vec<f32> = (0..300 * 108)
        .map(|i| ((i * 29) % 97) as f32 / 48.0 - 1.0)
        .collect();
    npy::write(at("x.npy").as_ref(), &[300, 3, 6, 6], &x).unwrap();
    let infer = |model: &str, to: &str| {
        let args = [
            "infer",
            model,
            "--input",
            &at("x.npy"),
            "--output",
            &at(to),
            "--force",
            "--backend",
            "cpu",
        ];
        let run = pimento(&args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        let array = read_npy(at(to).as_ref()).unwrap();
        assert_eq!(array.shape, [300, 5]);
        match array.values {
            Values::Floats(v) => v,
            other => panic!("{other:?}"),
        }
    };
    let want = infer(&model("small_17"), "y.npy");
    for name in ["out.onnx", "out.safetensors"] {
        pimento(&["export", &model("small_17"), "--output", &at(name)]).assert_ok();
        let got = infer(&at(name), "z.npy");
        let far = want.iter().zip(&got).map(|(a, b)| (a - b).abs());
        assert!(far.fold(0.0, f32::max) < 1e-5);
        let again = pimento(&["export", &model("small_17"), "--output", &at(name)]);
        assert_eq!(again.code, 2);
        assert!(again.stderr.contains("exists; allowed"), "{}", again.stderr);
    }
}

#[test]
fn wrong_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name)).to_string();
    npy::write(at("x.npy").as_ref(), &[2, 3, 6, 5], &[0.0; 180]).unwrap();
    std::fs::write(at("bad.onnx"), "PK").unwrap();
    let small = model("small_17");
    for (args, words) in [
        (vec!["inspect", "none.onnx"], "none.onnx"),
        (
            vec!["inspect", &at("bad.onnx")],
            "bad.onnx: not an ONNX model",
        ),
        (vec!["inspect", "x.pth"], "x.pth"),
        (
            vec![
                "infer",
                &small,
                "--input",
                &at("x.npy"),
                "--output",
                &at("y.npy"),
            ],
            "an array of shape [2, 3, 6, 5]; allowed",
        ),
        (
            vec![
                "infer",
                &small,
                "--input",
                &at("bad.onnx"),
                "--output",
                &at("y.npy"),
            ],
            "bad.onnx",
        ),
        (
            vec!["export", &small, "--output", &at("y.pt")],
            "y.pt: allowed: a file that ends",
        ),
    ] {
        let args: Vec<&str> = args.iter().map(|a| a as &str).collect();
        pimento(&args).assert_refused(&[words]);
        assert!(!Path::new(&at("y.npy")).exists());
    }
}

/// Energy, time and area by layer and part: what a digital layer cannot tell, what one model alone knows, and the same
/// numbers in JSON.
#[test]
fn a_plan_has_energy_where_the_experiment_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("chip.toml");
    let chip = "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
                [chip.adc]\nbits = 3\n[layer.\"stem.?\"]\ndigital = true\n";
    std::fs::write(&plan, format!("{chip}[energy]\n")).unwrap();
    let plan = plan.to_str().unwrap();
    let (model, cpu) = (model("small_17"), ["--backend", "cpu"]);
    let inspect = |more: &[&str]| {
        let args = [&["inspect", &model, "--plan", plan], &cpu[..], more].concat();
        pimento(&args)
    };
    let run = inspect(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for wanted in [
        "energy for an image",
        "TOPS/W",
        "one model alone",
        "time of digital layers: not told",
        "stem.0",
    ] {
        assert!(run.stdout.contains(wanted), "{wanted}: {}", run.stdout);
    }
    let run = inspect(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let energy = &json["energy"];
    let high = |value: &serde_json::Value| value["energy_pj"]["high"].as_f64().unwrap();
    let layers = energy["layers"].as_array().unwrap();
    assert!(layers[0]["latency_ns"].is_null());
    let parts = |layer: &serde_json::Value| {
        let parts = layer["parts"].as_array().unwrap();
        parts.iter().map(high).sum::<f64>()
    };
    let sums: f64 = layers.iter().map(parts).sum();
    let total = high(&energy["total"]);
    assert!(
        total > 0.0 && (sums / total - 1.0).abs() < 1e-12,
        "{sums}, not {total}"
    );
    std::fs::write(
        plan,
        format!("{chip}[energy]\ntechnology = \"isaac-32nm\"\n"),
    )
    .unwrap();
    inspect(&[]).assert_refused(&["of 3 bits", "\"charge\""]);
    std::fs::write(plan, chip).unwrap();
    assert!(!inspect(&[]).stdout.contains("energy"));
}
