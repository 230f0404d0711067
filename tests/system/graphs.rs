//! Random networks: the fused program of a sweep against the plain forward pass of training, which
//! has one operator a layer. Both run the same parameters without variation.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, RunArgs, TensorId};
use pimento::network::Parameters;
use pimento::network::graph::{Graph, Layer, NodeId};
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::lower::training::{self, Optimizer, StepParts, TrainSpec};
use pimento::network::lower::{CellNoise, Numerics, StateTensor};
use pimento::program::*;
use proptest::prelude::*;

const IMAGES: usize = 19; // a partial last block
const CLASSES: usize = 3;

/// Grows a graph from random numbers: each says which layer comes next, and on which earlier node.
fn grow(choices: &[(u8, u8)]) -> Graph {
    let mut g = Graph::new("random", 2, 6, 6);
    for (i, &(kind, place)) in choices.iter().enumerate() {
        let x = g.nodes.len() - 1 - usize::from(place) % g.nodes.len().min(4);
        add(&mut g, &format!("n{i}"), x, kind, place);
    }
    let x = g.last();
    g.linear("out", x, CLASSES, true);
    g
}

fn add(g: &mut Graph, name: &str, x: NodeId, kind: u8, place: u8) {
    let shape @ (c, h, w) = g.nodes[x].shape;
    let p = usize::from(place);
    let other = |n: &NodeId| *n != x && g.nodes[*n].shape == shape;
    let partner = (0..g.nodes.len()).rev().find(other).unwrap_or(x);
    let (layer, inputs, shape) = match kind % 16 {
        0..=2 => return conv(g, name, x, p),
        3 | 4 => {
            g.batch_norm(name, x, 1e-3);
            return;
        }
        5 => {
            g.activation(name, x, ACTIVATIONS[p % ACTIVATIONS.len()]);
            return;
        }
        6 => {
            let window = PoolGeometry {
                kh: h.min(2),
                kw: w.min(3),
                stride: [1 + p % 2, 1 + p % 2],
                pad: [0, 0, p % 2 * usize::from(h > 1), usize::from(w > 1)],
            };
            g.pool(name, x, window, p.is_multiple_of(3));
            return;
        }
        7 | 8 => (Layer::Add, vec![x, partner], shape),
        9 => (Layer::Multiply, vec![x, partner], shape),
        10 => (Layer::Affine, vec![x], shape),
        11 => (Layer::Quantize { lo: -6, hi: 7 }, vec![x], shape),
        12 => (Layer::Concat, vec![x, partner], (2 * c, h, w)),
        13 => (Layer::Softmax, vec![x], shape),
        14 => {
            let whole = PoolGeometry {
                kh: h,
                kw: w,
                stride: [1; 2],
                pad: [0; 4],
            };
            let gate = g.pool(format!("{name}.mean"), x, whole, false);
            (Layer::Multiply, vec![x, gate], shape)
        }
        _ if p.is_multiple_of(2) => (Layer::Reshape, vec![x], (w, c, h)),
        _ => {
            let n = (c * h * w) as u32;
            let table = (0..n).rev().map(|i| if i % 5 == 0 { NO_SOURCE } else { i });
            let layer = Layer::Rearrange {
                table: table.collect(),
                fill: 0.25,
            };
            (layer, vec![x], shape)
        }
    };
    g.push(name, layer, inputs, shape);
}

const ACTIVATIONS: [Activation; 8] = [
    Activation::Relu,
    Activation::Tanh,
    Activation::HardSwish,
    Activation::Abs,
    Activation::Sigmoid,
    Activation::Clip { lo: -0.5, hi: 0.8 },
    Activation::LeakyRelu { slope: 0.1 },
    Activation::HardSigmoid {
        slope: 0.2,
        offset: 0.5,
    },
];

fn conv(g: &mut Graph, name: &str, x: NodeId, p: usize) {
    let (c, h, w) = g.nodes[x].shape;
    let grouped = c.is_multiple_of(2) && p.is_multiple_of(3);
    let geo = ConvGeometry {
        c_in: c,
        h_in: h,
        w_in: w,
        c_out: 4,
        kh: h.min(3),
        kw: w.min(2),
        stride: [1 + p % 2, 1],
        dilation: [1, 1 + usize::from(w > 3)],
        pad: [p % 2, 0, 1, p % 2],
        groups: if grouped { 2 } else { 1 },
    };
    let layer = Layer::Conv {
        geo,
        bias: p.is_multiple_of(2),
    };
    g.push(name, layer, vec![x], (4, geo.h_out(), geo.w_out()));
}

/// Parameters that are all different from their neutral values.
fn parameters(graph: &Graph, states: &[StateTensor]) -> Parameters {
    let mut all = Parameters::initial(graph, states, 5);
    for (name, t) in &mut all.tensors {
        for (i, v) in t.data.iter_mut().enumerate() {
            let d = (i * 37 % 11) as f32 / 11.0;
            match name.rsplit('.').next() {
                Some("gamma" | "var" | "scale") => *v = 0.6 + d,
                Some("beta" | "mean" | "shift" | "bias") => *v = d - 0.4,
                Some("step") => *v = 0.13,
                _ => {}
            }
        }
    }
    all
}

/// `[hits, loss]` of one chip.
fn tally(
    program: &Program,
    states: &[StateTensor],
    graph: &Graph,
    [images, labels, tally]: [TensorId; 3],
    chips: &[TensorId],
    sections: &[SectionId],
) -> Vec<f32> {
    let capacity = Capacity {
        chips: 1,
        images: IMAGES,
        chunk: IMAGES,
    };
    let mut s = CpuBackend::new().prepare(program, capacity).unwrap();
    parameters(graph, states)
        .load_into(s.as_mut(), states)
        .unwrap();
    let n = IMAGES * 2 * 36;
    let pixels: Vec<f32> = (0..n)
        .map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0)
        .collect();
    s.write(images, &pixels).unwrap();
    let classes: Vec<f32> = (0..IMAGES).map(|i| (i % CLASSES) as f32).collect();
    s.write(labels, &classes).unwrap();
    for &chip in chips {
        s.write(chip, &[0.0, 1.0, 0.0, 0.0]).unwrap();
    }
    for &section in sections {
        s.run(section, &RunArgs::wave(1, 0, 1, 0..IMAGES)).unwrap();
    }
    s.read(tally).unwrap()
}

fn compare(graph: &Graph) {
    graph.check().unwrap();
    let i = inference::lower(
        graph,
        &Numerics::FLOAT,
        Chips::Weight(&CellNoise::NONE.everywhere(graph)),
        NormMode::Frozen,
        false,
    );
    let fused = tally(
        &i.program,
        &i.states,
        graph,
        [i.images, i.labels, i.tally],
        &i.chips,
        &[i.fabricate, i.clear, i.evaluate],
    );
    let spec = TrainSpec {
        parts: StepParts::default(),
        chips: 1,
        batch: IMAGES,
        noise: vec![],
        cells: None,
        passes: vec![],
        variants: vec![],
        optimizer: Optimizer::Adam { decoupled: false },
        weight_decay: 0.0,
        smoothing: 0.0,
        norm_rate: 0.1,
        frozen_norm: true,
        forward_only: true,
        accumulate: 1,
        average_rate: 0.0,
    };
    let t = training::lower(graph, &Numerics::FLOAT, &spec);
    let plain = tally(
        &t.program,
        &t.states,
        graph,
        [t.images, t.labels, t.tally],
        &t.chips,
        &[t.clear, t.calibrate],
    );
    // The same operations in another order; a value on a quantizer's threshold may move by a step.
    let per_image = (fused[1] - plain[1]).abs() / IMAGES as f32;
    let scale = 1.0 + plain[1].abs() / IMAGES as f32;
    assert!(per_image < 2e-2 * scale, "{fused:?} {plain:?} {graph:#?}");
    let quantizes = graph
        .nodes
        .iter()
        .any(|n| matches!(n.layer, Layer::Quantize { .. }));
    if !quantizes {
        assert!(per_image < 1e-4 * scale, "{fused:?} {plain:?} {graph:#?}");
    }
    // What a simplification leaves out computes nothing.
    let simple = graph.simplified();
    simple.check().unwrap();
    assert_eq!(simple.weights(), graph.weights());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_fused_network_is_the_network(choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..12)) {
        compare(&grow(&choices));
    }
}
