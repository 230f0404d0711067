//! Tests of all kernels without a device: every variant that any program can ask for is joined,
//! parsed and validated by naga, and its uniform block has the layout that naga computes.

use std::collections::HashSet;

use naga::valid::Capabilities;

use super::cooperative::Matrices;
use super::dispatch::{Dispatch, LowerContext, OnGpu};
use super::peak;
use super::shader;
use crate::backend::{Kernels, Products};
use crate::choice::Choice;
use crate::program::*;

const CAPACITY: Capacity = Capacity {
    chips: 3,
    images: 40,
    chunk: 24,
};

/// Parses and validates a joined kernel; panics with file and line.
fn validate(dispatch: &Dispatch) -> naga::Module {
    let source = shader::compose(dispatch.shader, &shader::prelude(&dispatch.consts))
        .unwrap_or_else(|e| panic!("{}: {e}", dispatch.shader));
    let module = naga::front::wgsl::parse_str(&source.text).unwrap_or_else(|e| {
        let line = e.location(&source.text).map_or(0, |l| l.line_number);
        let text = e.emit_to_string_with_path(&source.text, dispatch.shader);
        panic!("{}\n{text}", source.origin(line as usize))
    });
    let matrices = shader::cooperative(&source.text);
    let capabilities = match matrices {
        true => Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX,
        false => Capabilities::empty(),
    };
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
    if let Err(e) = validator.validate(&module) {
        let line = e.location(&source.text).map_or(0, |l| l.line_number);
        let text = e.emit_to_string_with_path(&source.text, dispatch.shader);
        panic!("{}\n{text}", source.origin(line as usize));
    }
    assert!(
        module.entry_points.iter().any(|e| e.name == dispatch.entry),
        "{}: no entry point {}",
        dispatch.shader,
        dispatch.entry
    );
    check_bindings(dispatch, &module);
    layout::check(dispatch, &module);
    rounds::check(dispatch, &module);
    browsers::write(dispatch, &source);
    module
}

/// The bindings of the text are those of the dispatch, within WebGPU's guarantees.
fn check_bindings(dispatch: &Dispatch, module: &naga::Module) {
    use super::dispatch::Access;
    let (mut found, mut storage, mut numbers) = (0, 0, 0);
    for (_, global) in module.global_variables.iter() {
        let Some(binding) = global.binding.as_ref().map(|b| b.binding) else {
            continue;
        };
        let seen = match global.space {
            naga::AddressSpace::Storage { access } => {
                storage += 1;
                match access.contains(naga::StorageAccess::STORE) {
                    true => Access::Write,
                    false => Access::Read,
                }
            }
            _ if binding < 2 => continue,
            _ if binding as usize >= 2 + dispatch.buffers.len() => {
                numbers += 1;
                continue;
            }
            _ => Access::Window,
        };
        let (_, declared) = dispatch
            .buffers
            .get(binding as usize - 2)
            .unwrap_or_else(|| panic!("{}: binding {binding} is not given", dispatch.shader));
        assert_eq!(
            seen, *declared,
            "{}: access of binding {binding}",
            dispatch.shader
        );
        found += 1;
    }
    let windows = dispatch.windows.len();
    let expected = if windows > 0 { windows + 1 } else { 0 };
    assert_eq!(numbers, expected, "{}: numbers of pieces", dispatch.shader);
    assert_eq!(
        found,
        dispatch.buffers.len(),
        "{}: bindings",
        dispatch.shader
    );
    assert!(
        storage <= 8,
        "{}: {storage} storage buffers",
        dispatch.shader
    );
    let uniforms = 2 + windows + numbers;
    assert!(uniforms <= 12, "{}: {uniforms} uniforms", dispatch.shader);
    assert!(windows + numbers <= 8, "{}: offsets", dispatch.shader);
    check_workgroups(dispatch.shader, module);
}

/// Workgroups are within WebGPU's guarantees.
fn check_workgroups(shader: &str, module: &naga::Module) {
    let globals = module.global_variables.iter();
    let bytes: u32 = globals
        .filter(|(_, global)| global.space == naga::AddressSpace::WorkGroup)
        .map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx()))
        .sum();
    assert!(
        bytes <= 16384,
        "{shader}: {bytes} bytes of workgroup memory"
    );
    for entry in &module.entry_points {
        let threads: u32 = entry.workgroup_size.iter().product();
        assert!(threads <= 256, "{shader}: {threads} threads");
    }
}

fn context(program: &Program, windows: bool, kernels: Kernels) -> LowerContext<'_> {
    LowerContext {
        program,
        capacity: CAPACITY,
        windows,
        rounds: u64::MAX,
        kernels,
        matrices: None,
        products: Products::Winograd,
    }
}

/// Contexts that take cooperative matrices of either side, with subgroups of different sizes.
fn matrices(program: &Program) -> [LowerContext<'_>; 2] {
    [(8, 8), (16, 32)].map(|(side, threads)| LowerContext {
        matrices: Some(Matrices { side, threads }),
        ..context(program, false, Kernels::Cooperative)
    })
}

/// Lowers every operator of a program and validates every kernel that comes out.
fn validate_program(program: &Program) {
    let mut seen = HashSet::new();
    let kinds = [
        (false, Kernels::Portable),
        (true, Kernels::Portable),
        (false, Kernels::Tiled),
    ];
    let contexts = kinds.map(|(windows, kernels)| context(program, windows, kernels));
    for cx in contexts.into_iter().chain(matrices(program)) {
        for op in program.sections.iter().flat_map(|s| &s.ops) {
            for dispatch in
                with_operator!(op, o => o.lower(&cx)).unwrap_or_else(|e| panic!("{op:?}: {e}"))
            {
                if seen.insert((dispatch.shader, shader::prelude(&dispatch.consts))) {
                    validate(&dispatch);
                }
            }
        }
    }
}

/// Every non-linearity.
const ACTIVATIONS: [Activation; 11] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Tanh,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Clip { lo: 0.0, hi: 6.0 },
    Activation::Sigmoid,
    Activation::HardSigmoid {
        slope: 0.2,
        offset: 0.5,
    },
    Activation::HardSwish,
    Activation::Abs,
    Activation::Sign,
    Activation::Floor,
];

/// Every combination of an epilogue's parts.
fn posts(program: &mut Program, shape: Shape) -> Vec<Post> {
    let c = Shape::Flat(shape.chw().0);
    let scale = program.tensor("scale", c, Scope::PerChip, Role::State);
    let shift = program.tensor("shift", c, Scope::Shared, Role::State);
    let residual = program.tensor("residual", shape, Scope::Shared, Role::Input);
    let step = program.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
    let mut posts = Vec::new();
    for bits in 0..8 {
        for act in ACTIVATIONS {
            for rounding in [None, Some(Rounding::Nearest), Some(Rounding::Floor)] {
                posts.push(Post {
                    scale: (bits & 1 != 0).then_some(scale),
                    shift: (bits & 2 != 0).then_some(shift),
                    residual: (bits & 4 != 0).then_some(residual),
                    act,
                    quant: rounding.map(|rounding| ActQuant {
                        scale: step,
                        lo: -7,
                        hi: 7,
                        rounding,
                    }),
                });
            }
        }
    }
    posts
}

#[test]
fn pointwise_and_add_are_valid() {
    let mut p = Program::default();
    let shape = Shape::Image { c: 3, h: 2, w: 5 };
    let x = p.tensor("x", shape, Scope::Shared, Role::Input);
    let y = p.tensor("y", shape, Scope::PerChip, Role::Output);
    let mut ops = vec![Op::from(Add { a: x, b: x, y })];
    for post in posts(&mut p, shape) {
        ops.push(Op::from(Pointwise { x, y, post }));
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn convolutions_are_valid() {
    let mut p = Program::default();
    let conv = ConvGeometry {
        h_in: 5,
        w_in: 6,
        kh: 3,
        kw: 2,
        stride: [2, 3],
        dilation: [1, 2],
        pad: [1, 0, 2, 1],
        groups: 2,
        ..ConvGeometry::linear(4, 6)
    };
    let mut ops = Vec::new();
    let depthwise = ConvGeometry {
        h_in: 5,
        w_in: 6,
        kh: 3,
        kw: 3,
        groups: 4,
        ..ConvGeometry::linear(4, 4)
    };
    // The last two for tiles of every size.
    let sizes = [6, 30, 60].map(|channels| ConvGeometry::linear(4, channels));
    // With fewer products, for tiles of both sizes.
    let fewer = [16, 30].map(|channels| ConvGeometry {
        groups: 1,
        c_in: channels,
        c_out: channels,
        pad: [1; 4],
        ..depthwise
    });
    for geo in [conv, depthwise].into_iter().chain(sizes).chain(fewer) {
        let [input, output] = [
            (geo.c_in, geo.h_in, geo.w_in),
            (geo.c_out, geo.h_out(), geo.w_out()),
        ]
        .map(|(c, h, w)| Shape::Image { c, h, w });
        let x = p.tensor("x", input, Scope::Shared, Role::Input);
        let dx = p.tensor("dx", input, Scope::PerChip, Role::Output);
        let y = p.tensor("y", output, Scope::PerChip, Role::Output);
        let weights = Shape::Flat(geo.weights());
        let w = p.tensor("w", weights, Scope::PerChip, Role::State);
        let dw = p.tensor("dw", weights, Scope::Shared, Role::State);
        let scale = p.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
        let codes = Some(ActQuant {
            scale,
            lo: 0,
            hi: 255,
            rounding: Rounding::Nearest,
        });
        for post in posts(&mut p, output) {
            ops.push(Op::from(Conv2d {
                x,
                w,
                y,
                geo,
                post,
                codes,
            }));
        }
        ops.push(Op::from(Conv2dGradInput { dy: y, w, dx, geo }));
        ops.push(Op::from(Conv2dGradWeight { x, dy: y, dw, geo }));
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn the_rest_of_a_network_is_valid() {
    let mut p = Program::default();
    let shape = Shape::Image { c: 3, h: 4, w: 4 };
    let half = Shape::Image { c: 3, h: 2, w: 2 };
    let one = Shape::Image { c: 1, h: 1, w: 1 };
    let x = p.tensor("x", shape, Scope::PerChip, Role::Input);
    let dx = p.tensor("dx", shape, Scope::PerChip, Role::Output);
    let y = p.tensor("y", half, Scope::PerChip, Role::Output);
    let dy = p.tensor("dy", half, Scope::PerChip, Role::Output);
    let scale = p.tensor("scale", Shape::Flat(3), Scope::Shared, Role::State);
    let tally = p.tensor("tally", Shape::Flat(2), Scope::PerChip, Role::State);
    let loss = p.tensor("loss", one, Scope::PerChip, Role::Output);
    let hit = p.tensor("hit", one, Scope::PerChip, Role::Output);
    let labels = p.tensor("labels", one, Scope::Shared, Role::Input);
    let channel = Shape::Image { c: 3, h: 1, w: 1 };
    let gate = p.tensor("gate", channel, Scope::Shared, Role::Input);
    let geo = PoolGeometry {
        kh: 2,
        kw: 2,
        stride: [2; 2],
        pad: [0; 4],
    };
    let mut ops = vec![
        Op::from(MaxPool { x, y, geo }),
        Op::from(MaxPoolGrad { x, y, dy, dx, geo }),
        Op::from(AvgPool { x, y, geo }),
        Op::from(AvgPoolGrad { dy, dx, geo }),
        Op::from(ChannelSum { x, y: scale }),
        Op::from(Multiply { a: x, b: x, y: dx }),
        Op::from(Multiply {
            a: x,
            b: gate,
            y: dx,
        }),
        Op::from(Softmax { x, y: dx }),
        Op::from(Rearrange {
            x,
            y: dx,
            first: 1,
            table: [3, NO_SOURCE].into(),
            fill: 0.5,
        }),
        Op::from(Tally {
            values: vec![hit, loss],
            tally,
        }),
    ];
    for dlogits in [None, Some(dx)] {
        ops.push(Op::from(SoftmaxXent {
            logits: x,
            labels,
            loss,
            hit,
            dlogits,
            smoothing: 0.1,
            apart: false,
        }));
    }
    for act in ACTIVATIONS {
        for scale in [None, Some(scale)] {
            ops.push(Op::from(ActivationGrad {
                y: x,
                dy: x,
                dx,
                act,
                scale,
            }));
        }
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn metrics_and_their_sums_are_valid() {
    let mut p = Program::default();
    let shape = Shape::Image { c: 7, h: 1, w: 1 };
    let one = Shape::Image { c: 1, h: 1, w: 1 };
    let logits = p.tensor("logits", shape, Scope::PerChip, Role::Input);
    let labels = p.tensor("labels", one, Scope::Shared, Role::Input);
    let score = p.tensor("score", one, Scope::PerChip, Role::Output);
    let mut ops = vec![];
    for &metric in Metric::ALL {
        ops.push(Op::from(ClassMetric {
            metric,
            logits,
            labels,
            score,
        }));
    }
    for n in 1..=3 {
        let tally = p.tensor("tally", Shape::Flat(n), Scope::PerChip, Role::State);
        let values = vec![score; n];
        ops.push(Op::from(Tally { values, tally }));
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn peak_kernels_are_valid() {
    validate(&peak::fma_dispatch(1));
    validate(&peak::copy_dispatch(1 << 20));
}

mod browsers;
mod cells;
mod clock;
mod device;
mod half;
mod integers;
mod layout;
mod matrices;
mod programming;
mod random;
mod rounds;

#[test]
fn refused_allocations_are_errors() {
    let adapter = match super::devices::select(super::devices::Selector::Any) {
        Ok(Some(adapter)) => adapter,
        other => {
            let required = std::env::var("PIMENTO_REQUIRE_GPU").as_deref() == Ok("1");
            assert!(!required, "PIMENTO_REQUIRE_GPU=1, but {:?}", other.err());
            println!("SKIPPED refused allocations: no adapter");
            return;
        }
    };
    let budget = super::budget::budget(&adapter);
    let open = super::context::Context::open(&adapter, budget, super::context::Offer::All);
    let context = pollster::block_on(open).expect("opens");
    let bytes = 1 << 50;
    match context.buffer("huge", bytes, ::wgpu::BufferUsages::STORAGE) {
        Err(crate::error::Error::Device(message)) => {
            assert!(message.contains("\"huge\""), "{message}");
            assert!(message.contains(&bytes.to_string()), "{message}");
        }
        other => panic!("{other:?}"),
    }
    // The refusal was caught where it happened: the device goes on.
    context.poll().expect("the device is fine");
}

#[test]
fn messages_name_the_file_and_line() {
    let source = shader::compose("add", "const A: u32 = 1u;\n").expect("source");
    let line = 1 + source
        .text
        .lines()
        .position(|l| l.contains("fn chip_base"))
        .expect("line");
    let origin = source.origin(line);
    assert!(origin.starts_with("shaders/shared/run.wgsl:"), "{origin}");
    let message = source.locate(&format!("at add:{line}:3 and madd: 3"));
    assert_eq!(message, format!("at {origin}:3 and madd: 3"));
}
