//! The layers of a point on arrays in the variants that an analysis reads: digits alone, a nominal chip, the chips of a sweep.

use super::feed::{Patches, as_linear};
use super::reads::check_exact;
use crate::chip::layer::CellLayer;
use crate::chip::ranges::{self, Converters};
use crate::config::chip::{AdcBits, ArraySize, CellEncoding, Compact, Rearrange, Subtraction};
use crate::config::{LayerSettings, Variation};
use crate::effects::Fill;
use crate::error::{Error, Result};
use crate::mapping::digits;
use crate::mapping::layout::Layout;
use crate::program::{Adc, Arrays, ConvGeometry, Encoding, Storage};
use crate::setup::{self, Point};
use crate::train::Model;

/// A layer on arrays.
pub(super) struct Layer {
    pub name: String,
    /// Position among the layers on crossbars.
    pub index: usize,
    pub geo: ConvGeometry,
    /// Largest arrays.
    pub size: ArraySize,
    /// Weight codes `[column][row]`.
    pub codes: Vec<i32>,
    /// Where the inputs of its columns are.
    pub patches: Patches,
    /// Every cell by itself, equal steps from 0 on: sums are sums of digits.
    pub digits: CellLayer,
    /// A nominal chip with ideal wires and without converters, whose cells lie as in the layer's matrix.
    pub nominal: CellLayer,
    /// The same with every cell read by itself, where the experiment has it.
    pub alone: CellLayer,
    /// The chips of a sweep, with their wires, every cell read by itself.
    pub real: CellLayer,
}

impl Layer {
    /// The layers of a point whose network is trained.
    ///
    /// # Errors
    /// A layer without codes or without digits, an impossible chip; sums that are not exact.
    pub fn all(point: &Point, model: &Model) -> Result<Vec<Self>> {
        check_fill(&point.layers)?;
        let made = |change: &dyn Fn(&mut LayerSettings)| of_settings(point, model, change);
        let nominal = made(&|own| {
            make_nominal(own);
            as_the_matrix(own);
        })?;
        let alone = made(&|own| {
            make_nominal(own);
            separate(own);
        })?;
        let real = made(&|own| {
            plain(own);
            separate(own);
        })?;
        let only_digits = made(&|own| {
            make_nominal(own);
            as_the_matrix(own);
            separate(own);
            own.chip.cells.on_off_ratio = f64::INFINITY;
            own.chip.cells.levels.clear();
            own.chip.dac.table.clear();
        })?;
        let crossbars = model.graph.crossbars();
        let variants = nominal.into_iter().zip(alone);
        let variants = variants.zip(real.into_iter().zip(only_digits));
        let layers = variants.map(|((nominal, alone), (real, digits))| {
            let index = nominal.index();
            let (node, geo, _) = crossbars[index];
            let name = &model.graph.nodes[node].name;
            let layer = Layer {
                codes: setup::codes(&model.parameters, name, &nominal.programming.arrays)?,
                name: name.clone(),
                size: point.layers[index].chip.array.clone(),
                patches: Patches::new(&geo),
                index,
                geo,
                digits,
                nominal,
                alone,
                real,
            };
            let converters = layer.converters(&layer.digits);
            let planes = 0..layer.digits.reading.arrays.read_planes();
            let most = planes.map(|p| converters.most(p)).fold(0.0, f64::max);
            check_exact(
                &layer.name,
                most / ranges::grain(&layer.digits.reading.arrays),
            )?;
            Ok(layer)
        });
        layers.collect()
    }

    /// Arrays as the chip has them.
    pub fn arrays(&self) -> &Arrays {
        &self.nominal.reading.arrays
    }

    /// The layout of its cells, where that is not the matrix.
    pub fn laid(&self) -> Option<&Layout> {
        self.real.layout.as_deref()
    }

    /// The geometry of its columns, one vector at a time.
    pub fn linear(&self) -> ConvGeometry {
        as_linear(&self.geo)
    }

    /// Digits of all cells `[cell plane][column][row]`.
    pub fn digits(&self) -> Vec<f32> {
        digits::planes(self.arrays(), &self.codes)
    }

    /// Codes as programming takes them.
    pub fn weights(&self) -> Vec<f32> {
        self.codes.iter().map(|&q| q as f32).collect()
    }

    /// What the sums of a variant can be at most; the codes of the converters do not matter.
    pub fn converters(&self, variant: &CellLayer) -> Converters {
        let reading = &variant.reading;
        Converters::new(&reading.arrays, &reading.dac, &Adc::with_codes(0, 1))
    }

    /// Whether what converters see are the sums of single cells' digits.
    pub fn reads_digits(&self) -> bool {
        let (a, dac) = (&self.nominal.reading.arrays, &self.nominal.reading.dac);
        a.encoding == self.digits.reading.arrays.encoding
            && (a.g_min == 0.0 && a.levels.is_none() && dac.table.is_none())
    }
}

/// Slices that share a weight otherwise than by its digits hold none.
fn check_fill(layers: &[LayerSettings]) -> Result<()> {
    let mut on_arrays = layers.iter().filter(|own| !own.digital);
    match on_arrays.find(|own| own.chip.cells.fill != Fill::Digits) {
        None => Ok(()),
        Some(own) => Err(Error::input(format!(
            "layer `{}`: chip.cells.fill = \"{}\": its cells hold shares of weights and no digits, so there are none to count; \
             allowed: \"{}\"",
            own.name,
            own.chip.cells.fill,
            Fill::Digits
        ))),
    }
}

/// Names of the sets of converters of every read plane.
pub(super) fn read_names(arrays: &Arrays) -> Vec<&'static str> {
    let name = |p: usize| match (arrays.encoding, p % 2) {
        (Encoding::Differential { digital: false, .. }, _) => "difference",
        (Encoding::Differential { digital: true, .. }, 0) => "positive",
        (Encoding::Differential { digital: true, .. }, _) => "negative",
        (Encoding::Offset { reference: 0 }, _) => "offset",
        (Encoding::Offset { .. }, _) => "less reference",
    };
    (0..arrays.read_planes()).map(name).collect()
}

/// The layers with changed settings.
pub(super) fn of_settings(
    point: &Point,
    model: &Model,
    change: &dyn Fn(&mut LayerSettings),
) -> Result<Vec<CellLayer>> {
    let mut settings = point.layers.to_vec();
    settings.iter_mut().for_each(change);
    let mut layers = setup::cell_layers(&settings, &model.graph, &model.numerics)?;
    let of = (&model.graph, &model.parameters);
    setup::lay_out(&mut layers, &settings, of)?;
    Ok(layers)
}

/// No converters, conductances in single precision.
fn plain(own: &mut LayerSettings) {
    own.chip.adc.bits = AdcBits::Same(0);
    own.chip.cells.storage = Storage::F32;
}

/// Cells that hold their digits.
pub(super) fn without_errors(own: &mut LayerSettings) {
    plain(own);
    own.variation = Variation::default();
    own.chip.programming = Default::default();
    own.chip.drift = Default::default();
    own.chip.read = Default::default();
}

/// The same with ideal wires.
fn make_nominal(own: &mut LayerSettings) {
    without_errors(own);
    own.chip.wires = Default::default();
}

/// Cells lie in the arrays as in the layer's matrix.
fn as_the_matrix(own: &mut LayerSettings) {
    own.chip.array.rearrange = Rearrange::No;
    own.chip.array.compact = Compact::No;
}

/// Every cell is read by itself.
fn separate(own: &mut LayerSettings) {
    let cells = &mut own.chip.cells;
    match cells.encoding {
        CellEncoding::Differential => cells.subtraction = Subtraction::Digital,
        CellEncoding::Offset => cells.reference = 0,
    }
}
