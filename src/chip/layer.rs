//! One crossbar layer at cell level: the constants of its operators, and how it is evaluated.
//!
//! # The cheapest exactly equivalent route
//! [`Route::of`] picks, layer by layer:
//! * [`Route::Product`]: without converters and read noise the sum over steps, planes and row tiles is
//!   linear, so the planes collapse into one effective weight matrix per chip
//!   ([`CollapsePlanes`]) and evaluation is an ordinary [`Conv2d`];
//! * [`Route::Counting`]: cells without any error are integers that all chips share; the sums are
//!   counts of bits ([`Reading::exact`]);
//! * [`Route::Arrays`]: everything else, [`Crossbar`] in full.

use std::sync::Arc;

use super::calibrate::RangeRule;
use super::ranges::{self, Converters};
use crate::mapping::layout::Layout;
use crate::program::{Adc, CellReadNoise, ConverterErrors, Programming, Reading, Storage, Wires};
#[cfg(doc)]
use crate::program::{CollapsePlanes, Conv2d, ConverterFold, Crossbar, ProgramCells};

/// Ranges of the converters of a layer: pairs `(lsb, lo)` of `[read plane][column]`, as in
/// [`ConverterFold`].
pub type Pairs = Vec<[f32; 2]>;

/// One crossbar layer at cell level.
#[derive(Debug, Clone, PartialEq)]
pub struct CellLayer {
    /// How its cells are programmed. With wires, [`Programming::raw`] is set.
    pub programming: Programming,
    /// How they are read; [`Reading::integer`] is set where the ranges are known and allow it.
    pub reading: Reading,
    /// Wires, where they resist.
    pub wires: Option<Wires>,
    /// Errors of the converters; without effect where there are none.
    pub errors: ConverterErrors,
    /// Ranges of the converters; `None` without converters, and before calibrated ranges are known.
    pub ranges: Option<Pairs>,
    /// How the ranges follow sums, where they are calibrated.
    pub rule: Option<RangeRule>,
    /// Whether tuning corrects the layer at all; else its cells stay as they are, without columns and test cells of
    /// their own.
    pub is_tuned: bool,
    /// What the layer's tuning writes.
    pub tuned: Tuned,
    /// How its read planes are kept, see [`CellLayer::kept`].
    pub storage: Storage,
    /// Where its cells lie in the arrays, where that is not where they are in its matrix.
    pub layout: Option<Arc<Layout>>,
}

/// Where a chip's tuning acts in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuned {
    /// Nowhere.
    No,
    /// On every converter's result, before results are added.
    Digital,
    /// On the converters' reference.
    Reference,
}

impl CellLayer {
    /// Position among the crossbar layers of the network (`network::lower::layer_address`).
    pub fn index(&self) -> usize {
        self.reading.layer.saturating_sub(1) as usize
    }

    /// Puts the cells where a layout says, or back where they are in the matrix. With a layout that can drop cells
    /// nothing is counted or added as integers: what is dropped has no converter.
    pub fn lay(&mut self, layout: Option<Layout>) {
        self.errors.columns = layout.as_ref().map(|layout| layout.columns.clone());
        if layout.as_ref().is_some_and(|layout| layout.compacts) {
            self.reading.exact = false;
        }
        self.layout = layout.map(Arc::new);
    }

    /// Whether cells can be dropped, and their converters with them.
    pub fn compacts(&self) -> bool {
        self.layout.as_ref().is_some_and(|layout| layout.compacts)
    }

    /// Whether every read draws noise of the cells, so that [`ProgramCells`] must give variances.
    pub fn reads_noise(&self) -> bool {
        !self.programming.read_noise.is_quiet()
    }

    /// Sets the ranges of the converters, and whether codes are added as integers with them.
    pub fn set_ranges(&mut self, ranges: Option<Pairs>) {
        self.ranges = ranges;
        let fit = |pairs: &Pairs| ranges::add_integers(&self.reading, pairs);
        self.reading.integer =
            self.tuned != Tuned::Digital && self.ranges.as_ref().is_some_and(fit);
    }

    /// The ranges that converters of a reference have: the largest sum inside is that of a number of fully conducting cells at one
    /// level of drive. `None` without converters.
    pub fn ranges_of(&self, reference: f32) -> Option<Pairs> {
        let adc = self.reading.adc.as_ref()?;
        let converters = Converters::new(&self.programming.arrays, &self.reading.dac, adc);
        Some(converters.fixed(&[reference.into()]))
    }

    /// The reference of its ranges, the largest where they have several; `None` where there are none.
    pub fn reference(&self) -> Option<f32> {
        let (own, unit) = (self.ranges.as_ref()?, self.ranges_of(1.0)?);
        let ratios = own.iter().zip(&unit).map(|(own, unit)| own[0] / unit[0]);
        Some(ratios.fold(0.0, f32::max))
    }

    /// Whether integers are converted without noise.
    fn counts_exactly(&self) -> bool {
        let quiet = |a: &Adc| a.effects.is_off();
        self.reading.exact
            && self.tuned == Tuned::No
            && self.programming.reference_columns == 0
            && self.reading.dac.table.is_none()
            && self.reading.adc.as_ref().is_none_or(quiet)
    }

    /// How the read planes are kept: digits that are counted are no conductances.
    pub fn kept(&self) -> Storage {
        match Route::of(self) {
            Route::Counting => Storage::F32,
            Route::Product | Route::Arrays => self.storage,
        }
    }

    /// Bytes of a chip that are there while images are evaluated: read planes and the variances of their
    /// noise, or effective weights.
    pub fn bytes(&self) -> usize {
        let a = &self.programming.arrays;
        if Route::of(self) == Route::Product {
            return 4 * a.plane_len();
        }
        let of_cell = match self.kept() {
            Storage::F32 => 4,
            Storage::F16 => 2,
        };
        let of_noise = if self.reads_noise() { 4 } else { 0 };
        (of_cell + of_noise) * a.read_planes() * a.plane_len()
    }

    /// The same layer without any error: what ranges are calibrated on. Wires stay, as they are no
    /// accident.
    pub fn nominal(&self) -> CellLayer {
        let mut layer = self.clone();
        let p = &mut layer.programming;
        p.effects.make_nominal();
        p.read_noise = CellReadNoise::default();
        p.reference_columns = 0;
        layer
    }

    /// The same arrays without converters, and without the tuning that goes with them.
    pub fn without_converter(&self) -> CellLayer {
        CellLayer {
            reading: self.reading.without_converter(),
            ranges: None,
            rule: None,
            tuned: Tuned::No,
            ..self.clone()
        }
    }
}

/// How a layer is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// One product with effective weights.
    Product,
    /// Integer counts.
    Counting,
    /// Arrays, step by step, plane by plane.
    Arrays,
}

impl Route {
    /// The cheapest route that is exactly equivalent.
    pub fn of(layer: &CellLayer) -> Route {
        let linear = layer.reading.adc.is_none() && layer.reading.dac.table.is_none();
        if linear && !layer.reads_noise() {
            Route::Product
        } else if layer.counts_exactly() {
            Route::Counting
        } else {
            Route::Arrays
        }
    }

    /// In the words of `pimento inspect --plan`.
    pub fn name(self) -> &'static str {
        match self {
            Route::Product => "one product with effective weights",
            Route::Counting => "counts of bits",
            Route::Arrays => "arrays, step by step",
        }
    }
}
