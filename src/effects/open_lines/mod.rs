//! Open lines: a row or a column of an array is broken, and its cells conduct nothing.
//! ([`Purpose::OpenRow`], address `array * rows + row`; [`Purpose::OpenColumn`], address
//! `array * cols + column`; `array` is the cell array's index.) Reference columns are on the rows of
//! their array and are never broken themselves.

mod cpu;

use super::{Cell, Draw, Draws, Effect, Layer, Lines, Numbers, Step, Target};
use crate::random::Purpose;

/// Probabilities of open lines; the default has none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OpenLines {
    /// A row of an array is open.
    pub row: f32,
    /// A column of an array is open.
    pub col: f32,
}

impl Effect for OpenLines {
    fn name(&self) -> &'static str {
        "open_lines"
    }

    fn is_off(&self) -> bool {
        self.row == 0.0 && self.col == 0.0
    }

    fn make_nominal(&mut self) {
        *self = Self::default();
    }

    fn exact(&self, _: &Target, draws: &dyn Draws, cell: &mut Cell) {
        let open = |line, purpose, limit| draws.line(line, purpose).is_some_and(|u| u < limit);
        if open(Draw::Rows, Purpose::OpenRow, self.row)
            || open(Draw::Columns, Purpose::OpenColumn, self.col)
        {
            cell.g = 0.0;
            cell.connected = false;
        }
    }

    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        (self.row > 0.0 || self.col > 0.0)
            .then(|| -> Box<dyn Step + 'a> { Box::new(cpu::Broken::new(*self, layer)) })
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        n.flag("HAS_OPEN", !self.is_off());
        n.f32("row", self.row);
        n.f32("column", self.col);
    }

    fn lines(&self) -> Vec<Draw> {
        let rows = (self.row > 0.0).then_some(Draw::Rows);
        let columns = (self.col > 0.0).then_some(Draw::Columns);
        rows.into_iter().chain(columns).collect()
    }
}
