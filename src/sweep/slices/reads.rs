//! The arrays of one layer, read vector by vector: the operators of a sweep on either backend.

use crate::backend::{Backend, Capacity, RunArgs, Session};
use crate::chip::layer::CellLayer;
use crate::error::{Error, Result};
use crate::network::lower::cells::{program_ops, program_placed};
use crate::program::{
    ConvGeometry, IrDrop, LANES, Op, PartialSums, Program, Role, Scope, SectionId, Shape, TensorId,
};

/// Bytes of the sums of one run.
const BYTES: usize = 64 << 20;
/// Most vectors of one run.
const VECTORS: usize = 4096;
/// Whole numbers up to this are exact in single precision.
const EXACT: f64 = 16_777_216.0;

/// Which chip.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChipOf<'a> {
    /// Seed of its random numbers.
    pub seed: u64,
    /// Its index.
    pub chip: u32,
    /// What the cells of every array have in common.
    pub arrays: &'a [f32],
}

/// One chip's arrays of a layer.
pub(super) struct Reads {
    session: Box<dyn Session>,
    x: TensorId,
    planes: TensorId,
    w: TensorId,
    array: TensorId,
    sums: TensorId,
    program: Vec<SectionId>,
    read: SectionId,
    /// Most vectors of one run.
    pub vectors: usize,
}

impl Reads {
    /// Prepares a layer whose columns see vectors ([`super::feed::as_linear`]).
    ///
    /// # Errors
    /// What does not fit the backend.
    pub fn new(backend: &dyn Backend, layer: &CellLayer, geo: ConvGeometry) -> Result<Self> {
        let mut p = Program::default();
        let a = &layer.programming.arrays;
        let mut flat = |name: &str, n, scope| p.tensor(name, Shape::Flat(n), scope, Role::State);
        let (shared, chip) = (Scope::Shared, Scope::PerChip);
        let one = flat("step", 1, shared);
        let w = flat("weights", a.plane_len(), shared);
        let array = flat("arrays", a.cell_arrays(), chip);
        let planes = flat("planes", a.read_planes() * a.plane_len(), chip);
        let apart = layer.wires.as_ref().filter(|_| layer.layout.is_none());
        let cells = apart.map(|_| flat("cells", a.cells(), chip));
        let mut map = |name: &str, c, scope, role| {
            p.tensor(name, Shape::Image { c, h: 1, w: 1 }, scope, role)
        };
        let x = map("inputs", geo.c_in, shared, Role::Input);
        let channels = a.converters() * layer.reading.dac.conversions();
        let sums = map("sums", channels, chip, Role::Output);
        let ops = match &layer.layout {
            None => program_ops(layer, (w, one, array), planes, cells, None),
            Some(layout) => {
                let of = (w, one, array);
                program_placed(&mut p, "layer", (layer, layout), of, planes, None)
            }
        };
        let mut program = vec![p.section("program", ops)];
        if let (Some(spec), Some(g)) = (&layer.wires, cells) {
            let op = Op::from(IrDrop {
                g,
                out: planes,
                spec: spec.clone(),
            });
            program.push(p.section("wires", vec![op]));
        }
        let op = Op::from(PartialSums {
            x,
            x_step: one,
            g: planes,
            variance: None,
            y: sums,
            geo,
            spec: layer.reading.without_converter(),
        });
        let read = p.section("read", vec![op]);
        let fit = (BYTES / (4 * channels)).clamp(LANES, VECTORS) / LANES * LANES;
        let want = Capacity {
            chips: 1,
            images: fit,
            chunk: fit,
        };
        let capacity = backend.fit(&p, want)?;
        let mut session = backend.prepare(&p, capacity)?;
        // Weights and inputs are codes.
        session.write(one, &[1.0])?;
        Ok(Self {
            session,
            x,
            planes,
            w,
            array,
            sums,
            program,
            read,
            vectors: capacity.chunk.min(capacity.images),
        })
    }

    /// Puts read planes in the place of what programming would give.
    pub fn hold(&mut self, planes: &[f32]) -> Result<()> {
        self.session.write(self.planes, planes)
    }

    /// Programs a chip with weight codes `[column][row]`.
    pub fn program(&mut self, codes: &[f32], chip: ChipOf) -> Result<()> {
        self.session.write(self.w, codes)?;
        self.session.write(self.array, chip.arrays)?;
        let args = RunArgs::wave(chip.seed, chip.chip, 1, 0..0);
        for &section in &self.program {
            self.session.run(section, &args)?;
        }
        Ok(())
    }

    /// Sums `[vector][read plane][column][row tile][conversion]` in level units, of at most [`Reads::vectors`] vectors of codes.
    pub fn sums(&mut self, vectors: &[f32], count: usize) -> Result<Vec<f32>> {
        self.session.write(self.x, vectors)?;
        self.session
            .run(self.read, &RunArgs::wave(0, 0, 1, 0..count))?;
        self.session.read(self.sums)
    }
}

/// Sees that whole sums of a layer, none above `most`, are exact.
///
/// # Errors
/// Larger sums than single precision holds, with the field that makes them.
pub(super) fn check_exact(name: &str, most: f64) -> Result<()> {
    if most < EXACT {
        return Ok(());
    }
    Err(Error::input(format!(
        "layer `{name}`: sums of a column of up to {most} levels are not exact in single precision; allowed: less than \
         {EXACT} (fewer chip.array.rows, smaller slices in chip.cells.slice_bits, or fewer bits a step in chip.dac.bits)"
    )))
}
