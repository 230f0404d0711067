//! Forward operators in `f64`, one image of one chip, as plain as they can be.

use pimento::program::*;

/// `y[o,p] = sum_k w[o,k] x[k at p]`; `f` combines a weight and an input.
pub fn conv2d(x: &[f64], w: &[f64], g: &ConvGeometry, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let (ho, wo) = (g.h_out(), g.w_out());
    let (ci, co) = (g.c_in / g.groups, g.c_out / g.groups);
    let mut y = vec![0.0; g.c_out * ho * wo];
    for o in 0..g.c_out {
        for oy in 0..ho {
            for ox in 0..wo {
                let mut sum = 0.0;
                for c in 0..ci {
                    for ky in 0..g.kh {
                        for kx in 0..g.kw {
                            let iy = (oy * g.stride[0] + ky * g.dilation[0]) as isize
                                - g.pad[0] as isize;
                            let ix = (ox * g.stride[1] + kx * g.dilation[1]) as isize
                                - g.pad[1] as isize;
                            let inside = (0..g.h_in as isize).contains(&iy)
                                && (0..g.w_in as isize).contains(&ix);
                            if inside {
                                let channel = o / co * ci + c;
                                let at = (channel * g.h_in + iy as usize) * g.w_in + ix as usize;
                                let weight = ((o * ci + c) * g.kh + ky) * g.kw + kx;
                                sum += f(w[weight], x[at]);
                            }
                        }
                    }
                }
                y[(o * ho + oy) * wo + ox] = sum;
            }
        }
    }
    y
}

/// Calls `f` with the values under each window.
pub fn pool(
    x: &[f64],
    (c, h, w): (usize, usize, usize),
    g: &PoolGeometry,
    f: fn(&[f64]) -> f64,
) -> Vec<f64> {
    let (ho, wo) = g.out(h, w);
    let mut y = Vec::new();
    for c in 0..c {
        for oy in 0..ho {
            for ox in 0..wo {
                let mut under = Vec::new();
                for ky in 0..g.kh {
                    for kx in 0..g.kw {
                        let iy = (oy * g.stride[0] + ky) as isize - g.pad[0] as isize;
                        let ix = (ox * g.stride[1] + kx) as isize - g.pad[1] as isize;
                        if (0..h as isize).contains(&iy) && (0..w as isize).contains(&ix) {
                            under.push(x[(c * h + iy as usize) * w + ix as usize]);
                        }
                    }
                }
                y.push(f(&under));
            }
        }
    }
    y
}

/// Every non-linearity. The kinks are not symmetric, and between the operands of tests that
/// differentiate.
pub const ACTIVATIONS: [Activation; 12] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Tanh,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Clip { lo: -0.5, hi: 0.6 },
    Activation::Clip {
        lo: 0.0,
        hi: f32::INFINITY,
    },
    Activation::Sigmoid,
    Activation::HardSigmoid {
        slope: 0.7,
        offset: 0.4,
    },
    Activation::HardSwish,
    Activation::Abs,
    Activation::Sign,
    Activation::Floor,
];

/// The non-linearity.
pub fn activation(act: Activation, v: f64) -> f64 {
    match act {
        Activation::Identity => v,
        Activation::Relu => v.max(0.0),
        Activation::Tanh => v.tanh(),
        Activation::LeakyRelu { slope } if v <= 0.0 => f64::from(slope) * v,
        Activation::LeakyRelu { .. } => v,
        // `f64::max` would turn NaN into the limit.
        Activation::Clip { lo, .. } if v < lo.into() => lo.into(),
        Activation::Clip { hi, .. } if v > hi.into() => hi.into(),
        Activation::Clip { .. } => v,
        Activation::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        Activation::HardSigmoid { slope, offset } => {
            (f64::from(slope) * v + f64::from(offset)).clamp(0.0, 1.0)
        }
        Activation::HardSwish => v * (v / 6.0 + 0.5).clamp(0.0, 1.0),
        Activation::Abs => v.abs(),
        Activation::Sign if v > 0.0 => 1.0,
        Activation::Sign if v < 0.0 => -1.0,
        Activation::Sign => v,
        Activation::Floor => v.floor(),
    }
}

/// Cross-entropy of softmax with label smoothing.
pub fn xent(z: &[f64], label: usize, smoothing: f64) -> f64 {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = most + z.iter().map(|z| (z - most).exp()).sum::<f64>().ln();
    let n = z.len() as f64;
    z.iter()
        .enumerate()
        .map(|(i, z)| {
            let one = if i == label { 1.0 - smoothing } else { 0.0 };
            (one + smoothing / n) * (log_sum - z)
        })
        .sum()
}
