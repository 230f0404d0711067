use super::*;
use crate::config::chip::AdcBits;
use crate::config::tests::errors;
use crate::config::{Fidelity, Mapping, Recipe};

fn read(text: &str) -> Experiment {
    let e = Experiment::parse(text, "x.toml").unwrap_or_else(|e| panic!("{e}"));
    e.check().unwrap();
    let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
    assert_eq!(again, e);
    e
}

const MLP: &str = "[network]\nkind = \"mlp\"\n";

#[test]
fn a_layer_has_what_its_sections_say_and_else_what_the_experiment_says() {
    let e = read(
        "[quantize]\nweight_bits = 3\n[variation]\nsigma_w = 0.2\n\
         [layer.conv1]\nweight_bits = 8\n\
         [layer.\"conv*\"]\nactivation_bits = 5\nweight_bits = 2\n\
         [layer.fc]\ndigital = true\n\
         [layer.fc.variation]\nmapping = \"differential\"\non_off_ratio = inf\n\
         [layer.conv2.chip.adc]\nbits = 6\n",
    );
    let bits = |name: &str| {
        let q = e.of_layer(name).unwrap().quantize;
        (q.weight_bits, q.activation_bits)
    };
    assert_eq!(bits("conv1"), (8, 5));
    assert_eq!(bits("conv2"), (2, 5));
    assert_eq!(bits("other"), (3, 8));
    let fc = e.of_layer("fc").unwrap();
    assert!(fc.digital && !e.of_layer("conv1").unwrap().digital);
    assert_eq!(
        (fc.variation.mapping, fc.variation.sigma_w),
        (Mapping::Differential, 0.2)
    );
    let adc = |name: &str| e.of_layer(name).unwrap().chip.adc.bits;
    assert_eq!(adc("conv2"), AdcBits::Same(6));
    assert_eq!(adc("conv1"), AdcBits::Same(8));
    assert_eq!(
        e.of_layer("other").unwrap(),
        LayerSettings::usual(&e, "other")
    );
}

#[test]
fn a_name_beats_patterns_and_longer_patterns_beat_shorter_ones_in_any_order() {
    let sections = [
        "[layer.\"*\"]\nweight_bits = 1\n",
        "[layer.\"layer2.*\"]\nweight_bits = 2\n",
        "[layer.\"layer2.?.conv1\"]\nweight_bits = 5\n",
        "[layer.\"layer2.0.conv1\"]\nweight_bits = 7\n",
    ];
    for turn in 0..sections.len() {
        let mut text = sections;
        text.rotate_left(turn);
        let e = read(&text.concat());
        let bits = |name: &str| e.of_layer(name).unwrap().quantize.weight_bits;
        assert_eq!(bits("layer2.0.conv1"), 7);
        assert_eq!(bits("layer2.1.conv1"), 5);
        assert_eq!(bits("layer2.1.conv2"), 2);
        assert_eq!(bits("fc"), 1);
    }
    let e = read("[layer.\"conv*\"]\nweight_bits = 2\n[layer.\"*v1_b\"]\nweight_bits = 3\n");
    assert_eq!(e.of_layer("conv2").unwrap().quantize.weight_bits, 2);
    let text = e.of_layer("conv1_b").unwrap_err().to_string();
    assert!(
        text.contains(
            "`layer.\"*v1_b\"` and `layer.\"conv*\"` both set `weight_bits` of layer `conv1_b`"
        ),
        "{text}"
    );
    let agree = read("[layer.\"conv*\"]\nweight_bits = 3\n[layer.\"*v1_b\"]\nweight_bits = 3\n");
    assert_eq!(agree.of_layer("conv1_b").unwrap().quantize.weight_bits, 3);
}

#[test]
fn names_of_no_layer_are_refused_with_the_names_there_are() {
    let e = read("[layer.conv]\nweight_bits = 2\n[layer.\"fc*\"]\nweight_bits = 2\n");
    e.layer.check_names(&["conv", "fc1"]).unwrap();
    let text = e
        .layer
        .check_names(&["conv1", "fc1"])
        .unwrap_err()
        .to_string();
    assert!(
        text == "x.toml:1: field `layer.conv`: the network has no such layer on crossbars; allowed: conv1, fc1; did you mean \"conv1\"?",
        "{text}"
    );
    assert!(e.layer.check_names(&["conv", "linear"]).is_err());
}

#[test]
fn mistakes_are_told_at_their_lines() {
    let cell = "fidelity = \"cell\"\n[quantize]\nweight_bits = 8\ninput_bits = 8\n";
    let cases = [
        (
            "[layer.conv1]\nweight_bits = 9\n".to_string(),
            "x.toml:2: field `layer.conv1.weight_bits`: value 9 is not allowed; allowed: 0 to 8",
        ),
        (
            "[layer.conv1]\nweight_bit = 4\n".into(),
            "x.toml:2: unknown field `layer.conv1.weight_bit`; did you mean `weight_bits`?",
        ),
        (
            "[layer.conv1]\nprofile = \"reference\"\n".into(),
            "x.toml:2: unknown field `layer.conv1.profile`",
        ),
        (
            "[layer.conv1.chip.adc]\nshared = true\n".into(),
            "x.toml:2: unknown field `layer.conv1.chip.adc.shared`; did you mean `sharing`? allowed: bits, range",
        ),
        (
            "[layer.conv1.variation]\nsigma_b = 0.1\n".into(),
            "x.toml:2: unknown field `layer.conv1.variation.sigma_b`",
        ),
        (
            "[layer.conv1.chip.array]\nrow = 4\n".into(),
            "x.toml:2: unknown field `layer.conv1.chip.array.row`; did you mean `rows`?",
        ),
        (
            "[layer.conv1]\nchip = 4\n".into(),
            "x.toml:2: field `layer.conv1.chip`: expected a table, found the integer 4",
        ),
        (
            "[layer]\nconv1 = 4\n".into(),
            "x.toml:2: field `layer.conv1`: expected a table, found the integer 4",
        ),
        (
            "layer = 1\n".into(),
            "x.toml:1: field `layer`: expected a table",
        ),
        (
            "[layer.'a\"b']\nweight_bits = 4\n".into(),
            "no name of a layer; allowed: 1 to 200 characters",
        ),
        (
            format!("{cell}[layer.\"conv*\"]\nweight_bits = 0\n"),
            "x.toml:6: field `layer.\"conv*\".weight_bits`: weights of 0 bits leave no code to put into cells",
        ),
        (
            format!("{cell}[layer.conv1.chip.adc]\nbits = [4, 4]\n"),
            "x.toml:6: field `layer.conv1.chip.adc.bits`: 2 numbers of bits for 1 slice",
        ),
        // The digits that the slices hold are what the experiment's bits do not fit.
        (
            format!(
                "{cell}[chip.cells]\nslice_bits = 4\n[chip.adc]\nbits = [4, 4]\n\
                 [layer.conv1.chip]\narray.rows = 4\n[layer.conv1.chip.cells]\nslice_bits = 8\n"
            ),
            "x.toml:12: field `layer.conv1.chip.cells.slice_bits`: 2 numbers of bits for 1 slice",
        ),
    ];
    for (text, want) in cases {
        let messages = errors(&text);
        assert!(
            messages.len() == 1 && messages[0].contains(want),
            "{text}: {messages:?}"
        );
    }
    // A digital layer needs no cells.
    read(&format!(
        "{cell}[layer.conv1]\nweight_bits = 0\ndigital = true\n"
    ));
}

#[test]
fn sections_that_are_right_alone_may_be_wrong_together() {
    let cell = "fidelity = \"cell\"\n[quantize]\nweight_bits = 8\ninput_bits = 8\n";
    let e = read(&format!(
        "{cell}[layer.\"c*\".chip.cells]\nslice_bits = 4\n[layer.\"conv1\".chip.adc]\nbits = [4]\n\
         range = \"full\"\n"
    ));
    let text = e.of_layer("conv1").unwrap_err().to_string();
    assert!(
        text.contains("field `layer.conv1.chip.adc.bits`: 1 number of bits for 2 slices"),
        "{text}"
    );
    e.of_layer("c2").unwrap();
}

#[test]
fn settings_of_layers_are_axes() {
    let text = format!(
        "{MLP}[layer.\"linear1\"]\nactivation_bits = 4\n[sweep.axes]\n\
         'layer.\"linear1\".weight_bits' = [2, 4]\n\
         layer.\"linear*\".variation.sigma_w = [0.0, 0.1]\n\
         \"layer.linear2.digital\" = [false, true]\n"
    );
    let e = read(&text);
    assert_eq!(
        e.axis_paths(),
        [
            "layer.linear1.weight_bits",
            "layer.\"linear*\".variation.sigma_w",
            "layer.linear2.digital"
        ]
    );
    let points = e.points().unwrap();
    assert_eq!(points.len(), 8);
    let last = &points[7];
    assert_eq!(
        last.label(),
        "layer.linear1.weight_bits = 4, layer.\"linear*\".variation.sigma_w = 0.1, layer.linear2.digital = true"
    );
    let one = last.experiment.of_layer("linear1").unwrap();
    assert_eq!(
        (one.quantize.weight_bits, one.quantize.activation_bits),
        (4, 4)
    );
    assert_eq!(one.variation.sigma_w, 0.1);
    assert!(last.experiment.of_layer("linear2").unwrap().digital);
    let settings = last
        .settings(&["layer.linear1.activation_bits".into()])
        .unwrap();
    assert_eq!(settings["layer.linear1.activation_bits"], 4);
    let wrong = text.replace("[2, 4]", "[2, 9]");
    let messages = errors(&wrong);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].starts_with(
            "x.toml:6: field `sweep.axes.layer.\"linear1\".weight_bits`: value 9 is not allowed"
        ),
        "{messages:?}"
    );
    let wrong = text.replace("linear2.digital", "linear2.digit");
    assert!(
        errors(&wrong)[0].contains("unknown field `layer.linear2.digit`"),
        "{:?}",
        errors(&wrong)
    );
}

#[test]
fn a_training_is_known_by_what_it_sees_of_layers() {
    let text = "[layer.a]\nweight_bits = 2\ndigital = true\n[layer.a.chip.adc]\nbits = 4\n\
                [layer.b.variation]\nsigma_w = 0.3\n";
    let mut e = read(text);
    let seen = |e: &Experiment| -> Vec<String> {
        let layers = e.training().layer;
        let fields = [
            "weight_bits",
            "digital",
            "chip.adc.bits",
            "variation.sigma_w",
        ];
        let fields = fields.into_iter().filter(|field| layers.sets(field));
        fields.map(String::from).collect()
    };
    assert_eq!(seen(&e), ["weight_bits", "digital", "variation.sigma_w"]);
    e.train.sigma_w = Some(0.1);
    assert_eq!(seen(&e), ["weight_bits", "digital"]);
    e.train.recipe = Recipe::Qat;
    assert_eq!(seen(&e), ["weight_bits"]);
    e.train.level = Fidelity::Cell;
    assert_eq!(seen(&e), ["weight_bits", "digital", "chip.adc.bits"]);
    (e.train.recipe, e.train.level) = (Recipe::Float, Fidelity::Weight);
    assert_eq!(seen(&e), [""; 0]);
    assert!(e.layers_evaluated_on().is_empty());
    (e.data.validation, e.train.evaluate_every) = (10, 1);
    assert!(e.layers_evaluated_on().sets("variation.sigma_w"));
}

/// Every field that is offered is one, so that the list follows when a field is renamed.
#[test]
fn what_is_offered_exists() {
    let tables = crate::config::reference::tables();
    let paths: Vec<&str> = tables
        .iter()
        .flat_map(|t| {
            t.fields
                .iter()
                .map(|f| f.path.as_str())
                .chain([t.path.as_str()])
        })
        .collect();
    for field in &OFFERED[OWN..] {
        let whole = match field.contains('.') {
            true => field.to_string(),
            false => format!("quantize.{field}"),
        };
        assert!(paths.contains(&whole.as_str()), "{field}");
    }
}
