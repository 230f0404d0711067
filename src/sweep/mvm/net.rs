//! The program of one matrix.

use crate::backend::{Backend, Capacity, Session};
use crate::chip::layer::{CellLayer, Tuned};
use crate::error::{Error, Result};
use crate::network::lower::cells::program_ops;
use crate::program::{
    ConvGeometry, ConverterFold, Crossbar, IrDrop, PartialSums, Post, Program, Role, Scope,
    SectionId, Shape, TensorId,
};

/// The program of one matrix.
pub(super) struct Net {
    pub program: Program,
    pub x: TensorId,
    pub x_step: TensorId,
    pub w: TensorId,
    pub w_step: TensorId,
    pub array: TensorId,
    pub cells: Option<TensorId>,
    pub planes: TensorId,
    pub variance: Option<TensorId>,
    pub range: Option<TensorId>,
    pub correct: Option<TensorId>,
    pub scale: Option<TensorId>,
    pub adc: Option<TensorId>,
    pub y: TensorId,
    pub clipped: TensorId,
    pub sums: TensorId,
    pub program_cells: SectionId,
    pub wires: Option<SectionId>,
    pub convert: Option<SectionId>,
    pub read: SectionId,
}

impl Net {
    pub fn new(layer: &CellLayer, geo: ConvGeometry) -> Self {
        let mut p = Program::default();
        let a = &layer.programming.arrays;
        let mut flat = |name: &str, n, scope| p.tensor(name, Shape::Flat(n), scope, Role::State);
        let (shared, chip) = (Scope::Shared, Scope::PerChip);
        let planes_len = a.read_planes() * a.plane_len();
        let x_step = flat("input step", 1, shared);
        let w = flat("weights", a.plane_len(), shared);
        let w_step = flat("weight step", 1, shared);
        let array = flat("arrays", a.cell_arrays(), chip);
        let cells = layer
            .wires
            .is_some()
            .then(|| flat("cells", a.cells(), chip));
        let planes = flat("planes", planes_len, chip);
        let variance = layer
            .reads_noise()
            .then(|| flat("variance", planes_len, chip));
        let converts = layer.reading.adc.is_some();
        let range = converts.then(|| flat("range", 2 * a.read_planes() * a.cols, shared));
        let adc = converts.then(|| flat("converters", 2 * a.converters(), chip));
        let correct =
            (layer.tuned == Tuned::Digital).then(|| flat("correction", 2 * a.converters(), chip));
        let read_arrays = a.row_tiles() * a.col_tiles() * a.read_planes();
        let scale = (layer.tuned == Tuned::Reference && converts)
            .then(|| flat("reference", read_arrays, chip));
        p.keep(planes, layer.kept());
        let mut map = |name: &str, c, scope, role| {
            p.tensor(name, Shape::Image { c, h: 1, w: 1 }, scope, role)
        };
        let x = map("inputs", geo.c_in, shared, Role::Input);
        let y = map("outputs", geo.c_out, chip, Role::Output);
        let clipped = map("clipped", geo.c_out, chip, Role::Output);
        let conversions = layer.reading.dac.conversions();
        let sums = map("sums", a.converters() * conversions, chip, Role::Output);
        let mut net = Self {
            program: p,
            x,
            x_step,
            w,
            w_step,
            array,
            cells,
            planes,
            variance,
            range,
            correct,
            scale,
            adc,
            y,
            clipped,
            sums,
            program_cells: SectionId(0),
            wires: None,
            convert: None,
            read: SectionId(0),
        };
        net.add_sections(layer, geo);
        net
    }

    /// What is run, in order.
    fn add_sections(&mut self, layer: &CellLayer, geo: ConvGeometry) {
        self.program_cells = self.program.section(
            "program",
            program_ops(
                layer,
                (self.w, self.w_step, self.array),
                self.planes,
                self.cells,
                self.variance,
            ),
        );
        self.wires = layer.wires.as_ref().zip(self.cells).map(|(spec, g)| {
            let (out, spec) = (self.planes, spec.clone());
            self.program
                .section("wires", vec![IrDrop { g, out, spec }.into()])
        });
        self.convert = self.range.zip(self.adc).map(|(range, out)| {
            let fold = ConverterFold {
                range,
                scale: self.scale,
                out,
                spec: layer.errors.clone(),
            };
            self.program.section("convert", vec![fold.into()])
        });
        let whole = Crossbar {
            x: self.x,
            x_step: self.x_step,
            g: self.planes,
            variance: self.variance,
            w_step: self.w_step,
            adc: self.adc,
            range: self.range,
            correct: self.correct,
            y: self.y,
            clipped: Some(self.clipped),
            slope: None,
            geo,
            post: Post::NONE,
            spec: layer.reading.clone(),
        };
        let before = unconverted(&whole, self.sums);
        self.read = self
            .program
            .section("read", vec![before.into(), whole.into()]);
    }

    /// What is read of every chip: outputs, planes, clipped conversions, sums, and the converters' constants where there
    /// are converters.
    pub fn stages(&self) -> Vec<TensorId> {
        let mut stages = vec![self.y, self.planes, self.clipped, self.sums];
        stages.extend(self.adc);
        stages
    }

    pub fn open(
        &self,
        backend: &dyn Backend,
        count: usize,
        chips: usize,
    ) -> Result<Box<dyn Session>> {
        let want = Capacity {
            chips,
            images: count,
            chunk: count,
        };
        self.program.check_images(count)?;
        let fits = backend.fit(&self.program, want)?;
        if fits.chunk < count {
            return Err(Error::capacity(format!(
                "{count} input vectors at once do not fit this backend, {} do; use fewer",
                fits.chunk
            )));
        }
        if fits.chips < chips {
            return Err(Error::capacity(format!(
                "{chips} chips at once do not fit this backend, {} do; use fewer",
                fits.chips
            )));
        }
        backend.prepare(&self.program, want)
    }
}

/// What the converters of a layer see.
fn unconverted(layer: &Crossbar, y: TensorId) -> PartialSums {
    PartialSums {
        x: layer.x,
        x_step: layer.x_step,
        g: layer.g,
        variance: layer.variance,
        y,
        geo: layer.geo,
        spec: layer.spec.without_converter(),
    }
}
