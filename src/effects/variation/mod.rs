//! Programming error: a cell ends near its target, by a law (docs/MODEL.md 3, docs/cells.md 2).
//!
//! With the common deviation `e` of the cell's array, its own deviate `z`
//! ([`Purpose::CellProgram`]), `s = sigma` and `span = 1 - g_min`:
//!
//! ```text
//! weight-proportional   g' = g (1 + e + s z)       lognormal: g (1 + e)(1 + s z)
//! layer-fixed           g' = g + span (e + s z)
//! by a table            g' = (law with e alone) + sigma(g) z,  z gaussian
//! ```

mod cpu;

use super::{Cell, Curve, Draws, Effect, Layer, Lines, Numbers, Step, Target, at};
use crate::choice::choices;
use crate::effects::Constant;
use crate::random::{self, Purpose};

choices! {
    /// Which deviation `eps`, the sum of all parts, gives a cell's conductance (docs/MODEL.md 3).
    #[derive(Default)]
    pub enum Law {
        /// `w' = w (1 + eps)`: proportional to the conductance.
        #[default]
        WeightProportional = "weight-proportional",
        /// `w' = w + full eps`: independent of it. `full = full_scale[o or 0]` is the largest weight
        /// that the layer's code can represent (with a step for every output channel the channel's:
        /// what a fully conducting cell of its column holds).
        LayerFixed = "layer-fixed",
    }
}

/// Distribution of a cell's deviate `z`, made from one 32-bit word of the generator
/// (see [`crate::random`]).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Deviate {
    /// Standard normal.
    #[default]
    Gaussian,
    /// Standard normal restricted to `|z| <= at` (by inverse CDF, so one word a cell; the
    /// standard deviation becomes smaller than 1, as in the common `trunc_normal`).
    Truncated {
        /// Limit in standard deviations.
        at: f32,
    },
    /// `s z = exp(t n - t^2/2) - 1` with `n` standard normal and `t^2 = ln(1 + s^2)`: mean 0,
    /// standard deviation `s`, never below -1.
    Lognormal,
}

/// The error of programming; the default has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variation {
    /// What a deviation multiplies.
    pub law: Law,
    /// Distribution of `z`.
    pub deviate: Deviate,
    /// Within-chip standard deviation `s`.
    pub sigma: f32,
    /// Standard deviation by target conductance, relative to `G_max`, instead of `sigma`.
    pub curve: Option<Curve>,
}

impl Variation {
    /// Distribution of a cell's own deviate: a standard deviation by conductance is that of a gaussian.
    pub fn own_deviate(&self) -> Deviate {
        match self.curve {
            Some(_) => Deviate::Gaussian,
            None => self.deviate,
        }
    }

    /// Factor on the deviate before the target is known.
    pub fn own_sigma(&self) -> f64 {
        match self.curve {
            Some(_) => 1.0,
            None => f64::from(self.sigma),
        }
    }

    /// Multiplies the standard deviations by conductance, where they are what counts.
    pub fn scale_table(&mut self, times: f32) {
        if let Some(table) = &mut self.curve {
            *table = table.iter().map(|sigma| times * sigma).collect();
        }
    }

    /// Standard deviation of a cell's own deviation, relative to `G_max`.
    pub fn sigma_at(&self, target: f64, g_min: f64) -> f64 {
        match (&self.curve, self.law) {
            (Some(curve), _) => at(curve, target),
            (None, Law::WeightProportional) => f64::from(self.sigma) * target,
            (None, Law::LayerFixed) => f64::from(self.sigma) * (1.0 - g_min),
        }
    }

    /// A target with a common deviation and the cell's own, drawn with [`Variation::own_sigma`].
    fn varied(&self, target: &Target, own: f64) -> f64 {
        let (g, e) = (target.g, target.common);
        let span = 1.0 - target.g_min;
        match (&self.curve, self.law) {
            (Some(curve), Law::WeightProportional) => g * (1.0 + e) + at(curve, g) * own,
            (Some(curve), Law::LayerFixed) => g + span * e + at(curve, g) * own,
            (None, Law::WeightProportional) => match self.deviate {
                Deviate::Lognormal => g * (1.0 + e) * (1.0 + own),
                Deviate::Gaussian | Deviate::Truncated { .. } => g * (1.0 + e + own),
            },
            (None, Law::LayerFixed) => g + span * (e + own),
        }
    }
}

impl Effect for Variation {
    fn name(&self) -> &'static str {
        "variation"
    }

    fn is_off(&self) -> bool {
        self.sigma == 0.0 && self.curve.is_none()
    }

    fn make_nominal(&mut self) {
        (self.sigma, self.curve) = (0.0, None);
    }

    fn exact(&self, target: &Target, draws: &dyn Draws, cell: &mut Cell) {
        let own = draws.deviation(Purpose::CellProgram, self.own_deviate(), self.own_sigma());
        let reached = Target {
            g: cell.g,
            ..*target
        };
        cell.g = self.varied(&reached, own);
    }

    fn expected(&self, target: &Target, g: f64) -> f64 {
        self.varied(&Target { g, ..*target }, 0.0)
    }

    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        Some(Box::new(cpu::Programmed {
            variation: self,
            layer,
        }))
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        let curved = self.curve.is_some();
        let law: u32 = match self.law {
            Law::WeightProportional => 0,
            Law::LayerFixed => 1,
        };
        n.constant("LAW", Constant::U32(law));
        n.flag("LOGNORMAL", self.deviate == Deviate::Lognormal && !curved);
        n.flag("HAS_SIGMA_CURVE", curved);
        let [shape_x, shape_y] = match self.own_deviate() {
            Deviate::Gaussian => [0.0; 2],
            Deviate::Truncated { at } => [random::squeeze(at), 0.0],
            Deviate::Lognormal => random::lognormal_shape(self.sigma),
        };
        n.f32("sigma", self.sigma);
        n.f32("shape_x", shape_x);
        n.f32("shape_y", shape_y);
        n.curve(["curve_at", "curve_len"], self.curve.as_ref());
    }

    fn curves(&self) -> Vec<&Curve> {
        self.curve.iter().collect()
    }
}
