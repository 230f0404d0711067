//! Convolutions of 3 x 3 with fewer products, forward and backward.

use pimento::program::*;

use super::case::*;
use super::conv2d::{input, output};
use super::reference;

/// Roundings of a result behave like a random walk of one unit roundoff each of the terms' magnitudes; this
/// many of their sum is far beyond it for the lengths here, and far below any mistake.
const SUM_TOLERANCE: f64 = 8.0 * EPS;

/// A layer of 3 x 3 and stride 1.
pub fn layer([c_in, c_out]: [usize; 2], [h_in, w_in]: [usize; 2], pad: [usize; 4]) -> ConvGeometry {
    ConvGeometry {
        h_in,
        w_in,
        kh: 3,
        kw: 3,
        pad,
        ..ConvGeometry::linear(c_in, c_out)
    }
}

/// Odd and even extents, no zeros around and up to two, different by side, channels beside register tiles.
pub fn geometries() -> Vec<ConvGeometry> {
    vec![
        layer([16, 16], [8, 8], [1; 4]),
        layer([17, 23], [7, 9], [1; 4]),
        layer([32, 16], [6, 7], [0; 4]),
        layer([16, 40], [5, 6], [2, 0, 1, 2]),
        layer([64, 64], [4, 5], [1; 4]),
        layer([24, 25], [9, 34], [0, 1, 2, 1]),
    ]
}

/// The layer whose forward direction is the gradient of this one's input, and its weights.
pub fn turned(geo: &ConvGeometry, w: &[f64]) -> (ConvGeometry, Vec<f64>) {
    let back = ConvGeometry {
        h_in: geo.h_out(),
        w_in: geo.w_out(),
        pad: geo.pad.map(|zeros| 2 - zeros),
        ..layer([geo.c_out, geo.c_in], [0; 2], [0; 4])
    };
    let mut turned = vec![0.0; w.len()];
    for o in 0..geo.c_out {
        for c in 0..geo.c_in {
            for tap in 0..9 {
                turned[(c * geo.c_out + o) * 9 + 8 - tap] = w[(o * geo.c_in + c) * 9 + tap];
            }
        }
    }
    (back, turned)
}

/// Magnitudes of the algorithm's matrices.
const B: [[f64; 4]; 4] = [
    [1.0, 0.0, 1.0, 0.0],
    [0.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, 0.0, 1.0],
];
const G: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5; 3], [0.5; 3], [0.0, 0.0, 1.0]];
const A: [[f64; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]];

/// `m v m^T` of a square of side `N`.
fn both_sides<const N: usize, const M: usize>(
    m: &[[f64; N]; M],
    v: [[f64; N]; N],
) -> [[f64; M]; M] {
    let mut to = [[0.0; M]; M];
    for (i, to) in to.iter_mut().enumerate() {
        for (j, to) in to.iter_mut().enumerate() {
            for a in 0..N {
                for b in 0..N {
                    *to += m[i][a] * v[a][b] * m[j][b];
                }
            }
        }
    }
    to
}

/// Sums of the magnitudes of everything that the algorithm adds up for each result.
fn magnitudes(x: &[f64], w: &[f64], g: &ConvGeometry) -> Vec<f64> {
    let [c_in, h, width] = input(g);
    let [c_out, ho, wo] = output(g);
    let mut sizes = vec![0.0; c_out * ho * wo];
    let kernels: Vec<_> = (0..c_out * c_in)
        .map(|i| {
            both_sides(
                &G,
                std::array::from_fn(|y| std::array::from_fn(|x| w[i * 9 + 3 * y + x].abs())),
            )
        })
        .collect();
    for ty in 0..ho.div_ceil(2) {
        for tx in 0..wo.div_ceil(2) {
            let at = |c: usize, y: usize, x: usize| {
                let y = (2 * ty + y).wrapping_sub(g.pad[0]);
                let x = (2 * tx + x).wrapping_sub(g.pad[1]);
                (y < h && x < width).then(|| (c * h + y) * width + x)
            };
            let values: Vec<_> = (0..c_in)
                .map(|c| {
                    both_sides(
                        &B,
                        std::array::from_fn(|i| {
                            std::array::from_fn(|j| at(c, i, j).map_or(0.0, |at| x[at].abs()))
                        }),
                    )
                })
                .collect();
            for o in 0..c_out {
                let mut m = [[0.0; 4]; 4];
                for (c, v) in values.iter().enumerate() {
                    let u = &kernels[o * c_in + c];
                    for (m, (u, v)) in m
                        .iter_mut()
                        .flatten()
                        .zip(u.iter().flatten().zip(v.iter().flatten()))
                    {
                        *m += u * v;
                    }
                }
                for (i, row) in both_sides(&A, m).into_iter().enumerate() {
                    for (j, size) in row.into_iter().enumerate() {
                        let (y, x) = (2 * ty + i, 2 * tx + j);
                        if y < ho && x < wo {
                            sizes[(o * ho + y) * wo + x] = size;
                        }
                    }
                }
            }
        }
    }
    sizes
}

/// Results with how far each may be off, and the largest of that.
fn wanted(x: &[f64], w: &[f64], g: &ConvGeometry) -> (Vec<f64>, Vec<f64>) {
    let sums = reference::conv2d(x, w, g, |w, x| w * x);
    let sizes = magnitudes(x, w, g).into_iter();
    (
        sums,
        sizes.map(|size| SUM_TOLERANCE * (2.0 + size)).collect(),
    )
}

/// Every geometry with a whole epilogue, on 19 images.
pub fn maps() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, geo) in geometries().into_iter().enumerate() {
        let (chips, images) = if i == 0 { (2, 19) } else { (1, 5) };
        let mut case = Case::new(40 + i as u64, chips, images);
        let scopes = SCOPES[i % 4];
        let x = case.random(input(&geo), scopes.0);
        let w = case.random(geo.weights(), scopes.1);
        let post = Post {
            scale: Some(case.random(geo.c_out, Scope::PerChip)),
            shift: Some(case.random(geo.c_out, Scope::Shared)),
            residual: Some(case.random(output(&geo), Scope::PerChip)),
            act: Activation::Relu,
            quant: None,
        };
        let y = case.result(output(&geo), Scope::PerChip);
        case.section(vec![Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        })]);
        let mut limit = Vec::new();
        let pixels = geo.h_out() * geo.w_out();
        let want = case.each(Scope::PerChip, |chip, image| {
            let at = |t| case.at(t, chip, image);
            let (sums, limits) = wanted(&at(x), &at(w), &geo);
            limit.extend(limits);
            let of = |t: Option<TensorId>| t.map(at).unwrap_or_default();
            let (scale, shift, residual) = (of(post.scale), of(post.shift), of(post.residual));
            let value = |(i, sum)| {
                let v = scale[i / pixels] * sum + shift[i / pixels] + residual[i];
                f64::max(v, 0.0)
            };
            sums.into_iter().enumerate().map(value).collect()
        });
        case.apart[0] = limit.iter().copied().fold(0.0, f64::max);
        case.want_within(y, want, |i| limit[i]);
        cases.push(case);
    }
    cases
}

/// Gradients of the input of every geometry.
pub fn input_gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, geo) in geometries().into_iter().enumerate() {
        let mut case = Case::new(60 + i as u64, 1, 18 - 3 * i);
        let dy = case.random(output(&geo), SCOPES[i % 4].0);
        let w = case.random(geo.weights(), SCOPES[i % 4].1);
        let dx = case.result(input(&geo), Scope::PerChip);
        case.section(vec![Op::from(Conv2dGradInput { dy, w, dx, geo })]);
        let mut limit = Vec::new();
        let want = case.each(Scope::PerChip, |chip, image| {
            let (back, turned) = turned(&geo, &case.at(w, chip, image));
            let (sums, limits) = wanted(&case.at(dy, chip, image), &turned, &back);
            limit.extend(limits);
            sums
        });
        case.apart[0] = limit.iter().copied().fold(0.0, f64::max);
        case.want_within(dx, want, |i| limit[i]);
        cases.push(case);
    }
    cases
}

/// Integers as large as [`exact_up_to`] allows: all results are exact.
pub fn integers() -> Vec<Case> {
    let geo = layer([32, 32], [6, 5], [1; 4]);
    let (w_max, x_max) = (7, exact_up_to() / (32 * 7));
    let mut case = wave(1);
    let up_to = |most: usize| {
        // Every third is the largest, so that large sums are there.
        move |rng: &mut Rng| match rng.pick(0, 2) {
            0 => most as f32,
            _ => rng.pick(0, 2 * most) as f32 - most as f32,
        }
    };
    let x = case.drawn(input(&geo), Scope::Shared, up_to(x_max));
    let w = case.drawn(geo.weights(), Scope::PerChip, up_to(w_max));
    let y = case.result(output(&geo), Scope::PerChip);
    let post = Post::NONE;
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
        reference::conv2d(&x, &w, &geo, |w, x| w * x)
    });
    case.want(y, want, 0.0);
    vec![case]
}
