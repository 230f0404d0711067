//! One matrix on one chip, from outside.

use std::path::Path;

use pimento::data::npy::{Values, read_npy};
use pimento::network::npy;

use super::{pimento, text};

const CHIP: &str = "fidelity = \"cell\"\nseed = 3\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 5\n\
                    [chip.array]\nrows = 6\ncols = 3\n[chip.cells]\nslice_bits = 2\n";

struct Place(tempfile::TempDir);

impl Place {
    /// A directory with a chip, 5 x 11 weights and 4 input vectors.
    fn new(chip: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.at("chip.toml"), chip).unwrap();
        let w: Vec<f32> = (0..55)
            .map(|i| ((i * 37) % 31) as f32 / 15.0 - 1.0)
            .collect();
        let x: Vec<f32> = (0..44).map(|i| ((i * 13) % 16) as f32).collect();
        npy::write(place.at("w.npy").as_ref(), &[5, 11], &w).unwrap();
        npy::write(place.at("none.npy").as_ref(), &[0, 11], &[]).unwrap();
        npy::write(place.at("g.npy").as_ref(), &[4, 1, 11], &[0.5; 44]).unwrap();
        npy::write(place.at("short.npy").as_ref(), &[5, 10], &w[..50]).unwrap();
        npy::write(place.at("x.npy").as_ref(), &[4, 11], &x).unwrap();
        place
    }

    fn at(&self, name: &str) -> String {
        text(&self.0.path().join(name)).to_string()
    }

    fn run(&self, more: &[&str]) -> super::Run {
        let (chip, x, y) = (self.at("chip.toml"), self.at("x.npy"), self.at("y.npy"));
        let mut args = vec![
            "mvm",
            &chip,
            "--inputs",
            &x,
            "--output",
            &y,
            "--force",
            "--backend",
            "cpu",
        ];
        args.extend(more);
        pimento(&args)
    }

    fn array(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let array = read_npy(Path::new(&self.at(name))).unwrap();
        match array.values {
            Values::Floats(v) => (array.shape, v),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_nominal_chip_gives_the_product_of_the_codes_and_shows_every_stage() {
    let place = Place::new(&format!("{CHIP}[chip.adc]\nbits = 8\n"));
    let run = place.run(&["--weights", &place.at("w.npy"), "--tap", "all", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    // 11 rows in arrays of 6, 5 columns in arrays of 3; 4 magnitude bits in slices of 2.
    assert_eq!(json["row_tiles"], 2);
    assert_eq!(json["column_tiles"], 2);
    assert_eq!(json["read_planes"], 2);
    assert_eq!(json["conversions"], 4 * 5 * 2 * 2 * 4);
    assert_eq!(json["clipped"], 0.0);
    assert_eq!(json["max_error"], 0.0);
    let (shape, y) = place.array("y.npy");
    assert_eq!(shape, [4, 5]);
    assert_eq!(place.array("y.ideal.npy").1, y);
    // By hand from the codes.
    let (_, w) = place.array("y.weight-codes.npy");
    let (_, x) = place.array("y.input-codes.npy");
    let steps = [&json["weight_step"], &json["input_step"]].map(|s| s.as_f64().unwrap());
    for (i, y) in y.iter().enumerate() {
        let (vector, out) = (i / 5, i % 5);
        let sum: f32 = (0..11).map(|k| w[out * 11 + k] * x[vector * 11 + k]).sum();
        let expected = f64::from(sum) * steps[0] * steps[1];
        assert!(
            (f64::from(*y) - expected).abs() < 1e-6 * expected.abs().max(1.0),
            "{i}"
        );
    }
    assert_eq!(place.array("y.partial-sums.npy").0, [4, 2, 5, 2, 4]);
    assert_eq!(place.array("y.conductances.npy").0, [2, 5, 11]);
    // Converters with a step of a power of two part of a level: codes are sums over steps.
    let (codes, sums) = (
        place.array("y.codes.npy").1,
        place.array("y.partial-sums.npy").1,
    );
    let lsb = place.array("y.ranges.npy").1[0];
    assert!(codes.iter().zip(&sums).all(|(c, s)| c * lsb == *s));
}

#[test]
fn chips_differ_and_one_is_the_same_again() {
    let place = Place::new(&format!("{CHIP}[variation]\nsigma_w = 0.1\n"));
    let weights = place.at("w.npy");
    let y = |chip: &str| {
        let run = place.run(&["--weights", &weights, "--chip", chip]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        place.array("y.npy").1
    };
    let first = y("7");
    assert_ne!(first, y("8"));
    assert_eq!(first, y("7"));
}

#[test]
fn given_conductances_are_read_as_they_are() {
    let place = Place::new(&format!("{CHIP}[chip.adc]\nbits = 0\n"));
    // Four cell planes; the digit 1 of 3 in the positive cells of slice 0, nothing elsewhere.
    let mut g = vec![0.0f32; 4 * 2 * 11];
    g[..22].fill(1.0 / 3.0);
    npy::write(place.at("g.npy").as_ref(), &[4, 2, 11], &g).unwrap();
    place
        .run(&["--conductances", &place.at("g.npy"), "--input-max", "15"])
        .assert_ok();
    let (shape, y) = place.array("y.npy");
    assert_eq!(shape, [4, 2]);
    let x = place.array("x.npy").1;
    for (i, y) in y.iter().enumerate() {
        let sum: f32 = x[i / 2 * 11..][..11].iter().sum();
        // Eleven products of a third of three levels, rounded.
        assert!((y - sum).abs() < 1e-4, "{i}: {y} against {sum}");
    }
}

#[test]
fn a_reference_column_is_subtracted_from_given_conductances() {
    // Its noise is in a read as well: the same deviates, so that outputs are the same.
    let chip = CHIP.replace(
        "slice_bits",
        "encoding = \"offset\"\nreference = 2\nslice_bits",
    );
    for more in ["", "[chip.read]\nproportional = 0.2\nfixed = 0.05\n"] {
        let place = Place::new(&format!("{chip}[chip.adc]\nbits = 0\n{more}"));
        place
            .run(&["--weights", &place.at("w.npy"), "--tap", "weight-codes"])
            .assert_ok();
        let expected = place.array("y.npy").1;
        let codes = place.array("y.weight-codes.npy").1;
        // Code and offset in slices of 2, 2 and 1 bits.
        let g = [(0, 3), (2, 3), (4, 1)].map(|(shift, top)| {
            let digit = |q: &f32| ((*q as i32 + 16) >> shift & top) as f32 / top as f32;
            codes.iter().map(digit).collect::<Vec<_>>()
        });
        npy::write(place.at("g.npy").as_ref(), &[3, 5, 11], &g.concat()).unwrap();
        place
            .run(&["--conductances", &place.at("g.npy"), "--weight-max", "1"])
            .assert_ok();
        let found = place.array("y.npy").1;
        // Thirds of three levels are rounded, 11 products of each of 3 slices.
        for (a, b) in expected.iter().zip(&found) {
            assert!((a - b).abs() < 1e-3, "{more}: {a} and {b}");
        }
    }
}

#[test]
fn conductances_have_no_codes_to_be_compared_with() {
    let place = Place::new(&format!("{CHIP}[chip.adc]\nbits = 0\n"));
    let g = place.at("g.npy");
    let run = place.run(&["--conductances", &g]);
    assert!(
        run.code == 0 && !run.stdout.contains("difference"),
        "{}",
        run.stdout
    );
    let run = place.run(&["--conductances", &g, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(
        json["max_error"].is_null() && json["rms_error"].is_null(),
        "{json}"
    );
}

#[test]
fn nothing_is_written_where_not_everything_can_be() {
    let place = Place::new(&format!("{CHIP}[chip.adc]\nbits = 0\n"));
    std::fs::create_dir(place.at("y.clipped.npy")).unwrap();
    std::fs::create_dir(place.at("dir.npy")).unwrap();
    let (w, g, dir) = (place.at("w.npy"), place.at("g.npy"), place.at("dir.npy"));
    let nowhere = place.at("no/y.npy");
    let cases: [(&[&str], &str); 5] = [
        (
            &["--weights", &w, "--tap", "input-codes", "--tap", "codes"],
            "--tap codes: there is no",
        ),
        (
            &[
                "--conductances",
                &g,
                "--tap",
                "input-codes",
                "--tap",
                "ideal",
            ],
            "--tap ideal: there is no",
        ),
        (&["--weights", &w, "--tap", "all"], "y.clipped.npy"),
        (
            &["--weights", &w, "--tap", "input-codes", "--output", &dir],
            "dir.npy",
        ),
        (
            &[
                "--weights",
                &w,
                "--tap",
                "input-codes",
                "--output",
                &nowhere,
            ],
            "y.npy",
        ),
    ];
    let files = || std::fs::read_dir(place.0.path()).unwrap().count();
    let before = files();
    for (args, message) in cases {
        let (chip, x, y) = (place.at("chip.toml"), place.at("x.npy"), place.at("y.npy"));
        let mut all = vec!["mvm", &chip, "--inputs", &x, "--backend", "cpu"];
        if !args.contains(&"--output") {
            all.extend(["--output", &y]);
        }
        all.extend(args);
        let run = pimento(&all);
        assert!(
            run.code == 2 && run.stderr.contains(message),
            "{args:?}: {}",
            run.stderr
        );
        assert_eq!(files(), before, "{args:?}");
    }
}

#[test]
fn magnitudes_beyond_f32_are_refused_with_the_arithmetic() {
    let place = Place::new(CHIP);
    let w = place.at("w.npy");
    let cases: [(&[&str], &str); 4] = [
        (
            &["--weight-max", "3e38", "--input-max", "3e38"],
            "none of the 1.1754944e-38 to 3.4028235e38",
        ),
        (
            &["--weight-max", "1e-30", "--input-max", "1e-30"],
            "none of the",
        ),
        (
            &["--weight-max", "1e-45"],
            "weights: 1e-45 for the highest of 15 codes",
        ),
        (
            &["--input-max", "1e-38"],
            "inputs: 1e-38 for the highest of 15 codes",
        ),
    ];
    for (args, message) in cases {
        let run = place.run(&[&["--weights", &w], args].concat());
        assert!(
            run.code == 2 && run.stderr.contains(message),
            "{args:?}: {}",
            run.stderr
        );
    }
    // Each product is a number, their sum is none.
    npy::write(place.at("w.npy").as_ref(), &[5, 11], &[1e38; 55]).unwrap();
    let run = place.run(&["--weights", &w, "--input-max", "3"]);
    let says = "output 0 of vector 0 leaves f32";
    assert!(run.code == 2 && run.stderr.contains(says), "{}", run.stderr);
    assert!(!Path::new(&place.at("y.npy")).exists());
}

#[test]
fn an_empty_array_is_named_by_its_file() {
    let place = Place::new(CHIP);
    npy::write(place.at("x.npy").as_ref(), &[2, 0], &[]).unwrap();
    let run = place.run(&["--weights", &place.at("w.npy")]);
    let says = "x.npy: 2 vectors of 0 inputs";
    assert!(run.code == 2 && run.stderr.contains(says), "{}", run.stderr);
}

#[test]
fn wrong_input_is_refused_with_the_place_and_nothing_is_written() {
    let cases: [(&str, &[&str], &str); 7] = [
        (
            "fidelity = \"weight\"\n",
            &["--weights", "w.npy"],
            "has no arrays",
        ),
        (CHIP, &["--weights", "short.npy"], "allowed: (N, 11)"),
        (CHIP, &["--conductances", "x.npy"], "(4, N, 11)"),
        (
            CHIP,
            &["--weights", "none.npy"],
            "none.npy: a matrix with 0",
        ),
        (
            &format!("{CHIP}[tuning]\nmethod = \"oracle\"\n"),
            &["--conductances", "g.npy"],
            "tuning.method = \"oracle\"",
        ),
        (
            &CHIP.replace("activation_bits = 4", "activation_bits = 1"),
            &["--weights", "w.npy"],
            "2 to 8",
        ),
        (
            &format!("{CHIP}[chip.adc]\nbits = 0\n"),
            &["--weights", "w.npy", "--tap", "codes"],
            "there is no such stage",
        ),
    ];
    for (chip, args, message) in cases {
        let place = Place::new(chip);
        let args: Vec<String> = args
            .iter()
            .map(|a| match a.ends_with(".npy") {
                true => place.at(a),
                false => a.to_string(),
            })
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        place.run(&args).assert_refused(&[message]);
        assert!(!Path::new(&place.at("y.npy")).exists());
    }
}

#[test]
fn a_plan_shows_arrays_and_routes() {
    let place = Place::new(&format!("{CHIP}[chip.adc]\nbits = 8\n[quantize.extra]\n"));
    // An unknown section is a mistake here as everywhere.
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/small_17.onnx");
    let run = pimento(&["inspect", text(&model), "--plan", &place.at("chip.toml")]);
    assert_eq!(run.code, 2);
    std::fs::write(
        place.at("chip.toml"),
        format!("{CHIP}[chip.adc]\nbits = 8\n"),
    )
    .unwrap();
    let run = pimento(&[
        "inspect",
        text(&model),
        "--plan",
        &place.at("chip.toml"),
        "--json",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    // 27 rows in arrays of 6, 6 columns in arrays of 3, two slices of two cells.
    let stem = &json["layers"][0];
    assert_eq!(
        (&stem["row_tiles"], &stem["column_tiles"]),
        (&5.into(), &2.into())
    );
    assert_eq!(stem["arrays"], 5 * 2 * 4);
    assert_eq!(stem["cells"], 27 * 6 * 4);
    assert_eq!(stem["route"], "counts of bits");
    std::fs::write(
        place.at("chip.toml"),
        format!("{CHIP}[chip.adc]\nbits = [8, 7]\n[layer.\"stem.?\"]\ndigital = true\n"),
    )
    .unwrap();
    let plan = place.at("chip.toml");
    let run = pimento(&["inspect", text(&model), "--plan", &plan, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["digital_layers"][0]["name"], "stem.0");
    assert_eq!(json["layers"][0]["adc_bits"], serde_json::json!([8, 7]));
    let run = pimento(&["inspect", text(&model), "--plan", &plan]);
    let first = run.stdout.lines().nth(2).unwrap();
    assert!(
        first.starts_with("stem.0 ") && first.ends_with(" digital"),
        "{}",
        run.stdout
    );
}

/// Arrays that are left of a pruned network as its experiment lays it out.
#[test]
fn a_plan_counts_the_arrays_of_a_layout() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name)).to_string();
    let chip = |layout: &str| {
        format!(
            "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 64\n[network]\nkind = \"mlp\"\nhidden = [24]\n\
             [quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 5\n\
             [train]\nepochs = 1\nbatch = 32\nactivations = [{{ kind = \"quantize\" }}]\n\
             weights = [{{ kind = \"mask\", groups = \"column-segments\", segment = 16, sparsity = 0.75 }}, {{ kind = \"quantize\" }}]\n\
             [chip.array]\nrows = 16\ncols = 6\nsplit = \"filled\"\n{layout}[chip.cells]\nslice_bits = 2\n[chip.adc]\nbits = 8\n"
        )
    };
    std::fs::write(at("plain.toml"), chip("")).unwrap();
    std::fs::write(at("packed.toml"), chip("compact = \"columns\"\n")).unwrap();
    let net = at("net.safetensors");
    let run = pimento(&["train", &at("plain.toml"), "--out", &net, "--quiet"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let plan = |chip: &str, more: &[&str]| {
        let chip = at(chip);
        let args = [&["inspect", &net, "--plan", &chip], more].concat();
        let run = pimento(&args);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    let json = |chip: &str| -> serde_json::Value {
        serde_json::from_str(&plan(chip, &["--json"])).unwrap()
    };
    // Four and two tiles of 16 rows, four and two of 6 columns, two slices of two cells.
    let plain = json("plain.toml");
    assert_eq!(plain["total"]["arrays"], (16 + 4) * 4);
    assert_eq!(plain["total"]["arrays_laid"], (16 + 4) * 4);
    assert!(!plan("plain.toml", &[]).contains("as laid out"));
    let packed = json("packed.toml");
    let first = &packed["layers"][0];
    assert_eq!(first["arrays"], 16 * 4);
    // 24 of 96 segments are left: no fewer than four tiles, and no more than one in a row of tiles more than needed.
    let laid = first["arrays_laid"].as_u64().unwrap();
    assert!((4 * 4..=7 * 4).contains(&laid), "{laid}");
    let table = plan("packed.toml", &[]);
    assert!(table.contains("as laid out"), "{table}");
    // Weights that were not trained here have no codes yet.
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/small_17.onnx");
    std::fs::write(
        at("chip.toml"),
        CHIP.replace("cols = 3\n", "cols = 3\nrearrange = \"heavy-first\"\n"),
    )
    .unwrap();
    let run = pimento(&["inspect", text(&model), "--plan", &at("chip.toml")]);
    assert!(
        run.stdout.contains("after training"),
        "{}{}",
        run.stdout,
        run.stderr
    );
}
