use super::*;

/// The messages of a text that must be refused; each mistake is whole as data, too.
pub(super) fn errors(text: &str) -> Vec<String> {
    let mistakes = match Experiment::parse(text, "x.toml") {
        Err(Error::Input(mistakes)) => mistakes,
        other => panic!("expected configuration errors, got {other:?}"),
    };
    mistakes.iter().for_each(whole);
    mistakes.iter().map(Mistake::to_string).collect()
}

/// A mistake of a file has its place, one of a field its path, one of a value the value.
pub(super) fn whole(m: &Mistake) {
    assert_eq!(m.file.as_deref(), Some("x.toml"), "{m:?}");
    assert_eq!(m.line.is_some(), m.code != Code::More, "{m:?}");
    let is_twice =
        m.message().contains("there twice: point") || m.message().contains("points are there");
    let (field, value) = match m.code {
        Code::Syntax | Code::More => (false, false),
        Code::Repeated if is_twice => (false, false),
        Code::UnknownField | Code::UnknownAxis | Code::Misplaced | Code::Repeated => (true, false),
        Code::WrongType | Code::NotAllowed => (true, true),
        Code::Contradiction => (true, false),
        Code::Input
        | Code::Io
        | Code::Capacity
        | Code::Device
        | Code::Interrupted
        | Code::Internal => panic!("{m:?} is no mistake of a file"),
    };
    assert!(m.field.is_some() || !field, "{m:?}");
    assert!(m.value.is_some() || !value, "{m:?}");
    let lists = matches!(m.code, Code::NotAllowed | Code::UnknownAxis);
    assert!(m.allowed.is_some() || !lists, "{m:?}");
    let place = m
        .line
        .map_or("x.toml: ".into(), |line| format!("x.toml:{line}: "));
    assert_eq!(m.to_string(), place + &m.message());
}

#[test]
fn an_empty_file_is_the_default_experiment() {
    let e = Experiment::parse("", "x.toml").unwrap();
    assert_eq!(e, Experiment::default());
    assert_eq!(e.points().unwrap().len(), 1);
    assert_eq!(n_trainings(&e.points().unwrap()), 1);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = "name = \"a b\"
sed = 3
[train]
epochs = 0
batch = \"many\"
learningrate = 0.1
[variation]
law = \"layer-fix\"
sigma_b = -0.5
on_off_ratio = 1
[quantize]
weight_bits = 9
[sweep]
chips = 0
[[sweep.grid]]
sigmaw = [0.1]
law = [\"weight-proportional\", 3]
weight_bits = [2,
  12]
";
    let expected = [
        "x.toml:1: field `name`: value \"a b\" is not allowed; allowed: 1 to 100 letters, digits, '-', '_' or '.', no '.' at either end, no name that a system reserves",
        "x.toml:2: unknown field `sed`; did you mean `seed`? allowed: name, title, about, seed, fidelity, data, network, quantize, train, chip, variation, tuning, layer, energy, sweep, worst_case, design",
        "x.toml:4: field `train.epochs`: value 0 is not allowed; allowed: 1 to 100000",
        "x.toml:5: field `train.batch`: expected an integer, found the string \"many\"; allowed: 1 to 65536",
        "x.toml:6: unknown field `train.learningrate`; did you mean `learning_rate`? allowed: recipe, epochs, batch, optimizer, learning_rate, momentum, nesterov, weight_decay, schedule, step_epochs, step_factor, warmup_epochs, label_smoothing, chips_per_batch, accumulate, average, evaluate_every, evaluate_chips, level, rescale, variation, sigma_w, seed, calibration_batches, gradient, weights, activations, noise, loss, controllers, augment, stage",
        "x.toml:8: field `variation.law`: value \"layer-fix\" is not allowed; allowed: \"weight-proportional\", \"layer-fixed\"; did you mean \"layer-fixed\"?",
        "x.toml:9: field `variation.sigma_b`: value -0.5 is not allowed; allowed: 0 to 10",
        "x.toml:10: field `variation.on_off_ratio`: value 1 is not allowed; allowed: numbers above 1, or inf",
        "x.toml:12: field `quantize.weight_bits`: value 9 is not allowed; allowed: 0 to 8",
        "x.toml:14: field `sweep.chips`: value 0 is not allowed; allowed: 1 to 10000000",
        "x.toml:16: unknown axis `sweep.grid[0].sigmaw`; did you mean `sigma_w`? allowed: recipe, law, mapping, distribution, sigma_w, sigma_b, weight_bits, activation_bits, tuning, test_cells, estimator, reference_columns, train_variation, train_seed, epochs, network_width, train_sigma_w, or the path of a field, such as \"variation.sigma_layer\"",
        "x.toml:17: field `sweep.grid[0].law`: expected a string, found the integer 3; allowed: \"weight-proportional\", \"layer-fixed\"",
        "x.toml:19: field `sweep.grid[0].weight_bits`: value 12 is not allowed; allowed: 0 to 8",
    ];
    assert_eq!(errors(text), expected);
}

#[test]
fn syntax_errors_keep_their_place() {
    let messages = errors("seed = 1\nname = \n");
    assert!(
        messages[0].starts_with("x.toml:2: TOML parse error at line 2, column"),
        "{messages:?}"
    );
    // Not a crash, whatever the depth.
    for (before, after) in [
        ("a = ", "[".repeat(100_000)),
        ("", "a.".repeat(100_000)),
        ("[", "a.".repeat(100_000)),
    ] {
        errors(&format!("{before}{after}1"));
    }
    // The first of many, and short pieces of long lines.
    let messages = errors(&"= = =\n".repeat(20_000));
    assert_eq!(messages.len(), 21);
    assert!(messages[20].starts_with("x.toml: and "), "{}", messages[20]);
    let messages = errors(&format!("a = {}", "\u{e9}".repeat(100_000)));
    assert!(messages.iter().all(|m| m.len() < 2_000));
    let unknown: String = (0..20_000).map(|i| format!("unknown{i} = 1\n")).collect();
    assert_eq!(errors(&unknown)[100], "x.toml: and 19900 more mistakes");
}

#[test]
fn wrong_shapes_are_refused() {
    let text = "data = 3\nsweep = { grid = 4 }\ntrain.seed = -1\nvariation.wafer.die_mm = [1.0]\n";
    let expected = [
        "x.toml:1: field `data`: expected a table, found the integer 3; allowed: a table",
        "x.toml:2: field `sweep.grid`: expected an array of tables, found the integer 4; allowed: tables",
        "x.toml:3: field `train.seed`: value -1 is not allowed; allowed: 0 to 9223372036854775807",
        "x.toml:4: field `variation.wafer.die_mm`: value an array of 1 is not allowed; allowed: a list of 2 numbers",
    ];
    assert_eq!(errors(text), expected);
    assert_eq!(errors("[sweep]\nchips = 10.0\n").len(), 1);
    assert_eq!(errors("[variation]\nsigma_w = nan\n").len(), 1);
    assert_eq!(errors("[variation]\nsigma_w = inf\n").len(), 1);
    assert_eq!(errors("seed = 99999999999999999999999999\n").len(), 1);
}

#[test]
fn metrics_are_known_and_there_once() {
    let text = |metrics: &str| format!("[sweep]\nmetrics = {metrics}\n");
    for (metrics, want) in [
        (
            "[\"top3\"]",
            "value \"top3\" is not allowed; allowed: \"top5\", \"brier\"",
        ),
        ("\"top5\"", "expected an array, found the string \"top5\""),
        (
            "[\"top5\", \"top5\"]",
            "\"top5\" is there twice; allowed: every metric once",
        ),
        (
            "[\"top5\", \"brier\", \"top5\"]",
            "allowed: a list of 0 to 2",
        ),
    ] {
        let messages = errors(&text(metrics));
        let is_told =
            |m: &String| m.starts_with("x.toml:2: field `sweep.metrics`: ") && m.contains(want);
        assert!(messages.len() == 1 && is_told(&messages[0]), "{messages:?}");
    }
    // As they are written, and left out of results where there are none.
    let read = |metrics: &str| Experiment::parse(&text(metrics), "x.toml").unwrap();
    let (none, two) = (read("[]"), read("[\"brier\", \"top5\"]"));
    assert!(!none.to_toml().unwrap().contains("metrics"));
    assert_eq!(
        Experiment::parse(&two.to_toml().unwrap(), "x").unwrap(),
        two
    );
}

#[test]
fn contradictions_name_the_line_that_makes_them() {
    let cases = [
        (
            "[train]\nbatch = 100\nchips_per_batch = 7\n",
            "x.toml:3: field `train.chips_per_batch`: 7 chips do not divide",
        ),
        ("[train]\nbatch = 101\n\n[sweep]\n", ""),
        (
            "[train]\nrecipe = \"ptq-vat\"\n[quantize]\nweight_bits = 0\n",
            "x.toml:4: field `quantize.weight_bits`: 0 bits",
        ),
        (
            "[quantize]\nweight_bits = 0\n[sweep]\ngrid = [{recipe = [\"qavat\", \"ptq-vat\"]}]\n",
            "x.toml:2: field `quantize.weight_bits`: 0 bits leave nothing to quantize after training; allowed with recipe \"ptq-vat\": 1 to 8 (at the point train.recipe = ptq-vat)",
        ),
        (
            "[quantize]\nactivation_step = \"percentile\"\n[[sweep.grid]]\nsigma_w = [0, 1]\nactivation_bits = [8, 1]\n",
            "x.toml:2: field `quantize.activation_step`: \"percentile\"",
        ),
        (
            "[network]\nkind = \"mlp\"\n[[sweep.grid]]\nlaw = \"layer-fixed\"\ntuning = [\"none\",\n\"bn-recalibration\"]\n",
            "x.toml:5: field `sweep.grid[0].tuning`: \"bn-recalibration\" needs",
        ),
        (
            "[quantize]\nweight_bits = 1\nper_channel = true\nbinary_weight_group = \"input-channel\"\n",
            "x.toml:4: field `quantize.binary_weight_group`: \"input-channel\" and one step per output channel exclude each other; allowed with per_channel = true: \"layer\"",
        ),
        (
            "[variation]\non_off_ratio = 1.00000001\nmapping = \"offset\"\n",
            "x.toml:2: field `variation.on_off_ratio`: 1.00000001 leaves 1 - 1/1.00000001 = 1.0e-8 of G_max",
        ),
        ("[variation]\non_off_ratio = 1.00000001\n", ""),
        (
            "[variation.wafer]\ndie_mm = [300, 300]\n",
            "x.toml:2: field `variation.wafer.die_mm`: no die of 300 x 300 mm fits",
        ),
        (
            "[variation.wafer]\ndiameter_mm = 4\nedge_mm = 2\n",
            "x.toml:3: field `variation.wafer.edge_mm`",
        ),
        (
            "[variation.wafer]\ndie_mm = [0.1, 0.1]\n",
            "x.toml:2: field `variation.wafer.die_mm`: more than",
        ),
        (
            "[network]\nkind = \"mlp\"\nactivation = \"tanh\"\n[quantize]\nactivation_range = \"unsigned\"\n",
            "x.toml:5: field `quantize.activation_range`",
        ),
        (
            "[network]\nkind = \"lenet5\"\nhidden = [3]\n",
            "x.toml:3: field `network.hidden`: has no meaning",
        ),
        (
            "[data]\ndir = \"/tmp\"\n",
            "x.toml:2: field `data.dir`: an embedded set",
        ),
        (
            "[[sweep.grid]]\nsigma_w = []\n",
            "x.toml:2: field `sweep.grid[0].sigma_w`: an empty list",
        ),
        (
            "[[sweep.grid]]\nsigma_w = [1, 1.0]\n",
            "x.toml:2: field `sweep.grid[0].sigma_w`: value 1 is there twice",
        ),
    ];
    for (text, start) in cases {
        match Experiment::parse(text, "x.toml") {
            Ok(_) => assert_eq!(start, "", "{text}"),
            Err(error) => {
                assert_eq!(error.mistakes().len(), 1, "{text}\n{error}");
                let told = error.to_string();
                assert!(!start.is_empty() && told.starts_with(start), "{told}");
            }
        }
    }
}

#[test]
fn a_sweep_is_the_union_of_its_grids() {
    let text = "
seed = 7
[[sweep.grid]]
sigma_w = [0.1, 0.2]
recipe = [\"qat\", \"qavat\"]
[[sweep.grid]]
train_seed = 3
";
    let e = Experiment::parse(text, "x.toml").unwrap();
    let points = e.points().unwrap();
    let labels: Vec<String> = points.iter().map(Point::label).collect();
    let expected = [
        "variation.sigma_w = 0.1, train.recipe = qat",
        "variation.sigma_w = 0.1, train.recipe = qavat",
        "variation.sigma_w = 0.2, train.recipe = qat",
        "variation.sigma_w = 0.2, train.recipe = qavat",
        "train.seed = 3",
    ];
    assert_eq!(labels, expected);
    assert_eq!(points[3].experiment.variation.sigma_w, 0.2);
    assert_eq!(points[2].experiment.train.recipe, Recipe::Qat);
    assert_eq!(points[4].experiment.training_seed(), 3);
    assert!(points[4].experiment.sweep.grid.is_empty());
    // One QAT network serves both sigmas; QAVAT trains for each; the last grid has another seed.
    assert_eq!(n_trainings(&e.points().unwrap()), 4);
    let many = "[[sweep.grid]]\n".to_string()
        + &["sigma_w", "sigma_b", "train_sigma_w"]
            .map(|axis| {
                format!(
                    "{axis} = {:?}\n",
                    (0..30)
                        .map(f64::from)
                        .map(|x| x / 100.0)
                        .collect::<Vec<_>>()
                )
            })
            .concat();
    assert!(errors(&many)[0].contains("27000 points are not allowed; allowed: 1 to 10000"));
}

#[test]
fn the_profile_sets_only_defaults() {
    let text = "[quantize]\nprofile = \"reference\"\nactivation_rounding = \"nearest\"\n";
    let q = Experiment::parse(text, "x.toml").unwrap().quantize;
    assert_eq!(q.weight_step, WeightStep::LineSearch);
    assert_eq!(q.activation_range, ActivationRange::Signed);
    assert_eq!(q.activation_rounding, crate::program::Rounding::Nearest);
    assert_eq!(q.linear_inputs, LinearInputs::Float);
}

#[test]
fn writing_and_reading_gives_the_same_experiment() {
    let text = "
name = \"a\"
title = \"t\"
[data]
kind = \"idx\"
dir = \"/data\"
[network]
kind = \"mlp\"
[train]
seed = 5
sigma_w = 0.25
[variation.wafer]
sigma_field = 0.1
[[sweep.grid]]
sigma_b = [0.0, 1e-3]
law = \"layer-fixed\"
";
    let pictures = "
[data]
kind = \"archive\"
file = \"a.tar.gz\"
resize = [32, 48]
cache = false
mean = [0.5, 0.25, 0.125]
std = \"auto\"
[train.augment]
pad = 4
flip = true
rotate = 7.5
";
    let arrays = "
[data]
kind = \"npy\"
dir = \"arrays\"
train_images = \"set.npz:x\"
mean = 0.5
";
    let flat = "[network]\nkind = \"mlp\"\nhidden = []\n";
    for text in ["", text, pictures, arrays, flat] {
        let e = Experiment::parse(text, "x.toml").unwrap();
        let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
        assert_eq!(e, again);
        let json = serde_json::to_value(&e).unwrap();
        assert_eq!(json["variation"]["on_off_ratio"], "inf");
    }
}

#[test]
fn a_training_is_known_by_what_it_sees() {
    let key = |text: &str| Experiment::parse(text, "x.toml").unwrap().training();
    // Where images are and how they are kept is not of it; how they are moved is.
    let elsewhere = "[data]\nkind = \"folder\"\ndir = \"x\"\ncache = false\ntest_limit = 9\n";
    assert_eq!(key(elsewhere), key(""));
    assert_ne!(key("[train.augment]\npad = 1\n"), key(""));
    // Chips a batch is divided among change batch norm and the images used, variation or not.
    let qat = "[train]\nrecipe = \"qat\"\n";
    assert_ne!(key(&format!("{qat}chips_per_batch = 4\n")), key(qat));
    // What a profile sets is what counts.
    let by_name = "[quantize]\nprofile = \"reference\"\n";
    let one_by_one = "[quantize]\nweight_step = \"line-search\"\nactivation_rounding = \"floor\"\n\
                      activation_range = \"signed\"\nstraight_through = \"identity\"\n\
                      linear_inputs = \"float\"\n";
    assert_eq!(key(by_name), key(one_by_one));
    // The chips of held-out images are no part of the training, but of its record.
    let axes = "[sweep.axes]\n\"variation.sigma_w\" = [0.1, 0.2]\n";
    let trainings = |sections: &str| {
        let e = Experiment::parse(&format!("{sections}{axes}"), "x.toml").unwrap();
        n_trainings(&e.points().unwrap())
    };
    assert_eq!(trainings(qat), 1);
    let evaluated = format!("[data]\nvalidation = 100\n{qat}evaluate_every = 1\n");
    assert_eq!(trainings(&evaluated), 2);
}

#[test]
fn fields_of_another_kind_of_data_are_refused() {
    let cases = [
        (
            "kind = \"idx\"\nfile = \"x\"",
            "x.toml:3: field `data.file`: allowed with kind = \"archive\" only",
        ),
        (
            "kind = \"archive\"\ndir = \"x\"",
            "x.toml:3: field `data.dir`: an archive is a file; allowed: `file`",
        ),
        (
            "kind = \"idx\"\ntest_labels = \"x\"",
            "x.toml:3: field `data.test_labels`: allowed with kind = \"npy\"",
        ),
        (
            "kind = \"cifar10\"\nresize = [8, 8]",
            "x.toml:3: field `data.resize`: allowed with kind",
        ),
        (
            "kind = \"folder\"\nresize = [8, 5000]",
            "x.toml:3: field `data.resize`: value 5000 is not allowed; allowed: 1 to 4096",
        ),
        (
            "mean = \"automatic\"",
            "x.toml:2: field `data.mean`: expected a number",
        ),
        (
            "mean = []",
            "x.toml:2: field `data.mean`: value an array of 0 is not allowed",
        ),
        ("std = [1.0, 0.0]", "x.toml:2: field `data.std`: value 0"),
    ];
    for (text, says) in cases {
        let messages = errors(&format!("[data]\n{text}\n"));
        assert!(
            messages.len() == 1 && messages[0].starts_with(says),
            "{messages:?}, not {says}"
        );
    }
    let auto = Experiment::parse("[data]\nkind = \"cifar100\"\n", "x.toml").unwrap();
    assert_eq!(
        (auto.data.mean, auto.data.std),
        (Constants::Auto, Constants::Auto)
    );
}

#[test]
fn a_file_is_read_with_its_folder_and_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my exp.toml");
    std::fs::write(&path, "[data]\nkind = \"idx\"\ndir = \"mnist\"\n").unwrap();
    let e = Experiment::load(&path).unwrap();
    assert_eq!(e.name, "my-exp");
    assert_eq!(e.data.dir, Some(dir.path().join("mnist")));
    std::fs::write(&path, "[data]\nkind = \"archive\"\nfile = \"x.tar\"\n").unwrap();
    let file = Experiment::load(&path).unwrap().data.file;
    assert_eq!(file, Some(dir.path().join("x.tar")));
    // Arrays are beside the experiment where no directory is named.
    std::fs::write(&path, "[data]\nkind = \"npy\"\n").unwrap();
    let e = Experiment::load(&path).unwrap();
    assert_eq!(e.data.dir, Some(dir.path().join("")));
    assert_eq!(e.data.arrays.unwrap().test_labels, "test_labels.npy");
    std::fs::write(&path, [b'a', 0xff]).unwrap();
    let message = Experiment::load(&path).unwrap_err().to_string();
    assert!(message.contains("byte 1 is not UTF-8"), "{message}");
    std::fs::write(&path, vec![b'#'; 1 << 21]).unwrap();
    let message = Experiment::load(&path).unwrap_err().to_string();
    assert!(message.contains("at most 1048576 bytes"), "{message}");
    assert!(matches!(
        Experiment::load(dir.path().join("none.toml")),
        Err(Error::Io { .. })
    ));
}

/// A field that only some points have is no mistake at the others.
#[test]
fn what_is_read_with_its_axes_is_right_when_it_is_checked_again() {
    for text in [
        "[sweep.axes]\n\"network.kind\" = [\"mlp\", \"cnn\", \"lenet5\"]\n",
        "[chip]\npreset = \"pcm\"\n[sweep.axes]\n\"network.kind\" = [\"mlp\", \"cnn\"]\n\"variation.sigma_b\" = [0.0, 0.1]\n",
        "[[sweep.grid]]\nsigma_w = [0.1]\nweight_bits = [2, 4]\n[[sweep.grid]]\nsigma_b = [0.1]\n",
    ] {
        let e = Experiment::parse(text, "x.toml").unwrap();
        e.check().unwrap_or_else(|e| panic!("{text}: {e}"));
        for point in e.points().unwrap() {
            point
                .experiment
                .check()
                .unwrap_or_else(|e| panic!("{text}: {e}"));
        }
    }
    let mut e =
        Experiment::parse("[sweep.axes]\n\"network.kind\" = [\"mlp\", \"cnn\"]\n", "x").unwrap();
    e.variation.sigma_w = f64::NAN;
    let text = e.check().unwrap_err().to_string();
    assert!(text.contains("`variation.sigma_w`"), "{text}");
}
