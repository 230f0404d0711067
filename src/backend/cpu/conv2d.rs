//! Convolutions as gathered products ([`Gather`]): the forward operator and the gradient with
//! respect to the input.
//!
//! # Theory
//! The gradient with respect to the input is the transposed convolution. Input rows whose index
//! plus padding leaves the same remainder modulo the stride meet the same kernel taps, and within
//! such a *phase* the transposed convolution has stride 1: each phase is a gathered product of
//! its own, and nothing is multiplied by an inserted zero.
//!
//! Near the edges some of a phase's taps meet no output. They read zeros of a padded copy, as long
//! as those are few; where the output is small beside the kernel, the phases are cut so that every
//! part has only taps that exist ([`Line::parts`]). For an output of 1 x 1 the parts together are
//! one matrix product with the transposed weight.

use super::gather::{Gather, GatherShape, Source};
use super::post::Epilogue;
use super::simd::Isa;
use crate::backend::program::{Activation, ConvGeometry, LANES};
use crate::error::Result;

/// Tables of a convolution.
#[derive(Debug, Clone)]
pub(super) struct ConvPlan {
    gathers: Vec<Gather>,
    pad: Pad,
}

/// A zero-padded copy of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pad {
    c: usize,
    h: usize,
    w: usize,
    top: usize,
    left: usize,
    /// Rows with padding.
    pub rows: usize,
    /// Columns with padding.
    pub cols: usize,
}

impl Pad {
    /// Padding of a `c x h x w` map by `[top, left, bottom, right]`.
    pub fn new((c, h, w): (usize, usize, usize), pad: [usize; 4]) -> Self {
        Self {
            c,
            h,
            w,
            top: pad[0],
            left: pad[1],
            rows: h + pad[0] + pad[2],
            cols: w + pad[1] + pad[3],
        }
    }

    /// Whether there is any.
    pub fn is_needed(&self) -> bool {
        self.rows > self.h || self.cols > self.w
    }

    /// Values of a block without padding.
    pub fn block_len(&self) -> usize {
        self.c * self.h * self.w * LANES
    }

    /// Values of a padded block.
    pub fn len(&self) -> usize {
        self.c * self.rows * self.cols * LANES
    }

    /// Copies one block.
    pub fn copy(&self, x: &[f32], to: &mut [f32]) {
        let (row, padded) = (self.w * LANES, self.cols * LANES);
        let (left, top) = (self.left * LANES, self.top * padded);
        for (x, to) in x
            .chunks_exact(self.h * row)
            .zip(to.chunks_exact_mut(self.rows * padded))
        {
            let (head, rest) = to.split_at_mut(top);
            let (body, foot) = rest.split_at_mut(self.h * padded);
            head.fill(0.0);
            foot.fill(0.0);
            for (x, to) in x.chunks_exact(row).zip(body.chunks_exact_mut(padded)) {
                to[..left].fill(0.0);
                to[left..left + row].copy_from_slice(x);
                to[left + row..].fill(0.0);
            }
        }
    }
}

impl ConvPlan {
    /// The forward operator.
    pub fn forward(g: &ConvGeometry) -> Result<Self> {
        let pad = Pad::new((g.c_in, g.h_in, g.w_in), g.pad);
        let (ho, wo) = (g.h_out(), g.w_out());
        let (plane, row) = (pad.rows * pad.cols, pad.cols);
        let c_group = g.c_in / g.groups;
        let mut offsets = Vec::with_capacity(g.rows());
        for c in 0..c_group {
            for ky in 0..g.kh {
                for kx in 0..g.kw {
                    let at = c * plane + ky * g.dilation[0] * row + kx * g.dilation[1];
                    offsets.push((at * LANES) as u32);
                }
            }
        }
        let mut pixels = Vec::with_capacity(ho * wo);
        for y in 0..ho {
            for x in 0..wo {
                let from = (y * g.stride[0] * row + x * g.stride[1]) * LANES;
                pixels.push((from as u32, ((y * wo + x) * LANES) as u32));
            }
        }
        let rows = g.c_out / g.groups;
        let shape = GatherShape {
            rows,
            groups: g.groups,
            group_in: c_group * plane * LANES,
            group_out: rows * ho * wo * LANES,
            row_out: ho * wo * LANES,
            x_len: pad.len(),
            y_len: g.c_out * ho * wo * LANES,
        };
        let source = Source {
            group: rows * g.rows(),
            row: g.rows(),
            terms: (0..g.rows() as u32).collect(),
        };
        Ok(Self {
            gathers: vec![Gather::new(shape, offsets, pixels, source)?],
            pad,
        })
    }

    /// The gradient with respect to the input: `x` is the output's gradient, `y` the input's.
    pub fn grad_input(g: &ConvGeometry) -> Result<Self> {
        let along = |axis: usize, n_in, n_out, kernel| Line {
            n_in,
            n_out,
            kernel,
            pad: g.pad[axis],
            stride: g.stride[axis],
            dilation: g.dilation[axis],
        };
        let lines = [
            along(0, g.h_in, g.h_out(), g.kh),
            along(1, g.w_in, g.w_out(), g.kw),
        ];
        let [vertical, horizontal] = choose(
            lines.each_ref().map(Line::phases),
            lines.each_ref().map(Line::parts),
        );
        let before = |axes: &[Axis]| axes.iter().map(|a| a.before).max().unwrap_or(0);
        let after = |axes: &[Axis]| axes.iter().map(|a| a.after).max().unwrap_or(0);
        let (top, left) = (before(&vertical), before(&horizontal));
        let pad = Pad::new(
            (g.c_out, g.h_out(), g.w_out()),
            [top, left, after(&vertical), after(&horizontal)],
        );
        let (plane, row) = (pad.rows * pad.cols, pad.cols);
        let (c_group, o_group, taps) = (g.c_in / g.groups, g.c_out / g.groups, g.kh * g.kw);
        let mut gathers = Vec::new();
        for v in &vertical {
            for u in &horizontal {
                let (mut offsets, mut terms) = (Vec::new(), Vec::new());
                for o in 0..o_group {
                    for &(ky, oy) in &v.taps {
                        for &(kx, ox) in &u.taps {
                            // A padded gradient begins `top` rows and `left` columns earlier.
                            let y = oy + top as isize;
                            let x = ox + left as isize;
                            let at = o * plane + y as usize * row + x as usize;
                            offsets.push((at * LANES) as u32);
                            terms.push((o * c_group * taps + ky * g.kw + kx) as u32);
                        }
                    }
                }
                let mut pixels = Vec::with_capacity(v.len * u.len);
                for y in 0..v.len {
                    for x in 0..u.len {
                        let row_to = v.first + y * g.stride[0];
                        let to = row_to * g.w_in + u.first + x * g.stride[1];
                        pixels.push((((y * row + x) * LANES) as u32, (to * LANES) as u32));
                    }
                }
                let shape = GatherShape {
                    rows: c_group,
                    groups: g.groups,
                    group_in: o_group * plane * LANES,
                    group_out: c_group * g.h_in * g.w_in * LANES,
                    row_out: g.h_in * g.w_in * LANES,
                    x_len: pad.len(),
                    y_len: g.c_in * g.h_in * g.w_in * LANES,
                };
                let source = Source {
                    group: o_group * g.rows(),
                    row: taps,
                    terms,
                };
                gathers.push(Gather::new(shape, offsets, pixels, source)?);
            }
        }
        Ok(Self { gathers, pad })
    }

    /// The padding of the input.
    pub fn pad(&self) -> &Pad {
        &self.pad
    }

    /// The product of a forward operator.
    pub fn gather(&self) -> &Gather {
        &self.gathers[0]
    }

    /// Values of the packed weights.
    pub fn packed_len(&self) -> usize {
        self.gathers.iter().map(Gather::packed_len).sum()
    }

    /// Packs the weights of one chip.
    pub fn pack(&self, isa: Isa, w: &[f32], packed: &mut Vec<f32>) {
        packed.resize(self.packed_len(), 0.0);
        let mut rest = packed.as_mut_slice();
        for gather in &self.gathers {
            let (part, tail) = rest.split_at_mut(gather.packed_len());
            gather.pack(isa, w, part);
            rest = tail;
        }
    }

    /// Computes all blocks of `x` into `y`; `padded` is working space.
    pub fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        x: &[f32],
        y: &mut [f32],
        epilogue: &Epilogue,
        padded: &mut Vec<f32>,
    ) {
        let x = if self.pad.is_needed() {
            let block = self.pad.block_len();
            let blocks = x.len() / block;
            if padded.len() < blocks * self.pad.len() {
                padded.resize(blocks * self.pad.len(), 0.0);
            }
            for (x, to) in x
                .chunks_exact(block)
                .zip(padded.chunks_exact_mut(self.pad.len()))
            {
                self.pad.copy(x, to);
            }
            &padded[..blocks * self.pad.len()]
        } else {
            x
        };
        let mut packed = packed;
        for gather in &self.gathers {
            let (part, tail) = packed.split_at(gather.packed_len());
            gather.run(isa, part, x, y, epilogue);
            packed = tail;
        }
    }
}

/// No epilogue.
pub(super) const PLAIN: Epilogue = Epilogue {
    scale: None,
    shift: None,
    residual: None,
    act: Activation::Identity,
    quant: None,
};

/// One phase of a transposed convolution along one axis: input places `first, first + stride, ..`.
struct Axis {
    first: usize,
    len: usize,
    /// Kernel tap and the output place it meets at the phase's first input place.
    taps: Vec<(usize, isize)>,
    /// Output places needed before the first and after the last one.
    before: usize,
    after: usize,
}

/// Parts instead of whole phases where that at least halves the products and at most doubles the
/// packed weights: each part has a copy of its own, made for every chip.
fn choose(phases: [Vec<Axis>; 2], parts: [Vec<Axis>; 2]) -> [Vec<Axis>; 2] {
    let both = |axes: &[Vec<Axis>; 2], of: fn(&Axis) -> usize| -> usize {
        axes.iter()
            .map(|a| a.iter().map(of).sum::<usize>())
            .product()
    };
    let products = |a: &Axis| a.taps.len() * a.len;
    let packed = |a: &Axis| a.taps.len();
    let fewer = both(&phases, products) >= 2 * both(&parts, products);
    match fewer && both(&parts, packed) <= 2 * both(&phases, packed) {
        true => parts,
        false => phases,
    }
}

/// A convolution along one axis.
struct Line {
    n_in: usize,
    n_out: usize,
    kernel: usize,
    pad: usize,
    stride: usize,
    dilation: usize,
}

impl Line {
    /// All phases of its transpose.
    fn phases(&self) -> Vec<Axis> {
        let stride = self.stride as isize;
        (0..self.stride.min(self.n_in))
            .map(|first| {
                let len = (self.n_in - first).div_ceil(self.stride);
                let taps: Vec<_> = (0..self.kernel)
                    .filter_map(|k| {
                        let at = (first + self.pad) as isize - (k * self.dilation) as isize;
                        (at.rem_euclid(stride) == 0).then(|| (k, at.div_euclid(stride)))
                    })
                    .collect();
                let low = taps.iter().map(|t| t.1).min().unwrap_or(0);
                let high = taps.iter().map(|t| t.1).max().unwrap_or(0) + len as isize;
                Axis {
                    first,
                    len,
                    taps,
                    before: (-low).max(0) as usize,
                    after: (high - self.n_out as isize).max(0) as usize,
                }
            })
            .collect()
    }

    /// The phases cut wherever a tap begins or ends to meet an output.
    fn parts(&self) -> Vec<Axis> {
        let meets = |place: isize| (0..self.n_out as isize).contains(&place);
        let mut parts: Vec<Axis> = Vec::new();
        for phase in self.phases() {
            // Taps of the part that ends here, by their position in the kernel.
            let mut last: Option<Vec<usize>> = None;
            for i in 0..phase.len {
                let places = phase.taps.iter().map(|&(k, at)| (k, at + i as isize));
                let taps: Vec<_> = places.filter(|&(_, at)| meets(at)).collect();
                let kernel: Vec<usize> = taps.iter().map(|t| t.0).collect();
                match parts.last_mut().filter(|_| last.as_ref() == Some(&kernel)) {
                    Some(part) => part.len += 1,
                    None => parts.push(Axis {
                        first: phase.first + i * self.stride,
                        len: 1,
                        taps,
                        before: 0,
                        after: 0,
                    }),
                }
                last = Some(kernel);
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(size: usize, kernel: usize, pad: usize) -> ConvGeometry {
        ConvGeometry {
            h_in: size,
            w_in: size,
            kh: kernel,
            kw: kernel,
            pad: [pad; 4],
            ..ConvGeometry::linear(3, 2)
        }
    }

    /// Products of the gradient with respect to the input, per pair of channels.
    fn products(g: &ConvGeometry) -> usize {
        let plan = ConvPlan::grad_input(g).expect("plan");
        let of = |g: &Gather| g.tables().pixels.len() * g.tables().offsets.len();
        plan.gathers.iter().map(of).sum::<usize>() / 2
    }

    /// Where the output is small beside the kernel, only products that exist are made; else one
    /// gather does it all.
    #[test]
    fn small_outputs_are_not_padded() {
        assert_eq!(products(&geometry(5, 5, 0)), 25);
        assert_eq!(products(&geometry(2, 3, 1)), 16);
        assert_eq!(
            ConvPlan::grad_input(&geometry(2, 3, 1))
                .expect("plan")
                .packed_len(),
            2 * 3 * 16
        );
        let large = ConvPlan::grad_input(&geometry(8, 3, 1)).expect("plan");
        assert_eq!(large.gathers.len(), 1);
        assert_eq!(products(&geometry(8, 3, 1)), 64 * 9);
    }
}
