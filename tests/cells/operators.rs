//! A layer on arrays, programmed and read by the operators of a backend.

use pimento::backend::{Backend, Capacity, SectionId};
use pimento::program::*;

/// A fully connected layer with its values.
pub struct Layer<'a> {
    pub programming: &'a Programming,
    pub errors: &'a ConverterErrors,
    pub reading: &'a Reading,
    /// Pairs `(lsb, lo)`, `[read plane][column]`.
    pub ranges: &'a [[f32; 2]],
    /// Codes times `w_step`, `[column][row]`.
    pub weights: Vec<f32>,
    pub w_step: f32,
    /// Codes times `x_step`, image by image.
    pub inputs: Vec<f32>,
    pub x_step: f32,
    /// Common deviations of the arrays, chip by chip.
    pub array: Vec<f32>,
    /// Corrections, chip by chip, with read noise and counts of clipped conversions; none of it where
    /// there are none.
    pub correct: Option<Vec<f32>>,
}

/// The chips that are made: their seed, and the first one.
#[derive(Clone, Copy)]
pub struct Chips {
    pub seed: u64,
    pub first: u32,
}

/// What the operators compute. Without corrections there are no variances and clips, without
/// converters nothing of theirs.
pub struct Made {
    pub g: Vec<f32>,
    pub variance: Vec<f32>,
    pub adc: Vec<f32>,
    pub y: Vec<f32>,
    pub clipped: Vec<f32>,
}

/// A program being written, with the values of its tensors.
#[derive(Default)]
struct Written {
    program: Program,
    values: Vec<(TensorId, Vec<f32>)>,
}

impl Written {
    fn state(&mut self, name: &str, len: usize, scope: Scope) -> TensorId {
        let shape = Shape::Flat(len);
        self.program.tensor(name, shape, scope, Role::State)
    }

    /// A state of as many values as are given.
    fn shared(&mut self, name: &str, values: Vec<f32>) -> TensorId {
        let tensor = self.state(name, values.len(), Scope::Shared);
        self.values.push((tensor, values));
        tensor
    }

    /// A state of `len` values a chip.
    fn per_chip(&mut self, name: &str, len: usize, values: Vec<f32>) -> TensorId {
        let tensor = self.state(name, len, Scope::PerChip);
        self.values.push((tensor, values));
        tensor
    }

    fn pixel(&mut self, name: &str, c: usize, scope: Scope, role: Role) -> TensorId {
        let shape = Shape::Image { c, h: 1, w: 1 };
        self.program.tensor(name, shape, scope, role)
    }
}

/// Tensors that are read back, where there are some.
struct Computed {
    g: TensorId,
    variance: Option<TensorId>,
    adc: Option<TensorId>,
    y: TensorId,
    clipped: Option<TensorId>,
}

/// Programs the layer on as many chips as it has deviations for, and reads it once an image.
pub fn run(backend: &dyn Backend, layer: &Layer, chips: Chips) -> Made {
    let mut p = Written::default();
    let (make, read, computed) = write(&mut p, layer);
    let a = &layer.reading.arrays;
    let n = layer.array.len() / a.cell_arrays();
    let images = layer.inputs.len() / a.rows;
    let capacity = Capacity {
        chips: n,
        images,
        chunk: images,
    };
    let mut session = backend.prepare(&p.program, capacity).unwrap();
    for (tensor, values) in &p.values {
        session.write(*tensor, values).unwrap();
    }
    let args = |images| RunArgs::wave(chips.seed, chips.first, n, images);
    session.run(make, &args(0..0)).unwrap();
    session.run(read, &args(0..images)).unwrap();
    let mut get = |t: Option<TensorId>| t.map_or(vec![], |t| session.read(t).unwrap());
    Made {
        g: get(Some(computed.g)),
        variance: get(computed.variance),
        adc: get(computed.adc),
        y: get(Some(computed.y)),
        clipped: get(computed.clipped),
    }
}

/// Writes the sections that program the layer and that read it.
fn write(p: &mut Written, layer: &Layer) -> (SectionId, SectionId, Computed) {
    let (shared, per_chip) = (Scope::Shared, Scope::PerChip);
    let a = &layer.reading.arrays;
    let full = layer.correct.is_some();
    let has_adc = layer.reading.adc.is_some();
    let w = p.shared("w", layer.weights.clone());
    let w_step = p.shared("w_step", vec![layer.w_step]);
    let x_step = p.shared("x_step", vec![layer.x_step]);
    let array = p.per_chip("array", a.cell_arrays(), layer.array.clone());
    let range = p.shared("range", layer.ranges.concat());
    let correct = layer.correct.clone();
    let correct = correct.map(|values| p.per_chip("correct", 2 * a.converters(), values));
    let planes = a.read_planes() * a.plane_len();
    let g = p.state("g", planes, per_chip);
    let variance = full.then(|| p.state("variance", planes, per_chip));
    let adc = has_adc.then(|| p.state("adc", 2 * a.converters(), per_chip));
    let x = p.pixel("x", a.rows, shared, Role::Input);
    p.values.push((x, layer.inputs.clone()));
    let y = p.pixel("y", a.cols, per_chip, Role::Output);
    let clipped = full.then(|| p.pixel("clipped", a.cols, per_chip, Role::Output));
    let mut make = vec![Op::from(ProgramCells {
        w,
        step: w_step,
        array,
        out: g,
        variance,
        spec: layer.programming.clone(),
    })];
    make.extend(adc.map(|out| {
        Op::from(ConverterFold {
            range,
            scale: None,
            out,
            spec: layer.errors.clone(),
        })
    }));
    let make = p.program.section("make", make);
    let read = Op::from(Crossbar {
        x,
        x_step,
        g,
        variance,
        w_step,
        adc,
        range: has_adc.then_some(range),
        correct,
        y,
        clipped,
        slope: None,
        geo: ConvGeometry::linear(a.rows, a.cols),
        post: Post::NONE,
        spec: layer.reading.clone(),
    });
    let read = p.program.section("read", vec![read]);
    let computed = Computed {
        g,
        variance,
        adc,
        y,
        clipped,
    };
    (make, read, computed)
}
