//! A convolution whose results are pooled before they are written.

use crate::error::Result;
use crate::program::{
    ActQuant, Check, ConvGeometry, Operand, Operator, PoolGeometry, Post, TensorId, Winograd,
};

/// Most terms of a sum that is pooled at once: beyond, the map in between is little beside the products.
const MOST_TERMS: usize = 256;

/// What a window becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Its largest value.
    Max,
    /// The mean of its values.
    Mean,
}

/// Convolution, epilogue and pooling in one pass: `y[o,q] = quant(pool over p in window q of post(sum_k w[o,k] x[k at p]))`.
/// The map between the two is never in memory; of small networks it is most of what is read and written.
///
/// The value is that of [`Conv2d`](crate::program::Conv2d), [`MaxPool`](crate::program::MaxPool) or
/// [`AvgPool`](crate::program::AvgPool), and [`QuantizeAct`](crate::program::QuantizeAct), one after the other.
/// `x` and `w` each shared or per chip.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dPool {
    /// Input map.
    pub x: TensorId,
    /// Weight `[c_out][rows]`.
    pub w: TensorId,
    /// Pooled map, written.
    pub y: TensorId,
    /// Geometry of the convolution, of one group.
    pub geo: ConvGeometry,
    /// Epilogue before pooling, without a residual.
    pub post: Post,
    /// Largest values or means.
    pub pooling: Pooling,
    /// Windows that lie side by side (`stride` is their size) without padding; what is left over at the end is dropped.
    pub window: PoolGeometry,
    /// Quantizer of the pooled map.
    pub quant: Option<ActQuant>,
}

impl Conv2dPool {
    /// Whether the operator has a kernel for such windows.
    pub fn is_possible(window: &PoolGeometry) -> bool {
        window.pad == [0; 4] && window.stride == [window.kh, window.kw]
    }

    /// Whether one pass is worth it for a convolution and its windows. Looks at shapes only: sums of few terms,
    /// which have no route with fewer products ([`Winograd`]) or of their own (depthwise and linear layers).
    pub fn is_worth(geo: &ConvGeometry, window: &PoolGeometry) -> bool {
        Self::is_possible(window)
            && window.kh * window.kw > 1
            && geo.groups == 1
            && geo.kh * geo.kw > 1
            && geo.rows() <= MOST_TERMS
            && Winograd::forward(geo).is_none()
    }
}

impl Operator for Conv2dPool {
    const NAME: &'static str = "conv2d_pool";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.x), Operand::read(self.w)];
        all.extend(self.post.operands());
        all.extend(self.quant.map(|quant| Operand::read(quant.scale)));
        all.extend([Operand::write(self.y)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        if self.geo.groups != 1 {
            return at.fail(format!("{} groups before pooling", self.geo.groups));
        }
        let (h, w) = at.products(self.x, self.w, &self.geo)?;
        let window = &self.window;
        if !window.is_possible(h, w) || !Self::is_possible(window) {
            return at.fail(format!("impossible window {window:?} on {h} x {w}"));
        }
        if self.post.residual.is_some() {
            return at.fail("a residual before pooling".to_string());
        }
        let (h, w) = window.out(h, w);
        at.image(self.y, self.geo.c_out, h, w)?;
        at.post(&self.post, self.y)?;
        self.quant.as_ref().map_or(Ok(()), |quant| at.quant(quant))
    }

    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        self.quant.map(|quant| (self.y, quant))
    }
}
