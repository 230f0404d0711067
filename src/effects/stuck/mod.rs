//! Stuck cells: with a uniform `u` of every cell ([`Purpose::CellStuck`]), `u < off` is stuck at
//! `g_min` and `u >= 1 - on` at `G_max`, whatever was programmed and however long ago.

mod cpu;

use super::{Cell, Draws, Effect, Layer, Lines, Numbers, Step, Target};
use crate::random::Purpose;

/// Probabilities of stuck cells; the default has none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stuck {
    /// Stuck at `g_min`.
    pub off: f32,
    /// Stuck at `G_max`.
    pub on: f32,
}

impl Effect for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn is_off(&self) -> bool {
        self.off == 0.0 && self.on == 0.0
    }

    fn make_nominal(&mut self) {
        *self = Self::default();
    }

    fn exact(&self, target: &Target, draws: &dyn Draws, cell: &mut Cell) {
        let u = draws.uniform(Purpose::CellStuck);
        let at = if u < self.off {
            target.g_min
        } else if u >= 1.0 - self.on {
            1.0
        } else {
            return;
        };
        (cell.g, cell.programmed) = (at, at);
    }

    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        (self.off > 0.0 || self.on > 0.0).then(|| -> Box<dyn Step + 'a> {
            Box::new(cpu::Sticking {
                stuck: *self,
                layer,
            })
        })
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        n.flag("HAS_STUCK", !self.is_off());
        n.f32("off", self.off);
        n.f32("on", self.on);
    }
}
