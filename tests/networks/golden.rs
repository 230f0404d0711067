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
    let vectors = vectors();
    let backends = backends("models_compute_what_onnx_runtime_computes");
    let mut wrong = vec![];
    for name in models() {
        let network = load(&name, false);
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
