//! One reference of all converters that is learned: its gradient, what it begins with, and chips that have it.

use pimento::config::Experiment;
use pimento::network::Parameters;
use pimento::network::lower::training::{self, CellTraining};
use pimento::network::lower::{ActStep, Numerics};
use pimento::setup;
use pimento::train::{self, Model};

use crate::differences::Network;
use crate::parts::digits;
use crate::{experiment, rows, train_until};

const REFERENCE: &str = "converters.reference";

/// An experiment whose converters share a reference; `activations` and `adc` say more.
fn shared(activations: &str, adc: &str, more: &str) -> Experiment {
    let own = if activations.is_empty() { "" } else { ", " };
    experiment(&format!(
        "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 240\n[network]\nkind = \"mlp\"\nhidden = [12]\n\
         [quantize]\nweight_bits = 3\nweight_step = \"max-abs\"\nactivation_bits = 4\ninput_bits = 4\n[sweep]\nchips = 3\n\
         [variation]\nsigma_w = 0.1\n[train]\nlevel = \"cell\"\nepochs = 2\nbatch = 80\nlearning_rate = 2e-2\n\
         weights = [{{ kind = \"quantize\" }}]\nactivations = [{{ kind = \"quantize\" }}{own}{activations}]\n\
         noise = [{{ kind = \"chip\" }}]\n{more}[chip.array]\nrows = 32\n[chip.cells]\nslice_bits = 1\n\
         [chip.adc]\nshared = true\n{adc}"
    ))
}

const LEARNED: &str = "{ kind = \"shared-gain\" }";

fn trained(e: &Experiment) -> Model {
    train_until(e, &digits(240), None, usize::MAX).unwrap()
}

fn reference_of(p: &Parameters) -> f32 {
    p.tensors[REFERENCE].data[0]
}

/// A layer of fine converters on arrays of several tiles, whose ranges end at a number of levels with a reference of 1. There is one layer, so that no rounding of another's inputs comes after it.
fn fine(levels: f32) -> Network {
    let text = "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [6]\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 6\n[train]\nrecipe = \"qat\"\nlevel = \"cell\"\n\
         [chip.array]\nrows = 24\n[chip.cells]\nslice_bits = 2\n[chip.dac]\nbits = 5\n[chip.adc]\nbits = 14\nshared = true\n";
    let (e, data) = (experiment(text), crate::digits());
    let point = setup::point(&e, &data, 0).unwrap();
    let mut layers = point.cell_layers().unwrap();
    layers.truncate(1);
    for layer in &mut layers {
        // A cell of two bits that conducts fully is three levels.
        layer.ranges = layer.ranges_of(levels / 3.0);
        (layer.reading.integer, layer.reading.exact) = (false, false);
    }
    let mut graph = pimento::network::graph::Graph::new("linear", 1, 8, 8);
    graph.linear("fc1", 0, 6, true);
    let mut n = Network::new(graph, None, 2);
    n.numerics = Numerics {
        act_step: ActStep::MovingMax,
        ..point.numerics.clone()
    };
    n.spec.cells = Some(CellTraining {
        layers: layers.into(),
        rescale: false,
        reference: true,
    });
    n
}

/// Where many sums clip, outputs are differentiable by the reference almost everywhere, but for codes that are 1e-4 of the
/// range.
#[test]
fn the_gradient_is_that_of_differences() {
    let of = |levels: f32| {
        let n = fine(levels);
        let t = training::lower(&n.graph, &n.numerics, &n.spec);
        let mut start = Parameters::initial(&n.graph, &t.states, 3);
        // Logits that count, and a step that does not halve the reference.
        let weights = start.tensors.get_mut("fc1.weight").unwrap();
        weights.data.iter_mut().for_each(|w| *w *= 6.0);
        let at = |reference: f32| {
            let mut p = start.clone();
            p.tensors.get_mut(REFERENCE).unwrap().data[0] = reference;
            n.step(&p)
        };
        let gradient = f64::from(1.0 - reference_of(&at(1.0).1));
        const H: f32 = 0.001;
        let numeric = (at(1.0 + H).0 - at(1.0 - H).0) / f64::from(2.0 * H);
        (gradient, numeric)
    };
    // Sums are whole numbers, of 24 rows, 3 levels and 31 steps at most: none is passed within the difference.
    for levels in [80.5, 200.5, 330.5] {
        let (gradient, numeric) = of(levels);
        assert!(numeric.abs() > 0.1, "{levels}: {numeric}");
        // Losses are sums of f32 (2e-7 / 2e-3), codes have 14 bits.
        let error = (gradient - numeric).abs();
        assert!(
            error < 0.02 * numeric.abs(),
            "{levels}: {gradient} {numeric}"
        );
    }
    // Nothing clips, and codes are fine: nothing is to be gained.
    let (gradient, _) = of(2232.5);
    assert!(gradient.abs() < 1e-3, "{gradient}");
}

/// Chips have the reference that was learned: those of converters whose range is fixed at it.
#[test]
fn chips_have_the_reference_that_was_learned() {
    let data = digits(240);
    for range in [
        "",
        "range = \"calibrated\"\n",
        "range = \"fixed\"\nlimit = 6\n",
        "codes = \"uniform\"\n",
    ] {
        let e = shared(LEARNED, &format!("bits = 5\n{range}"), "");
        let m = trained(&e);
        let reference = reference_of(&m.parameters);
        assert!(reference > 0.0, "{reference}");
        let codes = if range.contains("codes") { range } else { "" };
        let adc = format!(
            "bits = 5\n{codes}range = \"fixed\"\nlimit = {:?}\n",
            f64::from(reference)
        );
        let mut plain = m.clone();
        plain.parameters.tensors.remove(REFERENCE);
        let [a, b] =
            [(&e, &m), (&shared("", &adc, ""), &plain)].map(|(e, m)| rows(e, m, &data, 0..3));
        for (a, b) in a.iter().zip(&b) {
            // Steps of converters are rounded in another order.
            assert!(
                a.correct == b.correct && (a.loss - b.loss).abs() < 1e-4,
                "{range}: {a:?} {b:?}"
            );
        }
        // Another reference makes other chips; without one the rule of the experiment makes them.
        let mut other = m.clone();
        other.parameters.tensors.get_mut(REFERENCE).unwrap().data[0] *= 0.25;
        assert!(rows(&e, &other, &data, 0..3) != a, "{range}");
    }
}

/// It begins with what the range says of the layer that needs most.
#[test]
fn a_reference_begins_with_the_range() {
    let of = |adc: &str| {
        let mut e = shared(LEARNED, &format!("bits = 5\n{adc}"), "");
        e.train.learning_rate = 1e-9;
        reference_of(&trained(&e).parameters)
    };
    for limit in [8.0, 40.0] {
        let found = of(&format!("range = \"fixed\"\nlimit = {limit:?}\n"));
        assert!((found - limit).abs() < 1e-5 * limit, "{found}");
    }
    // 32 rows of one level, read bit by bit: 15 codes for 32 levels, each of the smallest power of two that does not clip.
    let full = of("");
    assert!((30.0..=34.0).contains(&full), "{full}");
    let calibrated = of("range = \"calibrated\"\n");
    assert!(calibrated > 1.0 && calibrated < full, "{calibrated}");
}

/// A training that is interrupted goes on with the reference that it had, also where the first one is calibrated; a further stage
/// begins anew.
#[test]
fn a_training_resumes_with_its_reference() {
    let data = digits(240);
    let stages = "[[train.stage]]\nname = \"a\"\n[[train.stage]]\nname = \"b\"\nepochs = 1\n";
    let e = shared(LEARNED, "bits = 5\nrange = \"calibrated\"\n", stages);
    let whole = trained(&e);
    let dir = tempfile::tempdir().unwrap();
    // Three steps an epoch.
    for stop in 1..=9 {
        let file = dir.path().join(format!("{stop}.partial"));
        assert!(train_until(&e, &data, Some(file.clone()), stop).is_err());
        let resumed = train_until(&e, &data, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters, "{stop}");
    }
    let file = dir.path().join("network.safetensors");
    train::save_model(&file, &whole, "a key").unwrap();
    let point = setup::point(&e, &data, 0).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let back = train::model_from_bytes(&bytes, "x", &point).unwrap();
    assert_eq!(back.parameters, whole.parameters);
    let network = pimento::network::file::load(&file, false, None).unwrap();
    assert_eq!(
        reference_of(&network.parameters),
        reference_of(&whole.parameters)
    );
}
