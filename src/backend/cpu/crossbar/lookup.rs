//! Sums of rows with few drives, looked up instead of multiplied.
//!
//! # Theory
//! A row that is driven by one bit (or two, or a bit with a sign) adds one of 2 (or 4) values to a
//! sum. The rows are taken in groups of four (or two): what a group adds is one of 16 values, which
//! are made once per chip, and a processor that permutes 16 values by 16 indices makes the sum of a
//! group for 16 images in one instruction and an addition, in place of one multiply-add a row. The
//! indices of all steps of a group are one word an image, four bits a step; they are made once per
//! pixel and used by all columns and planes.
//!
//! # Practice
//! The sums are those of the products up to rounding: fewer additions, so less of it. Integers below
//! 2^24 are exact both ways.

use crate::backend::cpu::simd::{Isa, Kernel, Simd};
use crate::program::{InputSigns, LANES, Reading};

/// Values of a table.
const ENTRIES: usize = 16;
/// Bits of a table's index.
const INDEX: u32 = 4;
/// Most columns whose sums are in registers at once.
pub(super) const COLUMNS: usize = 3;
/// Fewer columns and planes do not repay the indices.
const LEAST: usize = 4;

/// Most values of the tables of a layer and chip: larger ones would come from far away for every
/// span of pixels, and fill the memory.
pub(super) const MOST: usize = 1 << 25;

/// How a layer's rows are looked up.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// Bits of a row's drive: its digit, then its sign.
    bits: u32,
    dac_bits: u32,
    input_bits: u32,
    steps: usize,
    signed: bool,
    /// Drive by those bits.
    drives: Vec<f32>,
}

impl Lookup {
    /// `None` where the drives have too many values, the tables would be too large, or the processor
    /// does not permute.
    pub fn new(isa: Isa, spec: &Reading, cols: usize) -> Option<Self> {
        let dac = &spec.dac;
        let signed = dac.signs == Some(InputSigns::SignMagnitude);
        let bits = dac.dac_bits + u32::from(signed);
        let a = &spec.arrays;
        let few = cols * a.read_planes() < LEAST;
        let tables = a.read_planes() * a.cols * (a.rows + 3 * a.row_tiles()) * ENTRIES;
        if tables / (INDEX / bits).max(1) as usize > MOST {
            return None;
        }
        if !isa.permutes() || few || dac.analog_sum || spec.noise_per_cell || bits > INDEX / 2 {
            return None;
        }
        let drive = |field: usize| {
            let drive = dac.of_digit(field as u32 & ((1 << dac.dac_bits) - 1));
            if field >> dac.dac_bits > 0 {
                -drive
            } else {
                drive
            }
        };
        Some(Self {
            bits,
            dac_bits: dac.dac_bits,
            input_bits: dac.input_bits,
            steps: dac.steps(),
            signed,
            drives: (0..1 << bits).map(drive).collect(),
        })
    }

    /// Rows of a group.
    fn rows(&self) -> usize {
        (INDEX / self.bits) as usize
    }

    /// Groups of so many rows.
    pub fn groups(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows())
    }

    /// Values of the tables of so many rows of one column.
    pub fn table_len(&self, rows: usize) -> usize {
        self.groups(rows) * ENTRIES
    }

    /// Writes the tables of a column's rows, `stride` groups of other columns between two; `square`
    /// for what is multiplied by the drives' squares.
    pub fn tabulate(&self, rows: &[f32], square: bool, stride: usize, out: &mut [f32]) {
        let mask = (1 << self.bits) - 1;
        let tables = out.chunks_exact_mut(ENTRIES).step_by(stride);
        for (group, table) in rows.chunks(self.rows()).zip(tables) {
            for (entry, sum) in table.iter_mut().enumerate() {
                let parts = group.iter().enumerate().map(|(i, g)| {
                    let d = self.drives[entry >> (i as u32 * self.bits) & mask];
                    g * if square { d * d } else { d }
                });
                *sum = parts.sum();
            }
        }
    }

    /// The bits that drive a row at every step, four bits a step, as the bits of an `f32`.
    pub fn spread(&self, isa: Isa, codes: &[f32], out: &mut [f32]) {
        isa.run(Spread {
            lookup: self,
            codes,
            out,
        });
    }

    /// Indices of all groups at some pixels, `[pixel][group][lane]`. `spread` begins at the
    /// convolution group's inputs.
    #[inline(always)]
    pub fn index(&self, spread: &[f32], offsets: &[u32], pixels: &[(u32, u32)], out: &mut [f32]) {
        let groups = self.groups(offsets.len());
        for (&(from, _), out) in pixels.iter().zip(out.chunks_exact_mut(groups * LANES)) {
            let rows = offsets.chunks(self.rows());
            for (offsets, out) in rows.zip(out.chunks_exact_mut(LANES)) {
                let mut index = [0u32; LANES];
                for (i, &offset) in offsets.iter().enumerate() {
                    let fields = &spread[(from + offset) as usize..][..LANES];
                    let shift = i as u32 * self.bits;
                    for (index, field) in index.iter_mut().zip(fields) {
                        *index |= field.to_bits() << shift;
                    }
                }
                for (out, index) in out.iter_mut().zip(index) {
                    *out = f32::from_bits(index);
                }
            }
        }
    }
}

struct Spread<'a> {
    lookup: &'a Lookup,
    codes: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let l = self.lookup;
        let chunks = self.codes.chunks_exact(LANES);
        for (codes, out) in chunks.zip(self.out.chunks_exact_mut(LANES)) {
            let mut bits = [0u32; LANES];
            let mut sign = [0u32; LANES];
            for ((b, s), &code) in bits.iter_mut().zip(&mut sign).zip(codes) {
                let code = code as i32;
                if l.signed {
                    *s = (code as u32 >> 31) << l.dac_bits;
                    *b = code.unsigned_abs();
                } else {
                    *b = code as u32 & ((1 << l.input_bits) - 1);
                }
            }
            let mask = (1 << l.dac_bits) - 1;
            let mut fields = [0u32; LANES];
            for t in 0..l.steps as u32 {
                for ((f, b), s) in fields.iter_mut().zip(bits).zip(sign) {
                    *f |= (b >> (t * l.dac_bits) & mask | s) << (t * INDEX);
                }
            }
            for (out, field) in out.iter_mut().zip(fields) {
                *out = f32::from_bits(field);
            }
        }
    }
}

/// Sums of some columns over some pixels.
pub(super) struct Sums<'a> {
    /// Tables `[group][column]`.
    pub tables: &'a [f32],
    /// Indices `[pixel][group][lane]`.
    pub index: &'a [f32],
    /// Groups.
    pub groups: usize,
    /// Columns, at most [`COLUMNS`].
    pub cols: usize,
    /// Steps.
    pub steps: usize,
    /// Values of a column's sums.
    pub column: usize,
    /// Sums `[column][pixel][step][lane]`, of which the first is that of the first column here.
    pub sums: &'a mut [f32],
}

impl Sums<'_> {
    #[inline(always)]
    pub fn compute<S: Simd>(self, s: S) {
        match (self.cols, self.steps) {
            (1, 1..=4) => s.call(Fixed::<1, 4>(self)),
            (2, 1..=4) => s.call(Fixed::<2, 4>(self)),
            (3, 1..=4) => s.call(Fixed::<3, 4>(self)),
            (1, _) => s.call(Fixed::<1, 8>(self)),
            (2, _) => s.call(Fixed::<2, 8>(self)),
            (3, _) => s.call(Fixed::<3, 8>(self)),
            (n, _) => unreachable!("no register tile of {n} columns"),
        }
    }
}

/// `Q` columns, room for `T` steps.
struct Fixed<'a, const Q: usize, const T: usize>(Sums<'a>);

impl<const Q: usize, const T: usize> Kernel for Fixed<'_, Q, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Sums {
            tables,
            index,
            groups,
            steps,
            column,
            sums,
            ..
        } = self.0;
        assert!(steps <= T && tables.len() >= groups * Q * ENTRIES);
        let pixels = index.chunks_exact(groups * LANES);
        for (i, index) in pixels.enumerate() {
            let mut acc = [[s.splat(0.0); Q]; T];
            let (mut table, mut at) = (tables.as_ptr(), index.as_ptr());
            for _ in 0..groups {
                // SAFETY: `index` has 16 values a group, `tables` `Q` times as many by the assertion.
                let (rows, mut bits) = unsafe {
                    let mut rows = [s.splat(0.0); Q];
                    for (q, rows) in rows.iter_mut().enumerate() {
                        *rows = s.load_at(table.add(q * ENTRIES));
                    }
                    (rows, s.load_at(at))
                };
                // SAFETY: at most one behind the end.
                unsafe {
                    table = table.add(Q * ENTRIES);
                    at = at.add(LANES);
                }
                for acc in &mut acc {
                    for (acc, &rows) in acc.iter_mut().zip(&rows) {
                        *acc = s.add(*acc, s.permute(rows, bits));
                    }
                    bits = s.shift_index(bits);
                }
            }
            for (t, acc) in acc.iter().enumerate().take(steps) {
                for (q, &v) in acc.iter().enumerate() {
                    s.store(v, &mut sums[q * column + (i * steps + t) * LANES..]);
                }
            }
        }
    }
}
