//! Layers on arrays of cells of every encoding, small enough that their sums are exact.

use pimento::program::*;

use super::case::*;

/// Currents subtracted before one converter.
pub const DIFFERENTIAL: Encoding = Encoding::Differential {
    two_sided: false,
    digital: false,
};

/// Every encoding.
pub const ENCODINGS: [Encoding; 6] = [
    DIFFERENTIAL,
    Encoding::Differential {
        two_sided: true,
        digital: false,
    },
    Encoding::Differential {
        two_sided: false,
        digital: true,
    },
    Encoding::Differential {
        two_sided: true,
        digital: true,
    },
    Encoding::Offset { reference: 0 },
    Encoding::Offset { reference: 3 },
];

/// 4-bit weights in slices of two bits, row and column tiles of uneven size.
pub fn arrays(cols: usize, rows: usize, encoding: Encoding) -> Arrays {
    let cut = |n: usize| match n {
        1 | 2 => vec![0, n as u32],
        _ => vec![0, n as u32 / 2 + 1, n as u32],
    };
    Arrays {
        cols,
        rows,
        tile_rows: cut(rows).into(),
        tile_cols: cut(cols).into(),
        slice_bits: [2, 2].into(),
        equal_slices: 1,
        weight_bits: 4,
        encoding,
        g_min: 0.125,
        levels: None,
    }
}

/// Bit-serial unsigned inputs.
pub fn dac(input_bits: u32, dac_bits: u32, signs: Option<InputSigns>) -> Dac {
    Dac {
        input_bits,
        dac_bits,
        signs,
        table: None,
        analog_sum: false,
    }
}

/// Step of the inputs and of the weights.
pub const X_STEP: f32 = 0.25;
pub const W_STEP: f32 = 0.5;

/// Integers from `lo` to `hi`.
pub fn integers(lo: i32, hi: i32) -> impl Fn(usize, u64) -> Vec<f32> {
    let span = (hi - lo + 1) as f32;
    move |n, seed| {
        let values = values(n, seed).into_iter();
        values
            .map(|v| (0.5 * (v + 1.0) * span).floor() + lo as f32)
            .collect()
    }
}

/// Quantized inputs that any sign convention holds, some beyond the range of `bits`.
pub fn codes(dac: &Dac) -> impl Fn(usize, u64) -> Vec<f32> {
    let top = 1 << dac.input_bits;
    let range = match dac.signs {
        None => integers(0, top),
        Some(InputSigns::SignMagnitude) => integers(-top, top),
        Some(InputSigns::TwosComplement) => integers(-top / 2 - 1, top / 2),
    };
    move |n, seed| range(n, seed).iter().map(|c| c * X_STEP).collect()
}

/// The operands of a layer's crossbar.
pub struct Layer {
    pub x: TensorId,
    pub x_step: TensorId,
    pub w_step: TensorId,
    pub g: TensorId,
    pub geo: ConvGeometry,
    pub spec: Reading,
}

impl Layer {
    /// Inputs and, by `g`, conductances of a layer.
    pub fn new(
        case: &mut Case,
        geo: ConvGeometry,
        spec: Reading,
        g: impl FnOnce(usize, u64) -> Vec<f32>,
    ) -> Self {
        let n = spec.arrays.read_planes() * spec.arrays.plane_len();
        Self {
            x: case.made(
                [geo.c_in, geo.h_in, geo.w_in],
                Scope::Shared,
                codes(&spec.dac),
            ),
            x_step: case.made(1, Scope::Shared, |_, _| vec![X_STEP]),
            w_step: case.made(1, Scope::Shared, |_, _| vec![W_STEP]),
            g: case.made(n, Scope::PerChip, g),
            geo,
            spec,
        }
    }

    /// A state like the conductances.
    pub fn variances(&self, case: &mut Case) -> TensorId {
        let n = self.spec.arrays.read_planes() * self.spec.arrays.plane_len();
        case.made(n, Scope::PerChip, |n, seed| {
            values(n, seed).iter().map(|v| 0.02 * v.abs()).collect()
        })
    }

    /// Pairs for every converter, alternating `first` and `second`.
    pub fn pairs(&self, case: &mut Case, first: f32, second: f32, spread: f32) -> TensorId {
        let n = 2 * self.spec.arrays.converters();
        case.made(n, Scope::PerChip, |n, seed| {
            let v = values(n, seed);
            let base = |i| if i % 2 == 0 { first } else { second };
            (0..n).map(|i| base(i) + spread * v[i]).collect()
        })
    }
}

/// A layer's reading.
pub fn reading(geo: &ConvGeometry, encoding: Encoding, dac: Dac, adc: Option<Adc>) -> Reading {
    let arrays = Arrays {
        // No reading depends on it but through the digital base, which is an integer so.
        g_min: 0.0,
        ..arrays(geo.c_out, geo.rows(), encoding)
    };
    Reading {
        arrays,
        dac,
        adc,
        noise_per_cell: false,
        integer: false,
        exact: false,
        layer: 5,
    }
}

/// Groups, stride and padding; column counts on both sides of the kernels' fours.
pub fn geometries() -> Vec<ConvGeometry> {
    let base = ConvGeometry {
        c_in: 3,
        h_in: 5,
        w_in: 4,
        c_out: 6,
        kh: 3,
        kw: 2,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [0; 4],
        groups: 1,
    };
    vec![
        ConvGeometry {
            pad: [1, 0, 2, 1],
            ..base
        },
        ConvGeometry {
            c_in: 4,
            groups: 2,
            stride: [2, 1],
            dilation: [1, 2],
            pad: [1; 4],
            ..base
        },
        // Depthwise.
        ConvGeometry {
            c_in: 3,
            c_out: 3,
            groups: 3,
            pad: [1; 4],
            ..base
        },
        ConvGeometry::linear(37, 10),
    ]
}
