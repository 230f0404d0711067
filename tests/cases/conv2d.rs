//! Convolutions forward and backward.

use pimento::program::*;

use super::case::*;
use super::reference::{self, ACTIVATIONS};

/// Rounding errors of a sum of products behave like a random walk of one unit roundoff each; this
/// many of the sum of magnitudes is far beyond it for the lengths here, and far below any mistake.
const SUM_TOLERANCE: f64 = 8.0 * EPS;

/// A random geometry: stride, dilation, asymmetric padding, groups.
pub fn geometry(rng: &mut Rng) -> ConvGeometry {
    if rng.pick(0, 5) == 0 {
        return ConvGeometry::linear(rng.pick(1, 300), rng.pick(1, 40));
    }
    let groups = rng.pick(1, 3);
    let (ci, co) = match rng.pick(0, 3) {
        0 => (1, 1),
        1 => (rng.pick(1, 40), rng.pick(1, 4)),
        _ => (rng.pick(1, 5), rng.pick(1, 17)),
    };
    loop {
        let mut pad = || rng.pick(0, 2);
        let g = ConvGeometry {
            pad: [pad(), pad(), pad(), pad()],
            c_in: ci * groups,
            c_out: co * groups,
            h_in: rng.pick(1, 9),
            w_in: rng.pick(1, 9),
            kh: rng.pick(1, 4),
            kw: rng.pick(1, 4),
            stride: [rng.pick(1, 3), rng.pick(1, 3)],
            dilation: [rng.pick(1, 3), rng.pick(1, 2)],
            groups,
        };
        let reach = |k: usize, dilation: usize| dilation * (k - 1) + 1;
        if reach(g.kh, g.dilation[0]) <= g.h_in + g.pad[0] + g.pad[2]
            && reach(g.kw, g.dilation[1]) <= g.w_in + g.pad[1] + g.pad[3]
        {
            return g;
        }
    }
}

/// A small convolution.
const BASE: ConvGeometry = ConvGeometry {
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

/// Strides, dilations, uneven padding, groups, edges that no kernel position sees, and linear
/// layers, each with channel counts around the kernels' tiles.
pub fn geometries() -> Vec<ConvGeometry> {
    vec![
        BASE,
        ConvGeometry {
            pad: [1; 4],
            c_out: 6,
            ..BASE
        },
        ConvGeometry {
            kw: 2,
            stride: [2; 2],
            pad: [2, 0, 1, 3],
            ..BASE
        },
        ConvGeometry {
            c_in: 2,
            h_in: 9,
            w_in: 8,
            dilation: [2; 2],
            stride: [3; 2],
            pad: [2, 3, 2, 3],
            ..BASE
        },
        ConvGeometry {
            c_in: 1,
            h_in: 8,
            w_in: 7,
            dilation: [2; 2],
            stride: [2; 2],
            kh: 2,
            pad: [1, 0, 0, 1],
            ..BASE
        },
        ConvGeometry {
            c_in: 4,
            c_out: 6,
            groups: 2,
            pad: [1; 4],
            ..BASE
        },
        // Depthwise.
        ConvGeometry {
            c_in: 5,
            c_out: 5,
            groups: 5,
            stride: [2; 2],
            pad: [1; 4],
            ..BASE
        },
        // A stride beyond the kernel: some inputs are never read.
        ConvGeometry {
            c_in: 10,
            kh: 1,
            kw: 1,
            stride: [2; 2],
            ..BASE
        },
        ConvGeometry {
            kh: 1,
            kw: 1,
            pad: [1, 0, 0, 1],
            ..BASE
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
            ..BASE
        },
        ConvGeometry {
            h_in: 5,
            w_in: 12,
            kh: 1,
            stride: [2, 1],
            dilation: [1, 3],
            pad: [0, 1, 0, 2],
            ..BASE
        },
        // The stride and the dilation share a factor in one direction only.
        ConvGeometry {
            h_in: 10,
            w_in: 10,
            stride: [4, 3],
            dilation: [2, 2],
            pad: [3, 1, 0, 2],
            ..BASE
        },
        ConvGeometry::linear(37, 10),
        ConvGeometry::linear(64, 24),
        ConvGeometry::linear(1, 1),
    ]
}

/// Depthwise layers with a window of their own in some kernels, and more channels than a tile has.
pub fn wide_geometries() -> Vec<ConvGeometry> {
    let depthwise = |channels, [h_in, w_in]: [usize; 2], pad| ConvGeometry {
        h_in,
        w_in,
        kh: 3,
        kw: 3,
        pad,
        groups: channels,
        ..ConvGeometry::linear(channels, channels)
    };
    vec![
        depthwise(5, [6, 5], [1; 4]),
        depthwise(3, [9, 10], [2, 0, 1, 3]),
        depthwise(2, [3, 3], [0; 4]),
        ConvGeometry {
            h_in: 3,
            w_in: 4,
            kh: 3,
            kw: 3,
            pad: [1; 4],
            ..ConvGeometry::linear(5, 70)
        },
    ]
}

/// Rounding of a sum of `n` products of values in `[-1, 1)`: every partial sum is at most `n` and
/// is rounded once, in either order.
fn sum_tolerance(n: usize) -> f64 {
    (n as f64).powf(1.5) * 2.0 * ULP
}

pub fn input(geo: &ConvGeometry) -> [usize; 3] {
    [geo.c_in, geo.h_in, geo.w_in]
}

pub fn output(geo: &ConvGeometry) -> [usize; 3] {
    [geo.c_out, geo.h_out(), geo.w_out()]
}

/// A convolution of `x` by `w`, against plain loops.
fn forward(case: &mut Case, [x, w]: [TensorId; 2], geo: ConvGeometry, scope: Scope, post: Post) {
    let y = case.result(output(&geo), scope);
    case.section(vec![Op::from(Conv2d {
        x,
        w,
        y,
        geo,
        post,
        codes: None,
    })]);
    let mut limit = Vec::new();
    let want = case.each(scope, |chip, image| {
        let (x, w) = (case.at(x, chip, image), case.at(w, chip, 0));
        let sums = reference::conv2d(&x, &w, &geo, |w, x| w * x);
        let sizes = reference::conv2d(&x, &w, &geo, |w, x| (w * x).abs());
        limit.extend(sizes.iter().map(|size| SUM_TOLERANCE * (2.0 + size)));
        let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
        let (scale, shift, residual) = (of(post.scale), of(post.shift), of(post.residual));
        let values = sums.into_iter().enumerate().map(|(i, sum)| {
            let c = i / (geo.h_out() * geo.w_out());
            let mut v = scale.as_ref().map_or(1.0, |s| s[c]) * sum;
            v += shift.as_ref().map_or(0.0, |s| s[c]);
            v += residual.as_ref().map_or(0.0, |r| r[i]);
            reference::activation(post.act, v)
        });
        values.collect()
    });
    case.want_within(y, want, |i| limit[i]);
}

pub fn maps() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let mut case = Case::new(seed + 1000, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(input(&geo), rng.scope());
        let w = case.random(geo.weights(), rng.scope());
        let post = Post {
            scale: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
            shift: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
            residual: rng.coin().then(|| case.random(output(&geo), rng.scope())),
            act: ACTIVATIONS[rng.pick(0, 8)],
            quant: None,
        };
        forward(&mut case, [x, w], geo, Scope::PerChip, post);
        // The epilogue's own operations round a value of at most rows + 2 five times more.
        case.apart[0] = sum_tolerance(geo.rows() + 5);
        cases.push(case);
    }
    cases
}

/// Every geometry with shared and per-chip operands.
pub fn geometries_and_scopes() -> Vec<Case> {
    let mut cases = Vec::new();
    for geo in geometries().into_iter().chain(wide_geometries()) {
        for (x, w) in SCOPES {
            let mut case = wave(1);
            let scope = joined(&[x, w]);
            let x = case.exact(input(&geo), x);
            let w = case.exact(geo.weights(), w);
            let y = case.output(output(&geo), scope);
            let post = Post::NONE;
            case.section(vec![Op::from(Conv2d {
                x,
                w,
                y,
                geo,
                post,
                codes: None,
            })]);
            case.apart[0] = sum_tolerance(geo.rows());
            cases.push(case);
        }
    }
    cases
}

/// Sums long enough to be cut, more rows than one panel, several blocks.
pub fn long_sums() -> Vec<Case> {
    let geo = ConvGeometry::linear(700, 530);
    let mut case = Case::new(5, 1, 37);
    let x = case.random(input(&geo), Scope::Shared);
    let w = case.random(geo.weights(), Scope::PerChip);
    let post = Post {
        shift: Some(case.random(geo.c_out, Scope::Shared)),
        ..Post::NONE
    };
    // The tolerance is of 700 products of magnitude 1/4 on average.
    forward(&mut case, [x, w], geo, Scope::PerChip, post);
    case.apart[0] = sum_tolerance(geo.rows());
    vec![case]
}

pub fn epilogues() -> Vec<Case> {
    let mut cases = Vec::new();
    for geo in [geometries()[1], ConvGeometry::linear(37, 10)] {
        for act in ACTIVATIONS {
            let mut case = wave(1);
            let x = case.exact(input(&geo), Scope::Shared);
            let w = case.exact(geo.weights(), Scope::PerChip);
            let y = case.output(output(&geo), Scope::PerChip);
            let post = Post {
                scale: Some(case.exact(geo.c_out, Scope::PerChip)),
                shift: Some(case.exact(geo.c_out, Scope::Shared)),
                residual: Some(case.exact(output(&geo), Scope::Shared)),
                act,
                quant: None,
            };
            case.section(vec![Op::from(Conv2d {
                x,
                w,
                y,
                geo,
                post,
                codes: None,
            })]);
            // The epilogue's own operations round a value of at most rows + 2 five times more.
            case.apart[0] = sum_tolerance(geo.rows() + 5);
            cases.push(case);
        }
    }
    cases
}

/// An epilogue that quantizes in steps of `step`.
fn quantizer(case: &mut Case, step: f32, [lo, hi]: [i32; 2]) -> Post {
    Post {
        quant: Some(ActQuant {
            scale: case.shared(&[step]),
            lo,
            hi,
            rounding: Rounding::Nearest,
        }),
        ..Post::NONE
    }
}

/// Small integers: all sums are exact, so the codes are equal.
pub fn codes_of_exact_sums() -> Vec<Case> {
    let geo = geometries()[1];
    let mut case = wave(1);
    let integer = |rng: &mut Rng| (rng.coarse() * 4.0).round();
    let x = case.drawn(input(&geo), Scope::Shared, integer);
    let w = case.drawn(geo.weights(), Scope::PerChip, integer);
    let post = quantizer(&mut case, 2.0, [-7, 7]);
    let y = case.result(output(&geo), Scope::PerChip);
    case.section(vec![Op::from(Conv2d {
        x,
        w,
        y,
        geo,
        post,
        codes: None,
    })]);
    let want = case.each(Scope::PerChip, |chip, image| {
        let (x, w) = (case.at(x, chip, image), case.at(w, chip, 0));
        let sums = reference::conv2d(&x, &w, &geo, |w, x| w * x).into_iter();
        let codes = sums.map(|v| 2.0 * (v / 2.0).round_ties_even().clamp(-7.0, 7.0));
        codes.collect()
    });
    case.want(y, want, 0.0);
    vec![case]
}

/// A step of 0 (nothing calibrated) gives 0.
pub fn codes_without_a_step() -> Vec<Case> {
    let geo = ConvGeometry::linear(3, 4);
    let mut case = Case::new(9, 1, 5);
    let x = case.random(input(&geo), Scope::Shared);
    let w = case.random(geo.weights(), Scope::PerChip);
    let post = quantizer(&mut case, 0.0, [1, 5]);
    let y = case.result(output(&geo), Scope::PerChip);
    case.section(vec![Op::from(Conv2d {
        x,
        w,
        y,
        geo,
        post,
        codes: None,
    })]);
    case.want(y, vec![0.0; case.count(output(&geo), Scope::PerChip)], 0.0);
    vec![case]
}

pub fn input_gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for geo in geometries().into_iter().chain(wide_geometries()) {
        for (dy, w) in SCOPES {
            let mut case = wave(1);
            let scope = joined(&[dy, w]);
            let dy = case.exact(output(&geo), dy);
            let w = case.exact(geo.weights(), w);
            let dx = case.output(input(&geo), scope);
            case.section(vec![Op::from(Conv2dGradInput { dy, w, dx, geo })]);
            let terms = geo.c_out / geo.groups * geo.kh * geo.kw;
            case.apart[0] = sum_tolerance(terms);
            cases.push(case);
        }
    }
    cases
}

pub fn weight_gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for geo in geometries().into_iter().chain(wide_geometries()) {
        for (x, dy) in SCOPES {
            for dw in [Scope::Shared, Scope::PerChip] {
                if dw == Scope::PerChip && joined(&[x, dy]) == Scope::Shared {
                    continue;
                }
                let mut case = wave(1);
                let x = case.exact(input(&geo), x);
                let dy = case.exact(output(&geo), dy);
                let dw = case.output(geo.weights(), dw);
                case.section(vec![Op::from(Conv2dGradWeight { x, dy, dw, geo })]);
                let terms = geo.h_out() * geo.w_out() * case.images * case.chips;
                case.apart[0] = sum_tolerance(terms);
                cases.push(case);
            }
        }
    }
    cases
}

/// Lanes of the last block after the last image do not reach the weights' gradient.
pub fn real_images() -> Vec<Case> {
    let geo = ConvGeometry::linear(3, 2);
    let mut case = Case::new(3, 1, 30);
    let x = case.random(input(&geo), Scope::Shared);
    let dy = case.random(output(&geo), Scope::PerChip);
    let dw = case.result(6, Scope::Shared);
    case.section(vec![Op::from(Conv2dGradWeight { x, dy, dw, geo })]);
    case.runs[0].1.images = 0..21;
    let mut want = vec![0.0; 6];
    for image in 0..21 {
        let (x, dy) = (case.at(x, 0, image), case.at(dy, 0, image));
        for (i, sum) in want.iter_mut().enumerate() {
            *sum += dy[i / 3] * x[i % 3];
        }
    }
    // Sums of 21 products.
    case.want(dw, want, 1e-5);
    case.apart[0] = sum_tolerance(21);
    let geo = geometries()[0];
    let mut other = Case::new(1, 2, 40);
    let x = other.exact(input(&geo), Scope::Shared);
    let dy = other.exact(output(&geo), Scope::PerChip);
    let dw = other.output(geo.weights(), Scope::PerChip);
    let sums = other.output(geo.c_out, Scope::Shared);
    other.section(vec![
        Op::from(Conv2dGradWeight { x, dy, dw, geo }),
        Op::from(ChannelSum { x: dy, y: sums }),
    ]);
    // The lanes after image 21 hold images that are not of this run.
    other.runs[0].1.images = 16..21;
    let terms = geo.h_out() * geo.w_out() * 5 * 2;
    other.apart[0] = sum_tolerance(terms);
    vec![case, other]
}
