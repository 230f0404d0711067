//! Rows `program/cells` and `cells/*`: the arrays of ResNet-20 on 32 x 32 images (He et al., arXiv
//! 1512.03385, 4.2) at cell level, one layer after the other, every chip with errors of its own. The
//! additions between layers and the pooling are left out: they are less than one in a thousand of
//! the operations.
//!
//! * `cells/2slice-serial`: 8-bit weights in two slices of differential pairs, subtracted before the
//!   converter; inputs bit by bit, an 8-bit conversion per bit; arrays of at most 128 rows.
//! * `cells/1slice`: one slice, whole inputs at once, an 8-bit conversion; arrays of at most 1152 rows.
//! * `cells/2slice-serial-noise`: the first with read noise and thermal noise at every conversion.
//! * `cells/2slice-serial-f16`: the first with conductances kept in halves.
//! * `cells/exact`: the first on ideal cells, whose integers a backend may add as bits.
//! * `cells/exact-1024x256`: one matrix of ideal cells, 8-bit weights in four slices of two bits, 8-bit
//!   inputs bit by bit, a conversion of every slice and bit, arrays of 128 rows.
//!
//! A multiply-accumulate is one of a plane and a step, so the first row has 16 times as many as the
//! network. The last row's rate counts those of the matrix: one of an 8-bit weight and an 8-bit input.

use super::{Case, Class, Cost, Setup, Work, next_wave, values, wait_state};
use crate::backend::Program;
use crate::error::Result;
use crate::program::*;

/// `program/cells`: cells with Gaussian errors.
pub(super) const PROGRAM: Case = case("program/cells", program);
/// `cells/2slice-serial`
pub(super) const TWO_SLICES: Case = case("cells/2slice-serial", |s| network(s, &SERIAL));
/// `cells/2slice-serial-noise`
pub(super) const NOISE: Case = case("cells/2slice-serial-noise", |s| {
    network(
        s,
        &Chip {
            noise: true,
            ..SERIAL
        },
    )
});
/// `cells/2slice-serial-f16`
pub(super) const HALVES: Case = case("cells/2slice-serial-f16", |s| {
    network(
        s,
        &Chip {
            storage: Storage::F16,
            ..SERIAL
        },
    )
});
/// `cells/1slice`
pub(super) const ONE_SLICE: Case = case("cells/1slice", |s| {
    network(
        s,
        &Chip {
            slices: &[7],
            dac_bits: 8,
            rows: 1152,
            ..SERIAL
        },
    )
});
/// `cells/exact`
pub(super) const EXACT: Case = case("cells/exact", |s| {
    network(
        s,
        &Chip {
            exact: true,
            ..SERIAL
        },
    )
});
/// `cells/exact-1024x256`
pub(super) const MATRIX: Case = Case {
    least: Class::Software,
    ..case("cells/exact-1024x256", |s| {
        network(
            s,
            &Chip {
                layers: || vec![ConvGeometry::linear(1024, 256)],
                slices: &[2, 2, 2, 2],
                encoding: Encoding::Offset { reference: 0 },
                exact: true,
                images: (512, 128, 512),
                ..SERIAL
            },
        )
    })
};

/// What differs between the rows.
struct Chip {
    layers: fn() -> Vec<ConvGeometry>,
    slices: &'static [u8],
    encoding: Encoding,
    dac_bits: u32,
    /// Most rows of an array.
    rows: usize,
    /// Ideal cells.
    exact: bool,
    /// Noise at every conversion.
    noise: bool,
    /// How conductances are kept.
    storage: Storage,
    /// Images that fill a software adapter, the processor and a GPU.
    images: (usize, usize, usize),
}

const SERIAL: Chip = Chip {
    layers: resnet20,
    slices: &[4, 3],
    encoding: PAIR,
    dac_bits: 1,
    rows: 128,
    exact: false,
    noise: false,
    storage: Storage::F32,
    images: (16, 64, 256),
};

/// Pairs of cells, subtracted before the converter.
const PAIR: Encoding = Encoding::Differential {
    two_sided: false,
    digital: false,
};

const fn case(name: &'static str, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least: Class::Processor,
        prepare,
    }
}

/// Bits of inputs and converters.
const BITS: u32 = 8;
/// Relative standard deviation of a conductance.
const SIGMA: f32 = 0.05;

/// Equal tiles of at most `most`.
fn tiles(n: usize, most: usize) -> std::sync::Arc<[u32]> {
    let count = n.div_ceil(most);
    (0..=count).map(|i| (n * i / count) as u32).collect()
}

fn arrays(cols: usize, rows: usize, slices: &[u8], encoding: Encoding, most: usize) -> Arrays {
    Arrays {
        cols,
        rows,
        tile_rows: tiles(rows, most),
        tile_cols: tiles(cols, cols),
        slice_bits: slices.into(),
        equal_slices: 1,
        weight_bits: 8,
        encoding,
        g_min: 0.01,
        levels: None,
    }
}

fn programming(arrays: &Arrays, sigma: f32, layer: u32) -> Programming {
    Programming::ideal(arrays.clone(), layer).varied(sigma)
}

fn codes(n: usize, layer: u32) -> Vec<f32> {
    let code = |v: f32| (40.0 * v).round().clamp(-127.0, 127.0);
    values(n, layer).into_iter().map(code).collect()
}

fn program(setup: &Setup) -> Result<Work> {
    let (cols, rows) = setup.pick((128, 512), (512, 512), (1024, 1024));
    let n = cols * rows;
    let a = arrays(cols, rows, &[4, 3], PAIR, 128);
    let mut program = Program::default();
    let w = program.tensor("w", Shape::Flat(n), Scope::Shared, Role::State);
    let step = program.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
    let all = Shape::Flat(a.cell_arrays());
    let array = program.tensor("array", all, Scope::PerChip, Role::State);
    let planes = Shape::Flat(2 * n);
    let out = program.tensor("out", planes, Scope::PerChip, Role::State);
    let wait = wait_state(&mut program);
    let spec = programming(&a, SIGMA, 1);
    let op = Op::from(ProgramCells {
        w,
        step,
        array,
        out,
        variance: None,
        spec,
    });
    let section = program.section("program", vec![op]);
    let mut p = setup.prepare(&program, setup.pick(2, 4, 16), 0)?;
    p.session.write(w, &codes(n, 1))?;
    p.session.write(step, &[1.0])?;
    Ok(Work {
        step: next_wave(section, p.chips, 0),
        session: p.session,
        wait,
        done: 0,
        sizes: format!("{} chips x {cols} x {rows} weights", p.chips),
        amount: (a.cells() * p.chips) as f64,
        unit: "cell",
        cost: Cost::Bytes((4 * n * (2 * p.chips + 1)) as f64),
        traffic: program.traffic(section, p.chips, 0),
    })
}

/// Layers of ResNet-20.
fn resnet20() -> Vec<ConvGeometry> {
    let conv = |c_in, c_out, side: usize, stride: usize| ConvGeometry {
        c_in,
        h_in: side,
        w_in: side,
        c_out,
        kh: 3,
        kw: 3,
        stride: [stride; 2],
        dilation: [1; 2],
        pad: [1; 4],
        groups: 1,
    };
    let mut layers = vec![conv(3, 16, 32, 1)];
    layers.extend([conv(16, 16, 32, 1); 6]);
    layers.push(conv(16, 32, 32, 2));
    layers.extend([conv(32, 32, 16, 1); 5]);
    layers.push(conv(32, 64, 16, 2));
    layers.extend([conv(64, 64, 8, 1); 5]);
    layers
}

/// Highest code of an input.
const TOP: i32 = (1 << BITS) - 1;
/// Highest code of a converter.
const MOST: i32 = (1 << (BITS - 1)) - 1;

fn network(setup: &Setup, chip: &Chip) -> Result<Work> {
    let layers = (chip.layers)();
    let matrix = layers.len() == 1;
    let image = Shape::Image {
        c: layers[0].c_in,
        h: layers[0].h_in,
        w: layers[0].w_in,
    };
    let mut network = Network::new(chip, image);
    let (images, one) = (network.x, network.one);
    for geo in layers {
        network.add(geo);
    }
    let Network {
        mut program,
        cells,
        reads,
        states,
        macs,
        products,
        ..
    } = network;
    let wait = wait_state(&mut program);
    let set = program.section("cells", cells);
    let read = program.section("read", reads);
    let (few, some, many) = chip.images;
    let mut p = setup.prepare(&program, setup.pick(1, 2, 16), setup.pick(few, some, many))?;
    let pixels = values(p.images * image.len(), 99);
    let pixels = pixels.iter().map(|v| (60.0 * v.abs()).round().min(255.0));
    p.session.write(images, &pixels.collect::<Vec<_>>())?;
    p.session.write(one, &[1.0])?;
    for (t, v) in states {
        p.session.write(t, &v)?;
    }
    p.session.run(set, &super::wave(p.chips, 0, 0))?;
    let pairs = (p.chips * p.images) as f64;
    Ok(Work {
        step: next_wave(read, p.chips, p.images),
        session: p.session,
        wait,
        done: 0,
        sizes: format!("{} chips x {} images", p.chips, p.images),
        amount: if matrix {
            pairs * products as f64
        } else {
            pairs
        },
        unit: if matrix { "MAC" } else { "chip-image" },
        cost: Cost::Flops(2.0 * pairs * macs as f64),
        traffic: program.traffic(read, p.chips, p.images),
    })
}

/// A network being lowered, layer after layer.
struct Network<'a> {
    chip: &'a Chip,
    program: Program,
    /// A state of 1.
    one: TensorId,
    /// Output of the last layer.
    x: TensorId,
    /// Number of layers.
    layers: usize,
    /// Operators that fabricate, and operators that read.
    cells: Vec<Op>,
    reads: Vec<Op>,
    /// Values of the states.
    states: Vec<(TensorId, Vec<f32>)>,
    /// Multiply-accumulates of planes and steps, and of weights and inputs.
    macs: usize,
    products: usize,
}

impl<'a> Network<'a> {
    fn new(chip: &'a Chip, image: Shape) -> Self {
        let mut program = Program::default();
        Self {
            chip,
            x: program.tensor("images", image, Scope::Shared, Role::Input),
            one: program.tensor("one", Shape::Flat(1), Scope::Shared, Role::State),
            program,
            layers: 0,
            cells: vec![],
            reads: vec![],
            states: vec![],
            macs: 0,
            products: 0,
        }
    }

    fn state(&mut self, name: &str, len: usize, scope: Scope) -> TensorId {
        let name = format!("{name}{}", self.layers);
        self.program
            .tensor(name, Shape::Flat(len), scope, Role::State)
    }

    /// Adds a layer: its states, the operators that fabricate it, the one that reads it.
    fn add(&mut self, geo: ConvGeometry) {
        let chip = self.chip;
        let scope = match chip.exact {
            true => Scope::Shared,
            false => Scope::PerChip,
        };
        let a = arrays(geo.c_out, geo.rows(), chip.slices, chip.encoding, chip.rows);
        let planes = a.read_planes() * a.plane_len();
        let w = self.state("w", a.plane_len(), Scope::Shared);
        let scale = self.state("scale", 1, Scope::Shared);
        let array = self.state("array", a.cell_arrays(), scope);
        let g = self.state("g", planes, scope);
        let variance = chip.noise.then(|| self.state("variance", planes, scope));
        let range = self.state("range", 2 * a.read_planes() * a.cols, Scope::Shared);
        let adc = self.state("adc", 2 * a.converters(), Scope::PerChip);
        self.program.keep(g, chip.storage);
        let map = Shape::Image {
            c: geo.c_out,
            h: geo.h_out(),
            w: geo.w_out(),
        };
        let y = format!("y{}", self.layers);
        let y = self.program.tensor(y, map, Scope::PerChip, Role::Temp);

        let layer = self.layers as u32;
        self.cells.push(Op::from(ProgramCells {
            w,
            step: self.one,
            array,
            out: g,
            variance,
            spec: chip.programming(&a, layer),
        }));
        self.cells.push(Op::from(ConverterFold {
            range,
            scale: None,
            out: adc,
            spec: ConverterErrors::none(a.clone(), layer),
        }));
        let reading = chip.reading(&a, layer);
        self.macs += geo.macs() * a.read_planes() * reading.dac.steps();
        self.products += geo.macs();
        self.reads.push(Op::from(Crossbar {
            x: self.x,
            x_step: self.one,
            g,
            variance,
            w_step: scale,
            adc: Some(adc),
            range: Some(range),
            correct: None,
            y,
            clipped: None,
            slope: None,
            geo,
            post: Post {
                quant: Some(ActQuant {
                    scale: self.one,
                    lo: 0,
                    hi: TOP,
                    rounding: Rounding::Nearest,
                }),
                ..Post::NONE
            },
            spec: reading,
        }));
        self.states.push((w, codes(a.plane_len(), layer + 1)));
        // Keeps the activations between zero and the highest code.
        let shrink = 1.0 / (60.0 * (a.rows as f32).sqrt());
        self.states.push((scale, vec![shrink]));
        let ranges = [chip.lsb(&a), 0.0].repeat(a.read_planes() * a.cols);
        self.states.push((range, ranges));
        self.x = y;
        self.layers += 1;
    }
}

impl Chip {
    fn programming(&self, arrays: &Arrays, layer: u32) -> Programming {
        let sigma = if self.exact { 0.0 } else { SIGMA };
        Programming {
            read_noise: CellReadNoise {
                proportional: if self.noise { 0.01 } else { 0.0 },
                ..CellReadNoise::default()
            },
            ..programming(arrays, sigma, layer)
        }
    }

    fn reading(&self, arrays: &Arrays, layer: u32) -> Reading {
        Reading {
            arrays: arrays.clone(),
            dac: Dac {
                input_bits: BITS,
                dac_bits: self.dac_bits,
                signs: None,
                table: None,
                analog_sum: false,
            },
            adc: Some(Adc::with_codes(-MOST, MOST).noisy(if self.noise { 0.3 } else { 0.0 })),
            noise_per_cell: false,
            integer: self.exact,
            exact: self.exact,
            layer,
        }
    }

    /// Step of the converters, as levels.
    fn lsb(&self, arrays: &Arrays) -> f32 {
        if self.exact {
            return 1.0;
        }
        // About two standard deviations of a sum, as levels.
        let spread = 0.35 * f32::from(self.slices[0]).exp2() * (arrays.rows as f32).sqrt();
        let whole = self.dac_bits > 1;
        let full = 2.0 * spread * if whole { TOP as f32 } else { 1.0 };
        full / MOST as f32
    }
}
