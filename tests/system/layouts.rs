//! Layers whose columns and rows lie in their arrays otherwise than in their matrix: what must not change does not,
//! what lies elsewhere has the chip of its new place, and what has no meaning is refused.

use pimento::chip::layer::CellLayer;
use pimento::config::Experiment;
use pimento::mapping::layout::Layout;
use pimento::network::state::Part;
use pimento::setup;
use pimento::sweep::result::ChipRow;
use pimento::train::{Model, training_key};

use crate::{digits, experiment, rows, trained};

const LAYOUTS: [&str; 7] = [
    "rearrange = \"heavy-first\"\n",
    "rearrange = \"light-first\"\n",
    "compact = \"columns\"\n",
    "compact = \"rows\"\n",
    "compact = \"smaller\"\n",
    "rearrange = \"heavy-first\"\ncompact = \"columns\"\n",
    "rearrange = \"heavy-first\"\ncompact = \"rows\"\n",
];

/// A pruned perceptron on arrays of 16 x 12.
fn on(layout: &str, chip: &str, variation: &str, groups: &str) -> Experiment {
    let own = match groups {
        "weights" => "",
        _ => ", sparsities = { fc3 = 0.2 }",
    };
    experiment(&format!(
        "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n\
         [network]\nkind = \"mlp\"\nhidden = [40, 30]\nbias = false\nbatch_norm = false\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 5\n\
         [train]\nrecipe = \"parts\"\nepochs = 4\nbatch = 64\nlearning_rate = 1e-2\n\
         weights = [{{ kind = \"mask\", groups = \"{groups}\", sparsity = 0.6{own} }}, {{ kind = \"quantize\" }}]\n\
         activations = [{{ kind = \"quantize\" }}]\n\
         [variation]\n{variation}\n[sweep]\nchips = 4\n\
         [chip.array]\nrows = 16\ncols = 12\nsplit = \"filled\"\n{layout}{chip}"
    ))
}

/// Correct images and loss of chips.
fn chips(e: &Experiment, m: &Model, range: std::ops::Range<u32>) -> Vec<(u32, f64)> {
    let rows = rows(e, m, &digits(), range).into_iter();
    rows.map(|row: ChipRow| (row.correct, row.loss)).collect()
}

/// Every cell is as good as any other where none deviates and wires are ideal: sums are the same numbers.
#[test]
fn a_layout_changes_nothing_on_a_nominal_chip() {
    for groups in ["column-segments", "row-segments"] {
        let m = trained(&on("", "", "", groups), &digits());
        for (chip, exact) in [
            ("[chip.adc]\nbits = 0\n", true),
            (
                "[chip.cells]\nslice_bits = 2\non_off_ratio = 10\n[chip.adc]\nbits = 0\n",
                true,
            ),
            (
                "[chip.cells]\nslice_bits = 2\n[chip.adc]\nbits = 10\n",
                false,
            ),
            (
                "[chip.cells]\nsubtraction = \"digital\"\n[chip.adc]\nbits = 10\ncodes = \"uniform\"\n",
                false,
            ),
        ] {
            let natural = chips(&on("", chip, "", groups), &m, 0..1);
            assert!(natural[0].0 > 270, "{:?}", natural[0]);
            for layout in LAYOUTS {
                if !exact && (layout.contains("rows") || layout.contains("smaller")) {
                    continue;
                }
                let laid = chips(&on(layout, chip, "", groups), &m, 0..1);
                if exact {
                    assert_eq!(laid, natural, "{layout} {chip}");
                    continue;
                }
                // Codes are added as integers or as floats, and batches of sums round once.
                let [a, b] = [&laid[0], &natural[0]];
                assert!((a.1 - b.1).abs() < 1e-4, "{layout} {chip}: {a:?} {b:?}");
            }
        }
    }
}

const WIRES: &str = "[chip.cells]\nslice_bits = 2\non_off_ratio = 10\n[chip.adc]\nbits = 0\n\
                     [chip.wires]\nrow_ohm = 30\ncol_ohm = 20\nrow_terminal_ohm = 100\n";

/// Wires and draws belong to places, and a chip is the same alone or in any wave.
#[test]
fn chips_with_a_layout_are_others_and_the_same_in_any_wave() {
    for groups in ["column-segments", "row-segments"] {
        let m = trained(&on("", "", "", groups), &digits());
        let (chip, variation) = (WIRES, "sigma_w = 0.2");
        let natural = chips(&on("", chip, variation, groups), &m, 0..3);
        // There is something to drop.
        let drops = |layout: &&&str| {
            (layout.contains("rows") || layout.contains("smaller")) == (groups == "row-segments")
        };
        for layout in LAYOUTS.iter().filter(drops) {
            let e = on(layout, chip, variation, groups);
            let laid = chips(&e, &m, 0..3);
            assert_ne!(laid[0].1, natural[0].1, "{layout} {chip}");
            assert_eq!(chips(&e, &m, 2..3)[0], laid[2], "{layout} {chip}");
        }
    }
}

/// A layer with its columns sorted is, on every chip, the layer of a network whose outputs are numbered so.
#[test]
fn a_rearranged_layer_is_that_of_a_network_with_sorted_outputs() {
    let groups = "weights";
    let m = trained(&on("", "", "", groups), &digits());
    // What follows is digital: it sees other sums in another order, and nothing else.
    let digital = "[layer.fc2]\ndigital = true\n[layer.fc3]\ndigital = true\n";
    let chip = format!("{WIRES}{digital}");
    let name = |part: Part, layer: &str| part.of(layer);
    let tensors = &m.parameters.tensors;
    let w = &tensors[&name(Part::Weight, "fc1")];
    let step = f64::from(tensors[&name(Part::WeightStep, "fc1")].data[0]);
    let code = |w: &f32| ((f64::from(*w) / step).round() as i32).clamp(-7, 7);
    let codes: Vec<i32> = w.data.iter().map(code).collect();
    let heavy = on(LAYOUTS[0], &chip, "sigma_w = 0.2\n", groups);
    let data = digits();
    let point = setup::point(&heavy, &data, 0).unwrap();
    let arrays = &point.cell_layers().unwrap()[0].programming.arrays;
    let layout = Layout::new(arrays, &heavy.chip.array, 1, &codes);
    let order = layout.cells.iter().step_by(64);
    let order: Vec<usize> = order.map(|cell| *cell as usize / 64).collect();
    assert!(!order.is_sorted());
    let mut sorted = m.clone();
    let own = &mut sorted.parameters.tensors;
    let columns = order.iter().flat_map(|&o| w.data[64 * o..][..64].to_vec());
    own.get_mut(&name(Part::Weight, "fc1")).unwrap().data = columns.collect();
    let next = &mut own.get_mut(&name(Part::Weight, "fc2")).unwrap().data;
    for row in next.chunks_mut(40) {
        let old = row.to_vec();
        row.iter_mut().zip(&order).for_each(|(w, &o)| *w = old[o]);
    }
    let natural = chips(&on("", &chip, "sigma_w = 0.2\n", groups), &sorted, 0..3);
    let laid = chips(&heavy, &m, 0..3);
    for (a, b) in laid.iter().zip(&natural) {
        assert!((a.1 - b.1).abs() < 1e-5, "{a:?} {b:?}");
    }
    assert_ne!(laid[0].1, laid[1].1);
}

/// A column of arrays that is dropped has no converter whose errors and noise could be read.
#[test]
fn dropped_columns_have_no_converters() {
    let text = |layout: &str| {
        format!(
            "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n\
             [network]\nkind = \"mlp\"\nhidden = [40]\nbias = false\n\
             [quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 5\n\
             [train]\nrecipe = \"parts\"\nepochs = 2\nbatch = 64\n\
             weights = [{{ kind = \"mask\", groups = \"filters\", sparsity = 0.5, sparsities = {{ fc1 = 0.5 }} }}, {{ kind = \"quantize\" }}]\n\
             activations = [{{ kind = \"quantize\" }}]\n[sweep]\nchips = 2\n\
             [chip.array]\nrows = 64\ncols = 12\nsplit = \"filled\"\n{layout}\
             [chip.adc]\nbits = 8\noffset_error = 40\nnoise = 20\n[layer.fc2]\ndigital = true\n"
        )
    };
    // The second layer keeps no weight for what the first drops, but for one model it gets some.
    let natural = experiment(&text(""));
    let m = trained(&natural, &digits());
    let mut listening = m.clone();
    let w = &m.parameters.tensors[&Part::Weight.of("fc1")].data;
    let gone: Vec<bool> = w.chunks(64).map(|c| c.iter().all(|w| *w == 0.0)).collect();
    assert_eq!(gone.iter().filter(|gone| **gone).count(), 20);
    let next = &mut listening
        .parameters
        .tensors
        .get_mut(&Part::Weight.of("fc2"))
        .unwrap()
        .data;
    let largest = next.iter().fold(0f32, |max, w| max.max(w.abs()));
    for (i, w) in next.iter_mut().enumerate() {
        if gone[i % 40] {
            *w = if i / 40 % 2 == 0 { largest } else { -largest };
        }
    }
    let chip = |e: &Experiment, m: &Model| chips(e, m, 0..2);
    assert_ne!(chip(&natural, &listening), chip(&natural, &m));
    let compact = experiment(&text("compact = \"columns\"\n"));
    assert_eq!(chip(&compact, &listening), chip(&compact, &m));
}

/// A training does not see a layout, and layers of a training at cell level have none.
#[test]
fn a_layout_is_no_part_of_a_training() {
    let data = digits();
    let key = |layout: &str| {
        let e = on(
            layout,
            "[layer.fc1.chip.array]\nrearrange = \"light-first\"\n",
            "",
            "weights",
        );
        let mut e = e;
        e.train.level = pimento::config::Fidelity::Cell;
        let point = setup::point(&e, &data, 0).unwrap();
        training_key(&point, Default::default()).unwrap()
    };
    assert_eq!(key(LAYOUTS[5]), key(""));
    let plain = on("", "", "", "weights");
    let point = setup::point(&plain, &data, 0).unwrap();
    let layers = point.cell_layers().unwrap();
    assert!(
        layers
            .iter()
            .all(|layer: &CellLayer| layer.layout.is_none())
    );
}

#[test]
fn layouts_without_a_meaning_are_refused() {
    let told = |chip: &str, more: &str| {
        let text = format!(
            "fidelity = \"cell\"\n[quantize]\ninput_bits = 8\n{more}[chip.array]\nsplit = \"filled\"\n{chip}"
        );
        Experiment::parse(&text, "x").map_or_else(|e| e.to_string(), |_| String::new())
    };
    let rearrange = "rearrange = \"heavy-first\"\n";
    let columns = "compact = \"columns\"\n";
    assert_eq!(told(rearrange, ""), "");
    assert_eq!(told(columns, ""), "");
    for (chip, more, want) in [
        (
            "rearrange = \"heavy\"\n",
            "",
            "x:6: field `chip.array.rearrange`: value \"heavy\" is not allowed; allowed: \"none\", \"heavy-first\", \
             \"light-first\"; did you mean \"heavy-first\"?",
        ),
        (
            rearrange,
            "[tuning]\nmethod = \"self-tuning\"\n",
            "x:8: field `chip.array.rearrange`: \"self-tuning\" corrects arrays whose columns lie as in the layer; allowed with \
             another layout: tuning.method \"none\", \"bn-recalibration\", \"bn-training\"",
        ),
        (
            "rearrange = \"heavy-first\"\n[chip.cells]\nstorage = \"f16\"\n",
            "",
            "x:6: field `chip.array.rearrange`: chip.cells.storage = \"f16\" is not simulated with another layout; allowed: \
             \"none\", or chip.cells.storage = \"f32\"",
        ),
        (
            "compact = \"columns\"\n[chip.cells]\nencoding = \"offset\"\n",
            "",
            "x:6: field `chip.array.compact`: a weight of 0 is no cell at its lowest level here, and to leave it out changes \
             sums; allowed: \"none\", or chip.cells.encoding = \"differential\" with two_sided = false",
        ),
        (
            "compact = \"rows\"\n",
            "",
            "x:6: field `chip.array.compact`: \"rows\" moves rows to other converters, which is not simulated; allowed: \
             \"none\", \"columns\", or chip.adc.bits = 0",
        ),
        ("compact = \"rows\"\n[chip.adc]\nbits = 0\n", "", ""),
        (
            columns,
            "[energy]\n",
            "x:7: field `chip.array.compact`: \"columns\" leaves arrays out, and [energy] counts those of whole matrices; allowed: \
             \"none\", or no section [energy]",
        ),
        (rearrange, "[energy]\n", ""),
    ] {
        assert_eq!(told(chip, more), want, "{chip} {more}");
    }
    let even =
        "fidelity = \"cell\"\n[quantize]\ninput_bits = 8\n[chip.array]\ncompact = \"columns\"\n";
    let text = Experiment::parse(even, "x").unwrap_err().to_string();
    assert_eq!(
        text,
        "x:5: field `chip.array.compact`: \"columns\" fills arrays, and chip.array.split = \"even\" does not; allowed: \
         \"none\", or chip.array.split = \"filled\""
    );
    let weight = "[chip.array]\nrearrange = \"heavy-first\"\n";
    let text = Experiment::parse(weight, "x").unwrap_err().to_string();
    assert_eq!(
        text,
        "x:2: field `chip.array.rearrange`: there are no arrays at fidelity \"weight\" in which columns could lie otherwise; \
         allowed: \"none\", or fidelity \"cell\""
    );
}
