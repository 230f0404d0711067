//! Bytes that the operators of a section move, from their operands alone.

use super::{Access, Operand, Program, SectionId, Shape};

impl Program {
    /// Bytes that `section` reads and writes in a run of `chips` chips and `images` images when every
    /// operator moves each of its tensors once: what no schedule of single operators can do with less, and
    /// what fusing operators saves. Caches make less of it reach the memory, repeated loads more.
    ///
    /// A tensor of its own for every chip counts `chips` times, a map `images` times, an update twice.
    ///
    /// ```
    /// use pimento::program::{Add, Op, Program, Role, Scope, Shape};
    ///
    /// let mut program = Program::default();
    /// let map = Shape::Image { c: 2, h: 3, w: 4 };
    /// let a = program.tensor("a", map, Scope::Shared, Role::Input);
    /// let b = program.tensor("b", map, Scope::PerChip, Role::Temp);
    /// let y = program.tensor("y", map, Scope::PerChip, Role::Output);
    /// let section = program.section("add", vec![Op::from(Add { a, b, y })]);
    /// // 24 values of 4 bytes: of `a` for 16 images, of `b` and `y` for 5 chips too.
    /// assert_eq!(program.traffic(section, 5, 16), 24 * 4 * 16 * (1 + 5 + 5));
    /// ```
    ///
    /// # Panics
    /// If the program has no such section.
    pub fn traffic(&self, section: SectionId, chips: usize, images: usize) -> u64 {
        let ops = self.sections[section.0].ops.iter();
        let operands = ops.flat_map(|op| op.operands());
        operands.map(|o| self.moved(&o, chips, images)).sum()
    }

    /// Bytes of one use of a tensor.
    fn moved(&self, operand: &Operand, chips: usize, images: usize) -> u64 {
        let desc = self.desc(operand.tensor);
        let chips = match desc.scope {
            super::Scope::Shared => 1,
            super::Scope::PerChip => chips,
        };
        let images = match desc.shape {
            Shape::Flat(_) => 1,
            Shape::Image { .. } => images,
        };
        let words = match &operand.access {
            Access::Read | Access::Write | Access::Sum => desc.words(),
            Access::WritePlaces(places) => places.len(),
            Access::Update => 2 * desc.words(),
        };
        4 * (words * chips * images) as u64
    }
}

#[cfg(test)]
mod tests {
    use crate::program::{Conv2d, ConvGeometry, Op, Post, Role, Scope, Storage};

    use super::*;

    #[test]
    fn weights_of_every_chip_are_moved_once_and_halves_are_half() {
        let mut program = Program::default();
        let geo = ConvGeometry::linear(8, 4);
        let map = |c| Shape::Image { c, h: 1, w: 1 };
        let x = program.tensor("x", map(8), Scope::Shared, Role::Input);
        let w = program.tensor("w", Shape::Flat(32), Scope::PerChip, Role::State);
        let y = program.tensor("y", map(4), Scope::PerChip, Role::Output);
        let post = Post::NONE;
        let op = Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        });
        let section = program.section("layer", vec![op.clone(), op]);
        let once = 4 * (8 * 10 + 32 * 3 + 4 * 3 * 10);
        assert_eq!(program.traffic(section, 3, 10), 2 * once);
        program.keep(w, Storage::F16);
        assert_eq!(program.traffic(section, 3, 10), 2 * (once - 4 * 16 * 3));
    }
}
