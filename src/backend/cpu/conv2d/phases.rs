//! What a convolution's transpose adds up along one axis, by phases of the stride.

/// One phase of a transposed convolution along one axis: input places `first, first + stride, ..`.
pub(super) struct Axis {
    pub(super) first: usize,
    pub(super) len: usize,
    /// Kernel tap and the output place it meets at the phase's first input place.
    pub(super) taps: Vec<(usize, isize)>,
    /// Output places needed before the first and after the last one.
    pub(super) before: usize,
    pub(super) after: usize,
}

/// Parts instead of whole phases where that at least halves the products and at most doubles the
/// packed weights: each part has a copy of its own, made for every chip.
pub(super) fn choose(phases: [Vec<Axis>; 2], parts: [Vec<Axis>; 2]) -> [Vec<Axis>; 2] {
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
pub(super) struct Line {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    pub(super) kernel: usize,
    pub(super) pad: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
}

impl Line {
    /// All phases of its transpose.
    pub(super) fn phases(&self) -> Vec<Axis> {
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
    pub(super) fn parts(&self) -> Vec<Axis> {
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
