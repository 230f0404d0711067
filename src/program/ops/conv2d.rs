//! Convolution and its gradients.

use crate::error::Result;
use crate::program::{ActQuant, Check, ConvGeometry, Operand, Operator, Post, TensorId};

/// Convolution (or linear layer) with its epilogue:
/// `y[o,p] = post(sum_k w[o,k] x[k at p])`. `x` and `w` each shared or per chip.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// Input map.
    pub x: TensorId,
    /// Weight `[c_out][rows]`.
    pub w: TensorId,
    /// Output map, written.
    pub y: TensorId,
    /// Geometry.
    pub geo: ConvGeometry,
    /// Epilogue.
    pub post: Post,
    /// The quantizer whose results the input map holds, where the program knows it: `x = d k` with
    /// integers `k`, so that a backend may compute with the codes. The result is the same up to rounding.
    pub codes: Option<ActQuant>,
}

impl Operator for Conv2d {
    const NAME: &'static str = "conv2d";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.x), Operand::read(self.w)];
        all.extend(self.codes.map(|quant| Operand::read(quant.scale)));
        all.extend(self.post.operands());
        all.extend([Operand::write(self.y)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.conv(self.x, self.w, self.y, &self.geo)?;
        if let Some(quant) = &self.codes {
            at.quant(quant)?;
        }
        at.post(&self.post, self.y)
    }

    fn reads_codes(&self) -> Option<(TensorId, ActQuant)> {
        self.codes.map(|quant| (self.x, quant))
    }

    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        self.post.quant.map(|quant| (self.y, quant))
    }
}

/// `dx[k] = sum_(o,p) w[o,k] dy[o,p]` (transposed convolution).
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dGradInput {
    /// Gradient of the output (before the epilogue).
    pub dy: TensorId,
    /// Weight.
    pub w: TensorId,
    /// Gradient of the input, written.
    pub dx: TensorId,
    /// Geometry of the forward operator.
    pub geo: ConvGeometry,
}

impl Operator for Conv2dGradInput {
    const NAME: &'static str = "conv2d_grad_input";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.dy),
            Operand::read(self.w),
            Operand::write(self.dx),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.conv(self.dx, self.w, self.dy, &self.geo)
    }
}

/// `dw[o,k] = sum_(images,p) dy[o,p] x[k at p]`, per chip when `dw` is per chip, else summed
/// over chips.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dGradWeight {
    /// Input map.
    pub x: TensorId,
    /// Gradient of the output.
    pub dy: TensorId,
    /// Gradient of the weight, written.
    pub dw: TensorId,
    /// Geometry of the forward operator.
    pub geo: ConvGeometry,
}

impl Operator for Conv2dGradWeight {
    const NAME: &'static str = "conv2d_grad_weight";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.dy),
            Operand::sum(self.dw),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.conv(self.x, self.dw, self.dy, &self.geo)
    }
}
