//! Crossbar arrays with converters, by the equations of the operator in `f64`.

mod want;

use std::sync::Arc;

use pimento::effects::{AdcNoise, ConverterEffects, Inl};
use pimento::program::*;

use super::arrays;
use super::case::*;
use super::layers::{DIFFERENTIAL, X_STEP, dac};

/// A layer, its operands and the operator.
pub struct Layer {
    pub case: Case,
    pub op: Crossbar,
}

/// What a layer has.
#[derive(Clone, Copy, Default)]
pub struct With {
    pub table: bool,
    pub read: bool,
    pub per_cell: bool,
    /// What happens inside the converters, by their codes.
    pub converter: Option<Inside>,
    /// Slopes by the logarithm of the range are wanted, and not counts of clipped conversions.
    pub slope: bool,
}

/// Effects inside converters with these codes.
pub type Inside = fn(&mut Rng, CodeRange) -> ConverterEffects;

/// Effects inside a converter one by one, and together.
const INSIDE: &[Inside] = &[
    |_, _| ConverterEffects {
        adc_noise: AdcNoise { sigma: 0.7 },
        ..Default::default()
    },
    |rng, codes| ConverterEffects {
        inl: bends(rng, codes),
        ..Default::default()
    },
    |rng, codes| ConverterEffects {
        adc_noise: AdcNoise { sigma: 0.7 },
        inl: bends(rng, codes),
    },
];

/// A non-linearity of up to 0.4 codes.
fn bends(rng: &mut Rng, codes: CodeRange) -> Inl {
    let bends = (0..codes.count()).map(|_| 0.4 * rng.signed());
    Inl::new(bends.collect::<Vec<f32>>())
}

/// Any layer with conductances near digits and converters of all kinds.
pub fn layer(seed: u64, with: With) -> Layer {
    let mut rng = Rng(seed);
    let geo = arrays::geometry(&mut rng);
    let spec = reading(&mut rng, &geo, with);
    let (a, dac) = (&spec.arrays, &spec.dac);
    let mut case = Case::new(seed + 1000, rng.pick(1, 2), rng.pick(1, 20));
    let scope = rng.scope();
    let n = case.count(arrays::input(&geo), scope);
    let codes = arrays::inputs(&mut rng, dac, n).into_iter();
    let x = codes.map(|code| code * X_STEP).collect();
    let x = case.given(arrays::input(&geo), scope, x);
    let x_step = case.shared(&[X_STEP]);
    let (planes, scope) = (a.read_planes() * a.plane_len(), rng.scope());
    let n = case.count(planes, scope);
    let signed = matches!(a.encoding, Encoding::Differential { digital: false, .. });
    let cells = (0..n).map(|_| {
        let digit = rng.pick(0, 7) as f32 * if signed && rng.coin() { -1.0 } else { 1.0 };
        digit + 0.3 * rng.signed()
    });
    let cells = cells.collect();
    let g = case.given(planes, scope, cells);
    let variance = with.read.then(|| {
        let values = (0..n).map(|_| 0.05 * (1.0 + rng.signed()));
        let values = values.collect();
        case.given(planes, scope, values)
    });
    let cols = if rng.coin() { a.cols } else { 1 };
    let w_step = case.random(cols, Scope::Shared);
    let [range, adc] = converters(&mut rng, &mut case, &spec);
    let correct = rng.coin().then(|| {
        let values = (0..case.chips * a.converters())
            .flat_map(|_| [1.0 + 0.2 * rng.signed(), 0.2 * rng.signed()])
            .collect();
        case.given(2 * a.converters(), Scope::PerChip, values)
    });
    let y = case.result(arrays::output(&geo), Scope::PerChip);
    let clipped = rng.coin() && !with.slope;
    let clipped = clipped.then(|| case.result(arrays::output(&geo), Scope::PerChip));
    let has_adc = spec.adc.is_some();
    let slope = with
        .slope
        .then(|| case.result(arrays::output(&geo), Scope::PerChip));
    let op = Crossbar {
        x,
        x_step,
        g,
        variance,
        w_step,
        adc: has_adc.then_some(adc),
        range: has_adc.then_some(range),
        correct,
        y,
        clipped,
        slope,
        geo,
        post: Post::NONE,
        spec,
    };
    Layer { case, op }
}

/// Arrays, drives and converters at random.
fn reading(rng: &mut Rng, geo: &ConvGeometry, with: With) -> Reading {
    let arrays = arrays::arrays(rng, geo);
    let dac = arrays::dac(rng, with.table);
    let bits = rng.pick(3, 9) as u32;
    let (lo, hi) = match rng.coin() {
        true => (0, (1 << bits) - 1),
        false => (1 - (1 << (bits - 1)), (1 << (bits - 1)) - 1),
    };
    let inside = with
        .converter
        .map(|inside| inside(rng, CodeRange { lo, hi }));
    let adc = rng.pick(0, 4) > 0 || inside.is_some();
    let effects = inside.unwrap_or_default();
    // Some effects belong to the same codes in all slices.
    let own = |own: i32| {
        let codes = (0..arrays.slices() as i32).map(|s| (lo, hi - own * (s % 2)));
        let codes = codes.map(|(lo, hi)| CodeRange { lo, hi });
        codes.collect::<Arc<[CodeRange]>>()
    };
    let fits = effects.active().all(|e| e.fits(&own(1)));
    let codes = own(i32::from(fits && rng.coin()));
    Reading {
        adc: adc.then_some(Adc { codes, effects }),
        arrays,
        dac,
        noise_per_cell: with.per_cell,
        integer: false,
        exact: false,
        layer: 5,
    }
}

/// Ranges that about a third of the sums leave, and constants of converters near them.
fn converters(rng: &mut Rng, case: &mut Case, spec: &Reading) -> [TensorId; 2] {
    let a = &spec.arrays;
    let [lo, hi] = spec
        .adc
        .as_ref()
        .map_or([0, 1], |adc| [adc.codes[0].lo, adc.codes[0].hi]);
    let full = (a.rows as f32).sqrt() * 2.0 * spec.dac.most();
    let mut pairs = Vec::new();
    for _ in 0..a.read_planes() * a.cols {
        let lsb = full * (1.0 + 0.3 * rng.signed()) / (hi - lo) as f32;
        pairs.push([lsb, if lo == 0 { -0.4 * full } else { 0.0 }]);
    }
    let mut constants = Vec::new();
    for _ in 0..case.chips * a.row_tiles() {
        for [lsb, low] in &pairs {
            constants.push((1.0 + 0.1 * rng.signed()) / lsb);
            constants.push(rng.signed() - low / lsb);
        }
    }
    let range = case.shared(pairs.as_flattened());
    [
        range,
        case.given(2 * a.converters(), Scope::PerChip, constants),
    ]
}

fn wanted(seed: u64, with: With) -> Case {
    let Layer { mut case, op } = layer(seed, with);
    want::outputs(&mut case, &op);
    case.own_kernels = true;
    case.section(vec![op.into()]);
    case
}

pub fn any_layers() -> Vec<Case> {
    let layers = 0..60;
    layers.map(|seed| wanted(seed, With::default())).collect()
}

/// Drives from a table.
pub fn tables() -> Vec<Case> {
    let table = With {
        table: true,
        ..With::default()
    };
    (100..120).map(|seed| wanted(seed, table)).collect()
}

/// Noise is that of its address.
pub fn noise() -> Vec<Case> {
    let layers = (200..240).map(|seed| {
        let mut rng = Rng(seed);
        let with = With {
            table: rng.coin(),
            read: rng.coin(),
            per_cell: rng.coin(),
            converter: rng.coin().then_some(INSIDE[seed as usize % INSIDE.len()]),
            ..With::default()
        };
        wanted(seed, with)
    });
    layers.collect()
}

/// What happens inside converters.
pub fn inside() -> Vec<Case> {
    let layers = INSIDE.iter().enumerate().flat_map(|(i, inside)| {
        let with = With {
            converter: Some(*inside),
            ..With::default()
        };
        (0..10).map(move |seed| wanted(500 + 100 * i as u64 + seed, with))
    });
    layers.collect()
}

/// Slopes by the logarithm of the range, with read noise and what happens inside converters.
pub fn slopes() -> Vec<Case> {
    let none: Inside = |_, _| ConverterEffects::default();
    let layers = (800..840).map(|seed| {
        let mut rng = Rng(seed);
        let inside = INSIDE[seed as usize % INSIDE.len()];
        let with = With {
            table: rng.coin(),
            read: rng.coin(),
            per_cell: rng.coin(),
            converter: Some(if rng.coin() { inside } else { none }),
            slope: true,
        };
        wanted(seed, with)
    });
    layers.collect()
}

/// A crossbar without noise, converters and epilogue.
pub fn plain(
    [x, x_step, g, w_step, y]: [TensorId; 5],
    geo: ConvGeometry,
    spec: Reading,
) -> Crossbar {
    Crossbar {
        x,
        x_step,
        g,
        variance: None,
        w_step,
        adc: None,
        range: None,
        correct: None,
        y,
        clipped: None,
        slope: None,
        geo,
        post: Post::NONE,
        spec,
    }
}

/// One column of cells that conduct 1, read bit by bit.
pub fn ones(rows: u32, dac: Dac) -> Reading {
    Reading {
        arrays: Arrays {
            cols: 1,
            rows: rows as usize,
            tile_rows: [0, rows].into(),
            tile_cols: [0, 1].into(),
            slice_bits: [1].into(),
            equal_slices: 1,
            weight_bits: 2,
            encoding: DIFFERENTIAL,
            g_min: 0.0,
            levels: None,
        },
        dac,
        adc: None,
        noise_per_cell: false,
        integer: false,
        exact: false,
        layer: 1,
    }
}

/// A linear layer of one column of ones, read with codes as they are.
fn column(x: &[f32], x_step: f32, want: f64, spec: Reading) -> Case {
    let mut case = Case::new(1, 1, 1);
    let geo = ConvGeometry::linear(x.len(), 1);
    let ones = case.shared(&vec![1.0; x.len()]);
    let x = case.given(arrays::input(&geo), Scope::Shared, x.to_vec());
    let [x_step, one] = [x_step, 1.0].map(|step| case.shared(&[step]));
    let y = case.result(arrays::output(&geo), Scope::PerChip);
    let op = plain([x, x_step, ones, one, y], geo, spec);
    case.want(y, vec![want], 0.0);
    case.section(vec![op.into()]);
    case
}

/// Codes beyond the input's bits are limited, and a step that is not above 0 reads nothing.
pub fn inputs_out_of_range() -> Vec<Case> {
    let dac = dac(3, 1, Some(InputSigns::TwosComplement));
    assert_eq!(arrays::codes(&dac), (-4, 3));
    let cases = [(1.0, -4.0 + 3.0 + 2.0), (0.0, 0.0)];
    let cases = cases.map(|(x_step, want)| {
        let x = [-9.0, 8.0, 2.0, 0.0];
        column(&x, x_step, want, ones(4, dac.clone()))
    });
    cases.into()
}

/// The only bit of an input is its sign.
pub fn signs_alone() -> Vec<Case> {
    let cases = [(false, false), (false, true), (true, false), (true, true)];
    let cases = cases.map(|(exact, analog_sum)| {
        let dac = Dac {
            analog_sum,
            ..dac(1, 1, Some(InputSigns::TwosComplement))
        };
        let spec = Reading {
            exact,
            ..ones(4, dac)
        };
        column(&[-1.0, 0.0, -1.0, -1.0], 1.0, -3.0, spec)
    });
    cases.into()
}

/// Ideal cells and converters of one level give exactly the integer product, whatever the mapping.
pub fn ideal_cells() -> Vec<Case> {
    let cases: Vec<(bool, Case)> = (400..520).filter_map(ideal).collect();
    assert!(cases.iter().filter(|(offset, _)| *offset).count() > 10);
    cases.into_iter().map(|(_, case)| case).collect()
}

/// A layer of ideal cells, and whether it has offset cells; `None` where it does not fit 32 bits.
fn ideal(seed: u64) -> Option<(bool, Case)> {
    let mut rng = Rng(seed);
    let geo = arrays::geometry(&mut rng);
    let (lsb, spec) = ideal_reading(&mut rng, &geo)?;
    let a = &spec.arrays;
    let mut case = Case::new(seed, rng.pick(1, 2), rng.pick(1, 20));
    let most = match a.weight_bits {
        1 => 1,
        b => (1 << (b - 1)) - 1,
    };
    // All slices of a place value hold the same digit.
    let equal = a.equal_slices as f32;
    let w = case.drawn(a.plane_len(), Scope::Shared, |rng| {
        let code = match (most, rng.coin()) {
            (1, true) => 1.0,
            (1, false) => -1.0,
            _ => rng.pick(0, 2 * most) as f32 - most as f32,
        };
        equal * code
    });
    let one = case.shared(&[1.0]);
    let n = case.count(arrays::input(&geo), Scope::Shared);
    let x = arrays::inputs(&mut rng, &spec.dac, n);
    let x = case.given(arrays::input(&geo), Scope::Shared, x);
    let array = case.drawn(a.cell_arrays(), Scope::PerChip, |_| 0.0);
    let g = case.temp(a.read_planes() * a.plane_len(), Scope::PerChip);
    let range = case.shared(&[lsb, 0.0].repeat(a.read_planes() * a.cols));
    let adc = case.temp(2 * a.converters(), Scope::PerChip);
    let y = case.result(arrays::output(&geo), Scope::PerChip);
    let has_adc = spec.adc.is_some();
    let program = ProgramCells {
        w,
        step: one,
        array,
        out: g,
        variance: None,
        spec: Programming::ideal(a.clone(), 1),
    };
    let fold = ConverterFold {
        range,
        scale: None,
        out: adc,
        spec: ConverterErrors {
            arrays: a.clone(),
            sharing: 1,
            columns: None,
            gain: 0.0,
            offset: 0.0,
            layer: 1,
        },
    };
    let read = Crossbar {
        adc: has_adc.then_some(adc),
        range: has_adc.then_some(range),
        ..plain([x, one, g, one, y], geo, spec.clone())
    };
    let want = case.each(Scope::PerChip, |_, image| {
        let (x, w) = (case.at(x, 0, image), case.at(w, 0, 0));
        let mut products = Vec::new();
        for (o, w) in w.chunks(a.rows).enumerate() {
            for pixel in 0..geo.h_out() * geo.w_out() {
                let rows = arrays::window(&geo, &x, o, pixel);
                let rows: Vec<f64> = rows.into_iter().map(f64::from).collect();
                products.push(dot(w, &rows));
            }
        }
        products
    });
    case.want(y, want, 0.0);
    case.own_kernels = true;
    case.section(vec![program.into(), fold.into(), read.into()]);
    let offset = matches!(a.encoding, Encoding::Offset { .. });
    Some((offset, case))
}

/// A reading that loses nothing, with the level of its converters.
fn ideal_reading(rng: &mut Rng, geo: &ConvGeometry) -> Option<(f32, Reading)> {
    let mut a = arrays::arrays(rng, geo);
    let dac = arrays::dac(rng, false);
    let single = matches!(
        a.encoding,
        Encoding::Offset { reference: 0 } | Encoding::Differential { digital: true, .. }
    );
    // A pair cancels what digit 0 conducts exactly; else a sum of many is rounded.
    a.g_min = if single || rng.coin() { 0.0 } else { 0.01 };
    let top = (0..a.slices()).map(|s| a.top_digit(s)).max().unwrap_or(0);
    let most = (a.rows as u32 * top) as f32 * dac.most();
    let halves = matches!(
        a.encoding,
        Encoding::Differential {
            two_sided: true,
            digital: true
        }
    );
    // Codes of half a level where cells are at half levels; too many codes: no converter.
    let lsb = if halves { 0.5 } else { 1.0 };
    let codes = (most / lsb) as i64 + 1;
    let codes = codes as i32;
    let adc = (codes < 1 << 13).then(|| Adc::with_codes(-codes, codes));
    let integer = adc.is_some() && rng.coin();
    let reading = Reading {
        arrays: a,
        dac,
        adc,
        noise_per_cell: false,
        integer,
        exact: !halves && rng.coin(),
        layer: 1,
    };
    reading.is_possible().then_some((lsb, reading))
}
