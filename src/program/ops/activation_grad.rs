//! Gradient of an element-wise non-linearity.

use crate::error::Result;
use crate::program::{Activation, Check, Operand, Operator, TensorId};

/// `dx = dy * f'(.)`, the derivative taken from the *output* `y` of the activation (relu:
/// `y > 0`; tanh: `1 - y^2`; sigmoid: `y (1 - y)`; ...), then times `scale[c]` where given
/// (frozen batch norm). Where [`Activation::derivative_from_input`] says so, `y` is the input.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationGrad {
    /// Output (or input, see above) of the activation.
    pub y: TensorId,
    /// Gradient of it.
    pub dy: TensorId,
    /// Gradient of the input, written.
    pub dx: TensorId,
    /// The non-linearity.
    pub act: Activation,
    /// Per-channel factor.
    pub scale: Option<TensorId>,
}

impl Operator for ActivationGrad {
    const NAME: &'static str = "activation_grad";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.y), Operand::read(self.dy)];
        all.extend(self.scale.map(Operand::read));
        all.extend([Operand::write(self.dx)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.act(self.act)?;
        let (c, ..) = at.any_image(self.y)?;
        at.same_image(self.dy, self.y)?;
        at.same_image(self.dx, self.y)?;
        self.scale.map_or(Ok(()), |s| at.flat(s, c))
    }
}
