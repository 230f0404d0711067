use pimento::program::*;

use super::harness::*;

/// Strides, dilations, uneven padding, groups, edges that no kernel position sees, and linear
/// layers, each with channel counts around the kernels' tiles.
fn geometries() -> Vec<ConvGeometry> {
    let base = ConvGeometry {
        c_in: 3,
        h_in: 6,
        w_in: 5,
        c_out: 9,
        kh: 3,
        kw: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [0; 4],
        groups: 1,
    };
    vec![
        base,
        ConvGeometry {
            pad: [1; 4],
            c_out: 6,
            ..base
        },
        ConvGeometry {
            kw: 2,
            stride: [2; 2],
            pad: [2, 0, 1, 3],
            ..base
        },
        ConvGeometry {
            c_in: 2,
            h_in: 9,
            w_in: 8,
            dilation: [2; 2],
            stride: [3; 2],
            pad: [2, 3, 2, 3],
            ..base
        },
        ConvGeometry {
            c_in: 1,
            h_in: 8,
            w_in: 7,
            dilation: [2; 2],
            stride: [2; 2],
            kh: 2,
            pad: [1, 0, 0, 1],
            ..base
        },
        ConvGeometry {
            c_in: 4,
            c_out: 6,
            groups: 2,
            pad: [1; 4],
            ..base
        },
        // Depthwise.
        ConvGeometry {
            c_in: 5,
            c_out: 5,
            groups: 5,
            stride: [2; 2],
            pad: [1; 4],
            ..base
        },
        // A stride beyond the kernel: some inputs are never read.
        ConvGeometry {
            c_in: 10,
            kh: 1,
            kw: 1,
            stride: [2; 2],
            ..base
        },
        ConvGeometry {
            kh: 1,
            kw: 1,
            pad: [1, 0, 0, 1],
            ..base
        },
        // Everything different by direction and side.
        ConvGeometry {
            c_in: 4,
            c_out: 6,
            h_in: 9,
            w_in: 8,
            kw: 2,
            stride: [1, 3],
            dilation: [2, 1],
            pad: [2, 0, 1, 3],
            groups: 2,
            ..base
        },
        ConvGeometry {
            h_in: 5,
            w_in: 12,
            kh: 1,
            stride: [2, 1],
            dilation: [1, 3],
            pad: [0, 1, 0, 2],
            ..base
        },
        // The stride and the dilation share a factor in one direction only.
        ConvGeometry {
            h_in: 10,
            w_in: 10,
            stride: [4, 3],
            dilation: [2, 2],
            pad: [3, 1, 0, 2],
            ..base
        },
        ConvGeometry::linear(37, 10),
        ConvGeometry::linear(64, 24),
        ConvGeometry::linear(1, 1),
    ]
}

/// Rounding of a sum of `n` products of values in `[-1, 1)`: every partial sum is at most `n` and
/// is rounded once, in either order.
fn sum_tolerance(n: usize) -> f32 {
    (n as f32).powf(1.5) * 2.0 * EPS
}

fn input(geo: &ConvGeometry) -> [usize; 3] {
    [geo.c_in, geo.h_in, geo.w_in]
}

fn output(geo: &ConvGeometry) -> [usize; 3] {
    [geo.c_out, geo.h_out(), geo.w_out()]
}

#[test]
fn conv2d_matches_cpu() {
    for geo in geometries() {
        for (x, w) in SCOPES {
            let mut case = Case::new();
            let scope = joined(&[x, w]);
            let x = case.input(input(&geo), x);
            let w = case.state(geo.weights(), w);
            let y = case.output(output(&geo), scope);
            let post = Post::NONE;
            case.section(vec![Op::from(Conv2d { x, w, y, geo, post })]);
            case.compare(&format!("{geo:?}"), sum_tolerance(geo.rows()));
        }
    }
}

#[test]
fn conv2d_epilogue_matches_cpu() {
    for geo in [geometries()[1], ConvGeometry::linear(37, 10)] {
        for act in ACTIVATIONS {
            let mut case = Case::new();
            let x = case.input(input(&geo), Scope::Shared);
            let w = case.state(geo.weights(), Scope::PerChip);
            let y = case.output(output(&geo), Scope::PerChip);
            let post = Post {
                scale: Some(case.state(geo.c_out, Scope::PerChip)),
                shift: Some(case.state(geo.c_out, Scope::Shared)),
                residual: Some(case.input(output(&geo), Scope::Shared)),
                act,
                quant: None,
            };
            case.section(vec![Op::from(Conv2d { x, w, y, geo, post })]);
            // The epilogue's own operations round a value of at most rows + 2 five times more.
            let tolerance = sum_tolerance(geo.rows() + 5);
            case.compare(&format!("{geo:?} {act:?}"), tolerance);
        }
    }
}

#[test]
fn conv2d_quantizes_exact_sums_like_cpu() {
    let geo = geometries()[1];
    let mut case = Case::new();
    // Small integers: all sums are exact, so the codes are equal.
    let integers = |n, seed| values(n, seed).iter().map(|v| (v * 4.0).round()).collect();
    let x = case.input_of(input(&geo), Scope::Shared, integers);
    let w = case.state_of(geo.weights(), Scope::PerChip, integers);
    let y = case.output(output(&geo), Scope::PerChip);
    let scale = case.state_of(1, Scope::Shared, |_, _| vec![2.0]);
    let quant = ActQuant {
        scale,
        lo: -7,
        hi: 7,
        rounding: Rounding::Nearest,
    };
    let post = Post {
        quant: Some(quant),
        ..Post::NONE
    };
    case.section(vec![Op::from(Conv2d { x, w, y, geo, post })]);
    case.compare("conv2d quantized", 0.0);
}

#[test]
fn conv2d_grad_input_matches_cpu() {
    for geo in geometries() {
        for (dy, w) in SCOPES {
            let mut case = Case::new();
            let scope = joined(&[dy, w]);
            let dy = case.input(output(&geo), dy);
            let w = case.state(geo.weights(), w);
            let dx = case.output(input(&geo), scope);
            case.section(vec![Op::from(Conv2dGradInput { dy, w, dx, geo })]);
            let terms = geo.c_out / geo.groups * geo.kh * geo.kw;
            case.compare(&format!("{geo:?}"), sum_tolerance(terms));
        }
    }
}

#[test]
fn conv2d_grad_weight_matches_cpu() {
    for geo in geometries() {
        for (x, dy) in SCOPES {
            for dw in [Scope::Shared, Scope::PerChip] {
                if dw == Scope::PerChip && joined(&[x, dy]) == Scope::Shared {
                    continue;
                }
                let mut case = Case::new();
                let x = case.input(input(&geo), x);
                let dy = case.input(output(&geo), dy);
                let dw = case.result(geo.weights(), dw);
                case.section(vec![Op::from(Conv2dGradWeight { x, dy, dw, geo })]);
                let terms = geo.h_out() * geo.w_out() * IMAGES * CHIPS;
                case.compare(&format!("{geo:?}"), sum_tolerance(terms));
            }
        }
    }
}

#[test]
fn gradients_count_real_images_only() {
    let geo = geometries()[0];
    let mut case = Case::sized(2, 40);
    let x = case.input(input(&geo), Scope::Shared);
    let dy = case.input(output(&geo), Scope::PerChip);
    let dw = case.result(geo.weights(), Scope::PerChip);
    let sums = case.result(geo.c_out, Scope::Shared);
    case.section(vec![
        Op::from(Conv2dGradWeight { x, dy, dw, geo }),
        Op::from(ChannelSum { x: dy, y: sums }),
    ]);
    // The lanes behind image 21 hold images that are not of this run.
    case.runs[0].1.images = 16..21;
    let terms = geo.h_out() * geo.w_out() * 5 * 2;
    case.compare("real images", sum_tolerance(terms));
}
