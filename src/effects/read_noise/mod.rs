//! Noise of reading a cell (docs/cells.md 5).

use super::{Cell, Curve, Numbers, at, curve};

/// Noise of one cell at one read, standard deviation relative to `G_max` where not said otherwise.
/// The parts are independent. `g` is the conductance at the read, after drift and limits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellReadNoise {
    /// Relative to `g`.
    pub proportional: f32,
    /// Relative to `G_max - G_min`, whatever the conductance.
    pub fixed: f32,
    /// By `g`.
    pub curve: Option<Curve>,
    /// Noise whose part of `g` was settled by the conductance `g0` as programmed, that is with the
    /// limits but before drift (1/f noise of a phase-change cell at a time): `g Q(g0)`. The curve holds
    /// `g0 Q(g0)`, which is smooth where `Q` is not, so that the standard deviation is
    /// `g curve(x)/x`, `x = g0` limited to [`CellReadNoise::LEAST`]`..=1`.
    pub one_over_f: Option<Curve>,
}

impl CellReadNoise {
    /// Below this conductance, relative to `G_max`, `Q` of [`CellReadNoise::one_over_f`] stays what
    /// it is here.
    pub const LEAST: f32 = 1e-6;

    /// Whether there is none.
    pub fn is_quiet(&self) -> bool {
        let Self {
            proportional,
            fixed,
            curve,
            one_over_f,
        } = self;
        *proportional == 0.0 && *fixed == 0.0 && curve.is_none() && one_over_f.is_none()
    }

    /// Variance of a read of a cell in `f64`, relative to `G_max`.
    pub fn exact(&self, g_min: f32, cell: Cell) -> f64 {
        if !cell.connected {
            return 0.0;
        }
        let spectral = |c: &Curve| {
            let x = cell.programmed.clamp(Self::LEAST.into(), 1.0);
            (cell.g * at(c, x) / x).powi(2)
        };
        let span = 1.0 - f64::from(g_min);
        (f64::from(self.proportional) * cell.g).powi(2)
            + (f64::from(self.fixed) * span).powi(2)
            + self.curve.as_ref().map_or(0.0, |c| at(c, cell.g).powi(2))
            + self.one_over_f.as_ref().map_or(0.0, spectral)
    }

    /// Variance of a read of a cell on closed lines in `f32`; `programmed` is called where it matters.
    pub fn variance(&self, g_min: f32, g: f32, programmed: impl Fn() -> f32) -> f32 {
        let square = |v: f32| v * v;
        let spectral = |c: &[f32]| {
            let programmed = programmed().clamp(Self::LEAST, 1.0);
            square(g * curve(c, programmed) / programmed)
        };
        square(self.proportional * g)
            + square(self.fixed * (1.0 - g_min))
            + self.curve.as_ref().map_or(0.0, |c| square(curve(c, g)))
            + self.one_over_f.as_deref().map_or(0.0, spectral)
    }

    /// Constants and numbers of its shader.
    pub fn in_shader(&self, g_min: f32, n: &mut Numbers) {
        n.flag("HAS_NOISE_CURVE", self.curve.is_some());
        n.flag("HAS_ONE_OVER_F", self.one_over_f.is_some());
        n.f32("proportional", self.proportional);
        n.f32("fixed", self.fixed * (1.0 - g_min));
        n.curve(["curve_at", "curve_len"], self.curve.as_ref());
        n.curve(
            ["one_over_f_at", "one_over_f_len"],
            self.one_over_f.as_ref(),
        );
        n.f32("one_over_f_least", Self::LEAST);
    }
}
