//! Limits: a conductance is neither above what the device reaches nor, where that is asked for, below 0.

mod cpu;

use super::{Cell, Draws, Effect, Layer, Lines, Numbers, Step, Target};

/// What a conductance is limited to; the default has no limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Conductances are at most this (relative to `G_max`); may be infinite.
    pub clip: f32,
    /// Negative conductances become 0.
    pub clip_low: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clip: f32::INFINITY,
            clip_low: false,
        }
    }
}

impl Limits {
    fn limited(&self, g: f64) -> f64 {
        let g = g.min(f64::from(self.clip));
        if self.clip_low { g.max(0.0) } else { g }
    }
}

impl Effect for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn is_off(&self) -> bool {
        self.clip >= 1.0
    }

    // The range of the device is no accident.
    fn make_nominal(&mut self) {}

    fn exact(&self, _: &Target, _: &dyn Draws, cell: &mut Cell) {
        cell.g = self.limited(cell.g);
        cell.programmed = self.limited(cell.programmed);
    }

    fn expected(&self, _: &Target, g: f64) -> f64 {
        self.limited(g)
    }

    fn on_cpu<'a>(&'a self, _: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        Some(Box::new(cpu::Limiting(*self)))
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        n.f32("low", if self.clip_low { 0.0 } else { f32::MIN });
        n.f32("high", self.clip.min(f32::MAX));
    }
}
