//! Every model against ONNX Runtime's outputs.

use pimento::backend::cpu::CpuBackend;
use pimento::network::file::Loaded;
use pimento::network::graph::Layer;
use pimento::network::onnx::{self, Options};

use super::{
    TOLERANCE, backends, distance, golden, models, models_in, outputs, vectors, vectors_in,
};

fn load(name: &str, fold_batch_norm: bool) -> Loaded {
    let options = Options {
        fold_batch_norm,
        ..Options::default()
    };
    let path = golden().join(format!("{name}.onnx"));
    onnx::import_file(&path, &options).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn models_compute_what_onnx_runtime_computes() {
    let all = models().len();
    compare("", "models_compute_what_onnx_runtime_computes", all);
}

/// Compares all models of a directory on all backends.
fn compare(directory: &str, test: &str, at_least: usize) {
    let vectors = vectors_in(directory);
    let backends = backends(test);
    let names = models_in(directory);
    let wanted = |name: &String| vectors.tensors.contains_key(&format!("{name}.output"));
    let names: Vec<String> = names.into_iter().filter(wanted).collect();
    assert!(names.len() >= at_least);
    let mut wrong = vec![];
    for name in names {
        let path = golden().join(directory).join(format!("{name}.onnx"));
        let network = match onnx::import_file(&path, &Options::default()) {
            Ok(network) => network,
            Err(e) => {
                wrong.push(e.to_string());
                continue;
            }
        };
        let images = &vectors.tensors[&format!("{name}.input")].data;
        let want = &vectors.tensors[&format!("{name}.output")].data;
        for backend in &backends {
            let far = distance(&outputs(&**backend, &network, images), want);
            if far > TOLERANCE {
                wrong.push(format!("{name} on {}: {far:e}", backend.info().backend));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Operators on constants, integer codes, slopes for every channel, sums of many, constants beside maps.
#[test]
fn constants_and_codes_compute_what_onnx_runtime_computes() {
    compare(
        "constants",
        "constants_and_codes_compute_what_onnx_runtime_computes",
        120,
    );
}

/// Both exporters of PyTorch 2.9 by the commands of docs/from-pytorch.md.
#[test]
fn exports_of_pytorch_compute_what_onnx_runtime_computes() {
    compare(
        "torch",
        "exports_of_pytorch_compute_what_onnx_runtime_computes",
        4,
    );
    let read = |name: &str| {
        let path = golden().join("torch").join(format!("{name}.onnx"));
        onnx::import_file(&path, &Options::default())
    };
    for (name, norms) in [("new", 0), ("new_kept", 2), ("old", 0), ("old_kept", 2)] {
        let network = read(name).unwrap();
        let nodes = &network.graph.nodes;
        let is_norm = |l: &Layer| matches!(l, Layer::BatchNorm { .. });
        assert_eq!(nodes.iter().filter(|n| is_norm(&n.layer)).count(), norms);
        // Layers are called as in the model's own code.
        let crossbars = network.graph.crossbars();
        let layers: Vec<&str> = crossbars
            .iter()
            .map(|(id, ..)| nodes[*id].name.as_str())
            .collect();
        assert_eq!(
            layers,
            ["conv1", "layer1.0.conv1", "hidden", "fc"],
            "{name}"
        );
        // The momentum of the model's block is 0.3 in PyTorch's words: the rate of the statistics.
        let rates: Vec<f32> = nodes
            .iter()
            .filter_map(|n| match n.layer {
                Layer::BatchNorm { rate, .. } => Some(rate),
                _ => None,
            })
            .collect();
        assert_eq!(rates, [0.1, 0.3][..norms], "{name}");
        assert!(network.tied.is_empty());
    }
    let text = read("one_image").unwrap_err().to_string();
    assert!(text.contains("export with two images"), "{text}");
}

/// Random graphs, which `scripts/onnx_graphs.py` makes.
#[test]
fn random_graphs_compute_what_onnx_runtime_computes() {
    let vectors = vectors_in("graphs");
    let backends = backends("random_graphs_compute_what_onnx_runtime_computes");
    let names = models_in("graphs");
    assert!(names.len() >= 100);
    let mut wrong = vec![];
    for name in names {
        let images = &vectors.tensors[&format!("{name}.input")].data;
        let want = &vectors.tensors[&format!("{name}.output")].data;
        for fold in [false, true] {
            let network = load(&format!("graphs/{name}"), fold);
            for backend in &backends {
                let far = distance(&outputs(&**backend, &network, images), want);
                if far > TOLERANCE {
                    let on = backend.info().backend;
                    wrong.push(format!("{name} (folded: {fold}) on {on}: {far:e}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn folded_factors_change_nothing_but_roundings() {
    let vectors = vectors();
    let cpu = CpuBackend::new();
    for name in models() {
        let network = load(&name, true);
        let images = &vectors.tensors[&format!("{name}.input")].data;
        let want = &vectors.tensors[&format!("{name}.output")].data;
        let far = distance(&outputs(&cpu, &network, images), want);
        assert!(far <= TOLERANCE, "{name}: {far:e}");
    }
    let norms = |fold: bool| {
        let nodes = load("small_17", fold).graph.nodes;
        let is_norm = |l: &Layer| matches!(l, Layer::BatchNorm { .. });
        nodes.iter().filter(|n| is_norm(&n.layer)).count()
    };
    assert_eq!((norms(false), norms(true)), (1, 0));
}

#[test]
fn what_is_exported_is_read_back_as_the_same_network() {
    let vectors = vectors();
    let cpu = CpuBackend::new();
    let directory = std::env::var_os("PIMENTO_EXPORT_DIR").map(std::path::PathBuf::from);
    for name in models() {
        let network = load(&name, false);
        let bytes = onnx::export(&network).unwrap();
        if let Some(directory) = &directory {
            std::fs::write(directory.join(format!("{name}.onnx")), &bytes).unwrap();
        }
        let again = onnx::import(&bytes, name.as_ref(), &Options::default())
            .unwrap_or_else(|e| panic!("{e}"));
        let images = &vectors.tensors[&format!("{name}.input")].data;
        let want = outputs(&cpu, &network, images);
        let far = distance(&outputs(&cpu, &again, images), &want);
        assert!(far <= TOLERANCE, "{name}: {far:e}");
        // The layers on crossbars keep their names, and so do the chips that are made of them.
        let crossbars = |n: &Loaded| -> Vec<String> {
            let ids = n.graph.crossbars();
            ids.iter()
                .map(|(id, ..)| n.graph.nodes[*id].name.clone())
                .collect()
        };
        assert_eq!(crossbars(&again), crossbars(&network), "{name}");
    }
}

#[test]
fn names_and_shapes_are_those_of_the_model() {
    let network = load("small_17", false);
    let nodes: Vec<(&str, &str)> = network
        .graph
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.layer.kind()))
        .collect();
    assert_eq!(
        nodes[..5],
        [
            ("input", "input"),
            ("stem.0", "conv"),
            ("stem.1", "batch norm"),
            ("stem.relu", "relu"),
            ("block.dw", "depthwise conv"),
        ]
    );
    assert_eq!(nodes[nodes.len() - 1], ("head", "linear"));
    assert_eq!(network.graph.classes(), 5);
    assert_eq!(
        network.parameters.tensors["stem.0.weight"].shape,
        [6, 3, 3, 3]
    );
    // Flattening is no node, and a constant sum behind a product is its bias.
    assert!(
        !nodes.iter().any(|(_, kind)| *kind == "reshape"),
        "{nodes:?}"
    );
    let product = load("matmul_vector", false);
    assert_eq!(product.graph.nodes.len(), 2);
    // Images with channels last that are turned at once are taken with channels first.
    assert_eq!(load("channels_last", false).graph.nodes[0].shape, (3, 6, 5));
}
