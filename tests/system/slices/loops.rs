//! A chip told a second time, and its sums as loops over cells, rows and steps.

use std::collections::BTreeMap;

use super::Net;

/// How a chip is made, told a second time.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub weight_bits: u32,
    pub slices: &'static [u32],
    pub pairs: bool,
    pub two_sided: bool,
    pub digital: bool,
    pub reference: bool,
    /// `G_max/G_min`, 0 for infinite.
    pub ratio: f64,
    pub step_bits: u32,
    pub signed: bool,
    pub twos: bool,
    pub analog: bool,
}

/// Rows of an array, filled one after the other.
pub const TILE: usize = 5;

impl Spec {
    pub const PLAIN: Spec = Spec {
        weight_bits: 5,
        slices: &[2, 2],
        pairs: true,
        two_sided: false,
        digital: false,
        reference: false,
        ratio: 0.0,
        step_bits: 1,
        signed: false,
        twos: false,
        analog: false,
    };

    fn toml(&self) -> String {
        let name = |is, yes: &'static str, no| if is { yes } else { no };
        format!(
            "[chip.array]\nrows = {TILE}\ncols = 4\nsplit = \"filled\"\n[chip.cells]\nslice_bits = {:?}\nencoding = \"{}\"\n\
             two_sided = {}\nsubtraction = \"{}\"\nreference = {}\non_off_ratio = {}\n[chip.dac]\nbits = {}\nsigns = \"{}\"\n\
             accumulate = \"{}\"\n",
            self.slices,
            name(self.pairs, "differential", "offset"),
            self.two_sided,
            name(self.digital, "digital", "analog"),
            if self.reference { 2 } else { 0 },
            if self.ratio > 0.0 {
                format!("{:.1}", self.ratio)
            } else {
                "inf".into()
            },
            self.step_bits,
            name(self.twos, "twos-complement", "sign-magnitude"),
            name(self.analog, "analog", "digital"),
        )
    }

    pub fn net(&self) -> Net {
        Net::two_layers(self.weight_bits, self.signed, &self.toml())
    }

    /// Twice the digits of every slice and polarity of a code.
    pub fn cells(&self, code: i32) -> Vec<i64> {
        let stored = match self.pairs {
            true => code.unsigned_abs(),
            false => (code + (1 << (self.weight_bits - 1))) as u32,
        };
        let mut place = 0;
        let mut cells = vec![];
        for bits in self.slices {
            let top = (1i64 << bits) - 1;
            let digit = i64::from(stored >> place) & top;
            place += bits;
            match (self.pairs, self.two_sided) {
                (false, _) => cells.push(2 * digit),
                (true, true) => {
                    let v = digit * i64::from(code.signum());
                    cells.extend([top + v, top - v]);
                }
                (true, false) if code > 0 => cells.extend([2 * digit, 0]),
                (true, false) => cells.extend([0, 2 * digit]),
            }
        }
        cells
    }

    /// Drives of a code, one for every conversion. `inputs` are codes of the images, which may be signed.
    fn drives(&self, code: i64, inputs: bool) -> Vec<i64> {
        let signed = self.signed && inputs;
        let bits = if signed && !self.twos { 7 } else { 8 };
        let step = self.step_bits.min(bits);
        let n = bits.div_ceil(step);
        let (stored, sign) = match (signed, self.twos) {
            (true, true) => (code & 255, 1),
            (true, false) => (code.abs(), code.signum()),
            (false, _) => (code, 1),
        };
        let digit = |t: u32| sign * (stored >> (t * step) & ((1 << step) - 1));
        let place = |t: u32| match signed && self.twos && t + 1 == n {
            true => -(1i64 << (t * step)),
            false => 1 << (t * step),
        };
        match self.analog {
            true => vec![(0..n).map(|t| place(t) * digit(t)).sum()],
            false => (0..n).map(digit).collect(),
        }
    }
}

/// Sums of a layer: twice the digit sums of every cell plane, what every converter reads rounded to its step.
pub struct Sums {
    pub cells: Vec<Vec<i64>>,
    pub reads: Vec<Vec<i64>>,
}

/// What the converters of a slice read of `held`, twice the digit sums of its polarities; `all` is the sum of the drives.
fn reads(spec: &Spec, slice: usize, held: &[i64], all: i64) -> Vec<i64> {
    let top = f64::from((1u32 << spec.slices[slice]) - 1);
    let base = match spec.ratio > 0.0 {
        true => top / (spec.ratio - 1.0),
        false => 0.0,
    };
    // By itself, what digit 0 conducts is in the sum; in halves of a level where both cells move.
    let alone = |held: &i64| {
        let grain = if spec.two_sided { 0.5 } else { 1.0 };
        let v = *held as f64 / 2.0 + base * all as f64;
        (v / grain).round_ties_even() as i64
    };
    match (spec.pairs, spec.digital, spec.reference) {
        (true, false, _) => vec![(held[0] - held[1]) / 2],
        (true, true, _) | (false, _, false) => held.iter().map(alone).collect(),
        (false, _, true) => {
            let zero = spec.cells(0)[slice] / 2;
            vec![held[0] / 2 - zero * all]
        }
    }
}

/// Sums of layer `l` of a network on such a chip.
pub fn by_loops(spec: &Spec, net: &Net, l: usize) -> Sums {
    let (w, n_out, n_in) = &net.layers[l];
    let x = &net.codes_of_layers()[l];
    let polarities = if spec.pairs { 2 } else { 1 };
    let planes = spec.slices.len() * polarities;
    let digits: Vec<Vec<i64>> = w.iter().map(|q| spec.cells(*q)).collect();
    let mut cells = vec![vec![]; planes];
    let mut found = BTreeMap::<(usize, usize), Vec<i64>>::new();
    for image in x.chunks_exact(*n_in) {
        let drives: Vec<Vec<i64>> = image.iter().map(|c| spec.drives(*c, l == 0)).collect();
        // Of every conversion, by row.
        let steps: Vec<Vec<i64>> = (0..drives[0].len())
            .map(|t| drives.iter().map(|drives| drives[t]).collect())
            .collect();
        for o in 0..*n_out {
            for first in (0..*n_in).step_by(TILE) {
                let rows = first..(first + TILE).min(*n_in);
                for drive in &steps {
                    let all = rows.clone().map(|k| drive[k]).sum();
                    let sum = |p: usize| -> i64 {
                        let of = |k: usize| digits[o * n_in + k][p] * drive[k];
                        rows.clone().map(of).sum()
                    };
                    let held: Vec<i64> = (0..planes).map(sum).collect();
                    (0..planes).for_each(|p| cells[p].push(held[p]));
                    for (slice, held) in held.chunks_exact(polarities).enumerate() {
                        for (i, v) in reads(spec, slice, held, all).into_iter().enumerate() {
                            found.entry((slice, i)).or_default().push(v);
                        }
                    }
                }
            }
        }
    }
    Sums {
        cells,
        reads: found.into_values().collect(),
    }
}
