//! What a lowered network says about the codes that its products read.

use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::lower::{CellNoise, Numerics};
use pimento::network::zoo::{self, Style};
use pimento::program::{ActQuant, Activation, Op, Program, Rounding};
use pimento::{Error, network::Graph};

/// LeNet-5: pooling between layers, linear layers behind a flattened map.
fn lenet() -> Graph {
    let style = Style {
        act: Activation::Relu,
        max_pool: true,
        batch_norm: false,
        bias: true,
        width: 1.0,
    };
    zoo::lenet5((1, 28, 28), 10, style)
}

fn lowered(graph: &Graph, bits: u32) -> Program {
    let numerics = Numerics {
        weight_bits: 4,
        act_bits: bits,
        input_bits: bits,
        ..Numerics::FLOAT
    };
    let noise = CellNoise::NONE.everywhere(graph);
    inference::lower(
        graph,
        &numerics,
        Chips::Weight(&noise),
        NormMode::Frozen,
        true,
    )
    .program
}

/// The codes of every product of the section that classifies.
fn codes(program: &Program) -> Vec<Option<ActQuant>> {
    let sections = program.sections.iter();
    let evaluate = sections.filter(|s| s.name == "evaluate");
    let ops = evaluate.flat_map(|s| &s.ops);
    ops.filter_map(|op| match op {
        Op::Conv2d(conv) => Some(conv.codes),
        _ => None,
    })
    .collect()
}

/// What is behind the layers that are pooled at once.
fn pooled(program: &Program) -> Vec<Option<ActQuant>> {
    let ops = program.sections.iter().flat_map(|s| &s.ops);
    ops.filter_map(|op| match op {
        Op::Conv2dPool(conv) => Some(conv.quant),
        _ => None,
    })
    .collect()
}

#[test]
fn products_of_quantized_maps_know_their_codes() {
    let graph = lenet();
    for bits in [2, 8] {
        let program = lowered(&graph, bits);
        program.check().expect("a sound program");
        // Two layers are pooled at once and multiply real numbers; what they write are codes.
        let all = codes(&program);
        let at_once = pooled(&program);
        assert_eq!(all.len() + at_once.len(), graph.crossbars().len());
        let top = (1 << bits) - 1;
        for codes in all.iter().chain(&at_once) {
            let codes = codes.expect("codes behind a quantizer");
            assert_eq!((codes.lo, codes.hi), (0, top), "{bits} bits after a ReLU");
        }
        // Images may be negative.
        let ops = program.sections.iter().flat_map(|s| &s.ops);
        let mut quantizers = ops.filter_map(|op| match op {
            Op::QuantizeAct(op) => Some(op.quant),
            _ => None,
        });
        let image = quantizers.next().expect("codes of images");
        assert_eq!((image.lo, image.hi), (-(top >> 1), top >> 1));
    }
}

/// Real values, and signs with a magnitude for every channel and image, are no multiples of one step.
#[test]
fn products_of_other_maps_know_none() {
    let graph = lenet();
    for bits in [0, 1] {
        let program = lowered(&graph, bits);
        program.check().expect("a sound program");
        assert!(codes(&program).iter().all(Option::is_none), "{bits} bits");
    }
}

#[test]
fn wrong_codes_are_refused() {
    let program = lowered(&lenet(), 4);
    let wrong = |change: fn(&mut ActQuant)| {
        let mut program = program.clone();
        let ops = program.sections.iter_mut().flat_map(|s| &mut s.ops);
        let convolutions = ops.filter_map(|op| match op {
            Op::Conv2d(conv) => conv.codes.as_mut(),
            _ => None,
        });
        convolutions.for_each(change);
        match program.check() {
            Err(Error::Internal(message)) => message,
            other => panic!("{other:?}"),
        }
    };
    for change in [
        (|q| q.hi += 1) as fn(&mut ActQuant),
        |q| q.lo -= 1,
        |q| q.rounding = Rounding::Floor,
    ] {
        let message = wrong(change);
        assert!(message.contains("for codes of"), "{message}");
    }
    // A map that no quantizer wrote.
    let mut program = lowered(&lenet(), 0);
    let scale = program.tensor(
        "step",
        pimento::program::Shape::Flat(1),
        pimento::program::Scope::Shared,
        pimento::program::Role::State,
    );
    for op in program.sections.iter_mut().flat_map(|s| &mut s.ops) {
        if let Op::Conv2d(conv) = op {
            conv.codes = Some(ActQuant {
                scale,
                lo: 0,
                hi: 15,
                rounding: Rounding::Nearest,
            });
        }
    }
    let message = program.check().expect_err("no codes").to_string();
    assert!(message.contains("holds no codes"), "{message}");
}
