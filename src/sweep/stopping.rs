//! Ending a point before all of its chips are simulated.

use super::census::{Basis, Census};
use crate::config::Point;

/// What a look at the chips so far says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Go on, and look again when the point has so many chips (counted from its first; more than
    /// there are now). Beyond the point's chips means: never again.
    Again(u32),
    /// The point is done with the chips it has.
    Enough,
}

/// Decides after how many chips a point is known well enough.
///
/// It is asked at numbers of chips that it names itself, and sees all chips from the first up to
/// there: what it says does not depend on waves, adapters, or on how often a run was resumed. It
/// must be a function of its arguments alone; a resumed run asks it again.
pub trait StoppingRule: std::fmt::Debug + Send + Sync {
    /// The rule in words; part of what a resumed run must have in common with the first.
    fn name(&self) -> String;

    /// Asked first without any chip. `before` are the chips at the look before this one, `basis` is
    /// what the point's intervals rest on.
    fn look(&self, point: &Point, basis: Basis, before: &Census, so_far: &Census) -> Look;
}
