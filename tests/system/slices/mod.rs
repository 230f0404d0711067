//! The analysis of a network's digits, of networks with weights by hand.
//!
//! * `digits`: against loops over cells, rows and steps. * `loops`: these loops. * `circuits`: currents against circuits by hand.

mod circuits;
mod digits;
mod loops;

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::{Dataset, Split};
use pimento::network::Parameters;
use pimento::network::lower::CellNoise;
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::state::Part;
use pimento::setup;
use pimento::sweep::slices::{self, Options, Report};
use pimento::train::{Model, TrainRecord};

/// Step of all weights.
const STEP: f32 = 0.25;
/// Values of an image and classes of [`Net::two_layers`].
const PIXELS: usize = 13;
const HIDDEN: usize = 7;
const CLASSES: usize = 3;

/// A network of fully connected layers with weights by hand.
struct Net {
    /// Codes `[output][input]` of every layer, and its sizes.
    layers: Vec<(Vec<i32>, usize, usize)>,
    /// Images, bytes.
    images: Vec<u8>,
    labels: Vec<u16>,
    /// Step of the inputs of every layer.
    input_steps: Vec<f32>,
    text: String,
}

/// Numbers that look random.
fn scrambled(n: usize, seed: u32) -> impl Iterator<Item = u32> {
    (0..n as u32).map(move |i| {
        let x = (i + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed.wrapping_mul(40_503));
        (x ^ (x >> 15)).wrapping_mul(2_246_822_519) >> 16
    })
}

impl Net {
    /// 13 inputs, 7 hidden units, 3 classes; 6 images. `chip` is the rest of the experiment.
    fn two_layers(weight_bits: u32, signed: bool, chip: &str) -> Self {
        let top = (1i32 << (weight_bits.max(2) - 1)) - 1;
        let code = move |x: u32| match weight_bits {
            // One bit has no 0.
            1 => (x % 2 * 2) as i32 - 1,
            _ => (x % (2 * top as u32 + 1)) as i32 - top,
        };
        let codes = |n, seed| scrambled(n, seed).map(code).collect::<Vec<i32>>();
        let images = scrambled(6 * PIXELS, 3).map(|x| (x % 256) as u8).collect();
        let input = if signed { 0.5 / 127.0 } else { 1.0 / 255.0 };
        Self {
            layers: vec![
                (codes(PIXELS * HIDDEN, 1), HIDDEN, PIXELS),
                (codes(HIDDEN * CLASSES, 2), CLASSES, HIDDEN),
            ],
            images,
            labels: vec![0, 1, 2, 0, 1, 2],
            // No sum of the first layer is half-way between two codes of the second.
            input_steps: vec![input, 7.0 * STEP * input],
            text: format!(
                "fidelity = \"cell\"\nseed = 5\n[data]\nset = \"digits-8x8\"\nmean = {}\nstd = 1.0\n[network]\nkind = \"mlp\"\n\
                 hidden = [{HIDDEN}]\n[train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = {weight_bits}\n\
                 activation_bits = 8\ninput_bits = 8\n{chip}",
                if signed { 0.5 } else { 0.0 }
            ),
        }
    }

    /// Codes of the images by definition.
    fn input_codes(&self) -> Vec<i64> {
        let signed = self.text.contains("mean = 0.5");
        let code = |px: &u8| match signed {
            true => ((f64::from(*px) / 255.0 - 0.5) / (0.5 / 127.0)).round_ties_even() as i64,
            false => i64::from(*px),
        };
        self.images.iter().map(code).collect()
    }

    /// Input codes of every layer `[image][row]`.
    fn codes_of_layers(&self) -> Vec<Vec<i64>> {
        let mut all = vec![self.input_codes()];
        for (w, n_out, n_in) in &self.layers[..self.layers.len() - 1] {
            let x = all.last().unwrap();
            let of = |x: &[i64]| -> Vec<i64> {
                let sum = |o: usize| -> i64 {
                    let row = &w[o * n_in..][..*n_in];
                    row.iter().zip(x).map(|(w, x)| i64::from(*w) * x).sum()
                };
                let code = |n: i64| ((n.max(0) as f64) / 7.0).round_ties_even().min(255.0) as i64;
                (0..*n_out).map(|o| code(sum(o))).collect()
            };
            let next = x.chunks_exact(*n_in).flat_map(of).collect();
            all.push(next);
        }
        all
    }

    fn report(&self, options: &Options) -> Report {
        self.try_report(options).expect("analysed")
    }

    fn try_report(&self, options: &Options) -> pimento::Result<Report> {
        let shape = (1, 1, self.layers[0].2);
        let classes = self.layers.last().unwrap().1;
        let images = self.images.clone();
        let set = Dataset::new("bytes", images, self.labels.clone(), shape, classes, 255).unwrap();
        let layers = self.layers.iter().zip(&self.input_steps);
        let layers: Vec<(&[i32], f32)> = layers.map(|((w, ..), step)| (&w[..], *step)).collect();
        analysed(&self.text, set, &layers, options)
    }
}

/// Analyses a network whose first crossbar layers have these weight codes and input steps; the others have fresh weights.
fn analysed(
    text: &str,
    set: Dataset,
    layers: &[(&[i32], f32)],
    options: &Options,
) -> pimento::Result<Report> {
    let experiment = Experiment::parse(text, "test").expect("the experiment is valid");
    let data = Split::new(set.clone(), set).unwrap();
    let point = setup::point(&experiment, &data, 0).expect("a point");
    let graph = point.start.graph.clone();
    let nominal = CellNoise::NONE.everywhere(&graph);
    let chips = Chips::Weight(&nominal);
    let lowered = inference::lower(&graph, &point.numerics, chips, NormMode::Frozen, false);
    let mut parameters = Parameters::initial(&graph, &lowered.states, 1);
    for (l, (node, ..)) in graph.crossbars().into_iter().enumerate() {
        let mut set = |part: Part, values: Vec<f32>| {
            let name = part.of(&graph.nodes[node].name);
            parameters.tensors.get_mut(&name).expect(&name).data = values;
        };
        set(Part::WeightStep, vec![STEP]);
        set(Part::InputStep, vec![1.0]);
        if let Some((codes, step)) = layers.get(l) {
            let w = codes.iter().map(|q| *q as f32 * STEP);
            set(Part::Weight, w.collect());
            set(Part::InputStep, vec![*step]);
        }
    }
    let model = Model {
        graph,
        numerics: point.numerics.clone(),
        parameters,
        record: TrainRecord::default(),
    };
    slices::analyse(&CpuBackend::new(), &point, &model, options, &())
}

const SUMS: Options = Options {
    images: 0,
    chips: 0,
    current_images: 1,
    accuracy: None,
};

#[test]
fn sums_that_single_precision_does_not_hold_are_refused() {
    // 300 rows x 255 x 255 levels.
    let text = "[chip.array]\nrows = 300\n[chip.cells]\nencoding = \"offset\"\nslice_bits = 8\n[chip.dac]\nbits = 8\n";
    let mut net = Net::two_layers(8, false, text);
    net.layers = vec![(vec![1; 600], 2, 300)];
    net.images = vec![1; 600];
    net.labels = vec![0, 1];
    net.text = net
        .text
        .replace(&format!("hidden = [{HIDDEN}]"), "hidden = []");
    let error = net.try_report(&SUMS).expect_err("too large").to_string();
    for word in [
        "sums of a column of up to 19507500 levels",
        "16777216",
        "chip.array.rows",
    ] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn cells_that_hold_no_digits_are_refused() {
    let text = "[chip.cells]\nslice_bits = 2\nfill = \"equal-fill\"\n";
    let net = Net::two_layers(5, false, text);
    let error = net.try_report(&SUMS).expect_err("no digits").to_string();
    for word in [
        "layer `fc1`",
        "chip.cells.fill = \"equal-fill\"",
        "allowed: \"digits\"",
    ] {
        assert!(error.contains(word), "{error}");
    }
}
