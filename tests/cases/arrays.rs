//! Layers on arrays of cells at random, and in `f64` what is read from them, as plain as it can be: sums,
//! noise, the addresses of its deviates.

use std::sync::Arc;

use pimento::program::*;

use super::case::{EPS, Rng};

/// Rounding errors of a sum are far below this many units roundoff of the sum of magnitudes.
pub const SUM_TOLERANCE: f64 = 8.0 * EPS;

/// A small convolution (groups, stride, padding) or fully connected layer.
pub fn geometry(rng: &mut Rng) -> ConvGeometry {
    if rng.pick(0, 3) == 0 {
        return ConvGeometry::linear(rng.pick(1, 90), rng.pick(1, 20));
    }
    let groups = rng.pick(1, 3);
    // Every third is depthwise.
    let (ci, co) = match rng.pick(0, 2) {
        0 => (1, 1),
        _ => (rng.pick(1, 6), rng.pick(1, 9)),
    };
    ConvGeometry {
        c_in: ci * groups,
        c_out: co * groups,
        h_in: rng.pick(3, 8),
        w_in: rng.pick(3, 8),
        kh: rng.pick(1, 3),
        kw: rng.pick(1, 3),
        stride: [rng.pick(1, 2), rng.pick(1, 2)],
        dilation: [1, 1],
        pad: [
            rng.pick(0, 1),
            rng.pick(0, 2),
            rng.pick(0, 2),
            rng.pick(0, 1),
        ],
        groups,
    }
}

pub fn input(g: &ConvGeometry) -> Shape {
    Shape::Image {
        c: g.c_in,
        h: g.h_in,
        w: g.w_in,
    }
}

/// `0, ..., n` with random cuts.
pub fn cuts(rng: &mut Rng, n: usize) -> Arc<[u32]> {
    let mut cuts = vec![0];
    loop {
        let next = *cuts.last().unwrap() as usize + rng.pick(1, n);
        if next >= n {
            cuts.push(n as u32);
            return cuts.into();
        }
        cuts.push(next as u32);
    }
}

/// Arrays of a geometry's matrix in a random mapping.
pub fn arrays(rng: &mut Rng, geo: &ConvGeometry) -> Arrays {
    let encoding = match rng.pick(0, 5) {
        0 | 1 => Encoding::Differential {
            two_sided: rng.coin(),
            digital: false,
        },
        2 | 3 => Encoding::Differential {
            two_sided: rng.coin(),
            digital: true,
        },
        _ => Encoding::Offset {
            reference: rng.pick(0, 2) as u32,
        },
    };
    let weight_bits = rng.pick(1, 8) as u32;
    let needed = match encoding {
        Encoding::Differential { .. } => weight_bits.saturating_sub(1).max(1),
        Encoding::Offset { .. } => weight_bits.max(2),
    };
    let mut slice_bits = Vec::new();
    let mut bits = 0;
    while bits < needed {
        let b = rng.pick(1, 5) as u32;
        slice_bits.push(b as u8);
        bits += b;
    }
    // Sometimes several slices have each place value.
    let equal_slices = match bits % 3 {
        0 => 1 + slice_bits.len() % 3,
        _ => 1,
    };
    let slice_bits: Vec<u8> = slice_bits
        .into_iter()
        .flat_map(|bits| [bits; 3].into_iter().take(equal_slices))
        .collect();
    Arrays {
        cols: geo.c_out,
        rows: geo.rows(),
        tile_rows: cuts(rng, geo.rows()),
        tile_cols: cuts(rng, geo.c_out),
        slice_bits: slice_bits.into(),
        equal_slices,
        weight_bits,
        encoding,
        g_min: 0.0,
        levels: None,
    }
}

/// A drive at random; a table only where asked for.
pub fn dac(rng: &mut Rng, table: bool) -> Dac {
    let input_bits = rng.pick(1, 8) as u32;
    let signs = [
        None,
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
    ][rng.pick(0, 2)];
    let mut dac_bits = rng.pick(1, input_bits as usize) as u32;
    if signs == Some(InputSigns::TwosComplement) && !(input_bits - 1).is_multiple_of(dac_bits) {
        dac_bits = 1;
    }
    let table = table.then(|| {
        (0..1 << dac_bits)
            .map(|d| d as f32 + 0.1 * rng.signed())
            .collect()
    });
    Dac {
        input_bits,
        dac_bits,
        signs,
        table,
        analog_sum: rng.coin(),
    }
}

/// Lowest and highest code of an input.
pub fn codes(dac: &Dac) -> (i32, i32) {
    let top = (1 << dac.input_bits) - 1;
    match dac.signs {
        None => (0, top),
        Some(InputSigns::SignMagnitude) => (-top, top),
        Some(InputSigns::TwosComplement) => (-(top + 1) / 2, top / 2),
    }
}

/// Random codes, zeros and both ends among them.
pub fn inputs(rng: &mut Rng, dac: &Dac, n: usize) -> Vec<f32> {
    let (lo, hi) = codes(dac);
    (0..n)
        .map(|_| match rng.pick(0, 7) {
            0 => 0.0,
            1 => lo as f32,
            2 => hi as f32,
            _ => (lo + (rng.bits() % (hi - lo + 1) as u64) as i32) as f32,
        })
        .collect()
}

/// Drive of step `t`.
pub fn step(dac: &Dac, code: i32, t: usize) -> f64 {
    let (magnitude, sign) = match dac.signs {
        // The bits below the sign, and the sign's own as the last.
        Some(InputSigns::TwosComplement) => (code & ((1 << dac.input_bits) - 1), 1.0),
        _ => (code.abs(), if code < 0 { -1.0 } else { 1.0 }),
    };
    let mut digit = 0;
    for bit in 0..dac.dac_bits {
        let place = t as u32 * dac.dac_bits + bit;
        if place < dac.input_bits {
            digit |= (magnitude >> place & 1) << bit;
        }
    }
    let drive = dac
        .table
        .as_ref()
        .map_or(digit as f64, |table| f64::from(table[digit as usize]));
    sign * drive
}

/// Value of a digit of step `t`.
pub fn place(dac: &Dac, t: usize) -> f64 {
    let value = 2f64.powi(t as i32 * dac.dac_bits as i32);
    match dac.signs {
        Some(InputSigns::TwosComplement) if t + 1 == dac.steps() => -value,
        _ => value,
    }
}

/// Drive of conversion `t`.
pub fn drive(dac: &Dac, code: i32, t: usize) -> f64 {
    match dac.analog_sum {
        false => step(dac, code, t),
        true => (0..dac.steps())
            .map(|t| place(dac, t) * step(dac, code, t))
            .sum(),
    }
}

/// Codes of the inputs under a window, in the order of the rows; padding has code 0.
pub fn window(geo: &ConvGeometry, x: &[f64], o: usize, pixel: usize) -> Vec<i32> {
    let (oy, ox) = (pixel / geo.w_out(), pixel % geo.w_out());
    let channels = geo.c_in / geo.groups;
    let group = o / (geo.c_out / geo.groups);
    let mut codes = Vec::new();
    for c in 0..channels {
        for ky in 0..geo.kh {
            for kx in 0..geo.kw {
                let y = (oy * geo.stride[0] + ky * geo.dilation[0]) as isize - geo.pad[0] as isize;
                let i = (ox * geo.stride[1] + kx * geo.dilation[1]) as isize - geo.pad[1] as isize;
                let inside =
                    (0..geo.h_in as isize).contains(&y) && (0..geo.w_in as isize).contains(&i);
                codes.push(match inside {
                    true => {
                        let channel = group * channels + c;
                        x[(channel * geo.h_in + y as usize) * geo.w_in + i as usize] as i32
                    }
                    false => 0,
                });
            }
        }
    }
    codes
}

/// Sum of one conversion and the sum of its magnitudes; `cells` are all rows of one column of one
/// read plane.
pub fn sum(spec: &Reading, cells: &[f64], codes: &[i32], r: usize, t: usize) -> (f64, f64) {
    let rows = spec.arrays.tile_rows[r] as usize..spec.arrays.tile_rows[r + 1] as usize;
    rows.map(|k| cells[k] * drive(&spec.dac, codes[k], t))
        .fold((0.0, 0.0), |(s, m), v| (s + v, m + v.abs()))
}

pub fn output(g: &ConvGeometry) -> Shape {
    Shape::Image {
        c: g.c_out,
        h: g.h_out(),
        w: g.w_out(),
    }
}

/// What a cell's deviate is multiplied by in conversion `t`; its square, the cell's variance. Steps that
/// are added up before the conversion have noise each.
pub fn amplitude(dac: &Dac, code: i32, t: usize) -> f64 {
    match dac.analog_sum && dac.steps() > 1 {
        false => drive(dac, code, t),
        true => (0..dac.steps())
            .map(|t| (place(dac, t) * step(dac, code, t)).powi(2))
            .sum::<f64>()
            .sqrt(),
    }
}

/// Place of every conversion.
pub fn places(dac: &Dac) -> Vec<f64> {
    match dac.analog_sum {
        true => vec![1.0],
        false => (0..dac.steps()).map(|t| place(dac, t)).collect(),
    }
}

/// Address of a conversion's deviate: generator block and word.
pub fn event(spec: &Reading, pixels: usize, [p, r, t, o, pixel]: [usize; 5]) -> (u32, usize) {
    let a = &spec.arrays;
    let conversion = (p * a.row_tiles() + r) * spec.dac.conversions() + t;
    let block = (conversion * pixels + pixel) * a.cols.div_ceil(4) + o / 4;
    (block as u32, o % 4)
}
