//! Networks that were trained here: their files are networks, and they go out with their quantizers.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Split;
use pimento::network::file::{self, Loaded};
use pimento::network::graph::{Graph, Layer};
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::lower::{CellNoise, Numerics};
use pimento::network::onnx::{self, Options};
use pimento::network::{Parameters, npy, zoo};
use pimento::program::{Activation, PoolGeometry};
use pimento::setup;
use pimento::train::{self, Job};

use super::{TOLERANCE, distance, outputs};

/// Trains a small network for an epoch and writes it.
fn trained(sections: &str, path: &std::path::Path) -> Loaded {
    let text = format!(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 300\n{sections}\n[variation]\nsigma_w = 0.1\n"
    );
    let (experiment, data) = (experiment(&text), digits());
    let point = setup::point(&experiment, &data, 0).unwrap();
    let model = train::train(&Job {
        backend: &CpuBackend::new(),
        point: &point,
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
    .unwrap_or_else(|e| panic!("{e}"));
    let key = train::training_key(&point, Default::default()).unwrap();
    train::save_model(path, &model, &key).unwrap();
    Loaded {
        tied: vec![],
        graph: model.graph,
        parameters: model.parameters,
        numerics: model.numerics,
    }
}

fn experiment(text: &str) -> Experiment {
    Experiment::parse(text, "test").unwrap_or_else(|e| panic!("{e}"))
}

/// Few of the embedded digits.
fn digits() -> Split {
    let mut data = pimento::data::Embedded::Digits8x8.load().unwrap();
    data.train = data.train.limit(300);
    data
}

/// Images of the 8x8 digits' kind.
fn images() -> Vec<f32> {
    (0..5 * 64)
        .map(|i| ((i * 37 + i / 7) % 17) as f32 / 16.0)
        .collect()
}

#[test]
fn trained_networks_are_read_and_exported_with_their_quantizers() {
    let cpu = CpuBackend::new();
    let cnn = "[network]\nkind = \"cnn\"\nchannels = [6, 8]\n[train]\nepochs = 1\n";
    let mlp = "[network]\nkind = \"mlp\"\nhidden = [20, 12]\nactivation = \"tanh\"\n[train]\nepochs = 1\n";
    let dir = tempfile::tempdir().unwrap();
    let export = std::env::var_os("PIMENTO_EXPORT_DIR").map(std::path::PathBuf::from);
    for (name, network, quantize) in [
        ("trained_float", cnn, "weight_bits = 0\nactivation_bits = 0"),
        ("trained_a8w4", cnn, "weight_bits = 4\nactivation_bits = 8"),
        (
            "trained_a4w8",
            cnn,
            "weight_bits = 8\nactivation_bits = 4\nper_channel = true\ninput_bits = 6",
        ),
        (
            "trained_signed",
            mlp,
            "weight_bits = 3\nactivation_bits = 5",
        ),
        (
            "trained_floor",
            mlp,
            "weight_bits = 4\nactivation_bits = 4\nactivation_rounding = \"floor\"",
        ),
        (
            "trained_binary",
            cnn,
            "weight_bits = 1\nactivation_bits = 1",
        ),
        (
            "trained_binary_images",
            cnn,
            "weight_bits = 1\nactivation_bits = 1\ninput_bits = 1\nbinary_group = \"image\"",
        ),
        (
            "trained_binary_inputs",
            cnn,
            "weight_bits = 1\nactivation_bits = 8\nbinary_weight_group = \"input-channel\"",
        ),
    ] {
        let path = dir.path().join(format!("{name}.safetensors"));
        let recipe = if name.ends_with("float") {
            "float"
        } else {
            "qat"
        };
        let sections = format!("{network}recipe = \"{recipe}\"\n[quantize]\n{quantize}");
        let model = trained(&sections, &path);
        let images = images();
        let want = outputs(&cpu, &model, &images);
        assert!(want.iter().any(|v| v.abs() > 1e-3), "{name}: {want:?}");
        let read = file::load(&path, false, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(read.graph, model.graph, "{name}");
        assert_eq!(outputs(&cpu, &read, &images), want, "{name}");
        if recipe == "qat" {
            // Without its quantizers it would be another network.
            let mut float = model.clone();
            float.numerics = pimento::network::lower::Numerics::FLOAT;
            float
                .parameters
                .tensors
                .retain(|name, _| !name.ends_with("_step"));
            assert!(
                distance(&outputs(&cpu, &float, &images), &want) > 1e-3,
                "{name}"
            );
        }
        let bytes = onnx::export(&read).unwrap();
        if let Some(directory) = &export {
            std::fs::write(directory.join(format!("{name}.onnx")), &bytes).unwrap();
            let array = |what: &str| directory.join(format!("{name}.{what}.npy"));
            npy::write(&array("input"), &[5, 64], &images).unwrap();
            npy::write(&array("output"), &[5, want.len() / 5], &want).unwrap();
        }
        let again = onnx::import(&bytes, name.as_ref(), &Options::default())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let far = distance(&outputs(&cpu, &again, &images), &want);
        assert!(far <= TOLERANCE, "{name}: {far:e}");
    }
}

#[test]
fn zoo_networks_go_out_and_come_back() {
    let cpu = CpuBackend::new();
    let style = zoo::Style {
        act: pimento::program::Activation::Clip { lo: 0.0, hi: 6.0 },
        max_pool: true,
        batch_norm: true,
        bias: true,
        width: 0.125,
    };
    let image: Vec<f32> = (0..3 * 32 * 32)
        .map(|i| ((i * 53) % 101) as f32 / 50.0 - 1.0)
        .collect();
    for graph in [
        zoo::mobilenetv2((3, 32, 32), 10, style),
        zoo::resnet_cifar(20, (3, 32, 32), 10, style),
        zoo::vgg11((3, 32, 32), 10, style),
    ] {
        let numerics = Numerics::FLOAT;
        let states = inference::lower(
            &graph,
            &numerics,
            Chips::Weight(&CellNoise::NONE.everywhere(&graph)),
            NormMode::Frozen,
            true,
        )
        .states;
        let parameters = Parameters::initial(&graph, &states, 7);
        let network = Loaded {
            tied: vec![],
            graph,
            parameters,
            numerics,
        };
        let again = onnx::import(
            &onnx::export(&network).unwrap(),
            "zoo.onnx".as_ref(),
            &Options::default(),
        )
        .unwrap_or_else(|e| panic!("{e}"));
        let want = outputs(&cpu, &network, &image);
        let far = distance(&outputs(&cpu, &again, &image), &want);
        assert!(far <= TOLERANCE, "{}: {far:e}", network.graph.name);
        let layers =
            |n: &Loaded| -> Vec<String> { n.graph.nodes.iter().map(|n| n.name.clone()).collect() };
        assert_eq!(layers(&again), layers(&network));
    }
}

/// Deploys a network from a file as it is.
fn deployed(path: &std::path::Path, train: &str) -> train::Model {
    deploy(path, train).unwrap_or_else(|e| panic!("{e}"))
}

fn deploy(path: &std::path::Path, train: &str) -> pimento::Result<train::Model> {
    let text = format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"file\"\nfile = \"{}\"\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 8\n[train]\n{train}\n",
        path.display()
    );
    let (experiment, data) = (experiment(&text), digits());
    train::train(&Job {
        backend: &CpuBackend::new(),
        point: &setup::point(&experiment, &data, 0)?,
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
}

/// Quantizing afterwards needs no gradient: a gate with one value a channel and a softmax inside
/// the network, which training refuses, are quantized all the same.
#[test]
fn a_network_that_cannot_be_trained_can_be_quantized_as_it_is() {
    let mut g = Graph::new("gated", 1, 8, 8);
    let a = g.conv("a", 0, 4, 3, 1, 1, 1, true);
    let whole = PoolGeometry {
        kh: 8,
        kw: 8,
        stride: [1; 2],
        pad: [0; 4],
    };
    let mean = g.pool("mean", a, whole, false);
    let gate = g.push("gate", Layer::Softmax, vec![mean], (4, 1, 1));
    let gated = g.push("gated", Layer::Multiply, vec![a, gate], (4, 8, 8));
    let act = g.activation("act", gated, Activation::Relu);
    g.linear("out", act, 10, true);
    let numerics = Numerics::FLOAT;
    let net = inference::lower(
        &g,
        &numerics,
        Chips::Weight(&CellNoise::NONE.everywhere(&g)),
        NormMode::Frozen,
        false,
    );
    let parameters = Parameters::initial(&g, &net.states, 3);
    let network = Loaded {
        tied: vec![],
        graph: g,
        parameters,
        numerics,
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gated.onnx");
    std::fs::write(&path, onnx::export(&network).unwrap()).unwrap();
    let model = deployed(&path, "recipe = \"ptq\"");
    for (node, _, _) in model.graph.crossbars() {
        let name = format!("{}.weight_step", model.graph.nodes[node].name);
        assert!(model.parameters.tensors[&name].data[0] > 0.0, "{name}");
    }
    assert_eq!(model.record.steps, 0);
}

/// The steps of a file belong to its own quantizers; without quantization, and with other
/// quantizers, they are left behind.
#[test]
fn steps_of_other_quantizers_are_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("per_channel.safetensors");
    let per_channel = "[network]\nkind = \"cnn\"\nchannels = [6, 8]\n[train]\nepochs = 1\n\
                       [quantize]\nweight_bits = 4\nactivation_bits = 8\nper_channel = true";
    let written = trained(per_channel, &path);
    assert_eq!(
        written.parameters.tensors["conv1.weight_step"].data.len(),
        6
    );
    let float = deployed(&path, "recipe = \"float\"\nepochs = 0");
    let weights = |p: &Parameters| p.tensors["conv1.weight"].clone();
    assert_eq!(weights(&float.parameters), weights(&written.parameters));
    let cpu = CpuBackend::new();
    let plain = Loaded {
        tied: vec![],
        graph: float.graph,
        parameters: float.parameters,
        numerics: float.numerics,
    };
    assert!(
        outputs(&cpu, &plain, &images())
            .iter()
            .all(|v| v.is_finite())
    );
    let nothing = deploy(&path, "recipe = \"qat\"\nepochs = 0").unwrap_err();
    let text = nothing.to_string();
    for words in [
        "6 quantizer steps `conv1.weight_step`",
        "takes 1",
        "allowed: recipe",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for recipe in ["recipe = \"ptq\"", "recipe = \"qat\"\nepochs = 1"] {
        let model = deployed(&path, recipe);
        assert_eq!(model.parameters.tensors["conv1.weight_step"].data.len(), 1);
    }
}

/// Copies of one tensor would be trained apart; deployed as they are they are right.
#[test]
fn tied_tensors_are_not_trained_apart() {
    let mut g = Graph::new("tied", 1, 8, 8);
    let a = g.conv("a", 0, 1, 3, 1, 1, 1, false);
    let b = g.conv("b", a, 1, 3, 1, 1, 1, false);
    g.linear("out", b, 10, false);
    let net = inference::lower(
        &g,
        &Numerics::FLOAT,
        Chips::Weight(&CellNoise::NONE.everywhere(&g)),
        NormMode::Frozen,
        false,
    );
    let parameters = Parameters::initial(&g, &net.states, 3);
    let network = Loaded {
        tied: vec![vec!["a.weight".into(), "b.weight".into()]],
        graph: g,
        parameters,
        numerics: Numerics::FLOAT,
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tied.safetensors");
    let bytes = file::to_safetensors(&network, &Default::default()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    deployed(&path, "recipe = \"float\"\nepochs = 0");
    let error = deploy(&path, "recipe = \"float\"\nepochs = 1").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a.weight, b.weight share one tensor"),
        "{text}"
    );
    assert_eq!(error.exit_code(), 2);
}
