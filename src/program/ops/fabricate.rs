//! Chips from nominal weights, and the gradient through them.

use crate::error::Result;
use crate::program::{Check, Draws, Fabrication, Operand, Operator, TensorId};
#[cfg(doc)]
use crate::program::{Law, Mapping};

/// Fabricates the wave's chips: from the shared nominal weight `w` the effective weight of
/// every chip after variation and digital tuning,
/// `out = gain * (w' - offset * full - ref[row])`, with `w'` by [`Law`] and [`Mapping`], and
/// `chip: Flat(CHIP_FIELDS)` per chip = `[e, gain, offset, 0]`. Because an MVM is linear, a
/// correction of its output by a multiple of the input sum or by a column is exactly a
/// correction of its weights: that is why self-tuning costs a sweep nothing.
/// Cell `i = o*rows + k` of chip index `c = first_chip + wave position` draws word `i % 4` of the
/// generator block with counter `(i / 4, layer, c, purpose)`, see [`crate::random`].
#[derive(Debug, Clone, PartialEq)]
pub struct Fabricate {
    /// Nominal weight, shared.
    pub w: TensorId,
    /// Largest representable magnitude, `Flat(1)` or `Flat(cols)`.
    pub full_scale: TensorId,
    /// Per-chip constants.
    pub chip: TensorId,
    /// Effective weight per chip, written.
    pub out: TensorId,
    /// Law, mapping, addresses.
    pub spec: Fabrication,
}

impl Operator for Fabricate {
    const NAME: &'static str = "fabricate";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.full_scale),
            Operand::read(self.chip),
            Operand::write(self.out),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.fabrication(&self.spec, self.w, self.chip)?;
        at.per_column(self.full_scale, self.spec.cols)?;
        at.flat(self.out, n)
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws())
    }
}

/// Backward of [`Fabricate`], summed over chips, `full_scale` held constant:
/// `dw = sum_c gain * dout * s`, `s = 1 + e + sigma_w z` of the cell that carries the weight for
/// the proportional law (differential: `z+` for `w >= 0`, else `z-`), 1 for the fixed law.
///
/// With a profile `p`, `s = 1 + e + sigma_w p'(g) z` or `1 + sigma_w p'(g) z`, `g` and `z` of the cell that carries the
/// weight, times -1 in the second term where the mapping is ideal and `w < 0`; `p'` is the slope of a piece, so steps of
/// the profile have no part in it.
#[derive(Debug, Clone, PartialEq)]
pub struct FabricateGrad {
    /// Nominal weight, shared.
    pub w: TensorId,
    /// That of the forward operator, where there is a profile.
    pub full_scale: Option<TensorId>,
    /// Per-chip constants.
    pub chip: TensorId,
    /// Gradient of the effective weight, per chip.
    pub dout: TensorId,
    /// Gradient of the nominal weight, shared, written.
    pub dw: TensorId,
    /// The same as in the forward operator.
    pub spec: Fabrication,
}

impl Operator for FabricateGrad {
    const NAME: &'static str = "fabricate_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.chip),
            Operand::read(self.dout),
            Operand::sum(self.dw),
        ]
        .into_iter()
        .chain(self.full_scale.map(Operand::read))
        .collect()
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.fabrication(&self.spec, self.w, self.chip)?;
        if let Some(full_scale) = self.full_scale {
            at.per_column(full_scale, self.spec.cols)?;
        }
        if self.full_scale.is_some() != self.spec.profile.is_some() {
            return at.fail("a full scale goes with a profile");
        }
        at.flat(self.dout, n)?;
        at.flat(self.dw, n)
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws())
    }
}
