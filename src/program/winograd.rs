//! Convolutions of 3 x 3 and stride 1 with fewer products: Winograd's F(2 x 2, 3 x 3).
//!
//! # Theory
//! Four neighbouring results, 2 x 2, see 4 x 4 values `d` of a channel through its kernel `g`. They are
//! `A^T (sum_c (G g G^T) * (B^T d B)) A`, `*` value by value, with
//!
//! ```text
//!       | 1  0 -1  0 |        | 1     0    0  |
//! B^T = | 0  1  1  0 |    G = | 1/2  1/2  1/2 |    A^T = | 1  1  1  0 |
//!       | 0 -1  1  0 |        | 1/2 -1/2  1/2 |          | 0  1 -1 -1 |
//!       | 0  1  0 -1 |        | 0     0    1  |
//! ```
//!
//! That is 16 products for a pair of channels instead of 36. The kernels `U = G g G^T` are made once for a
//! chip (of a training once a step), the values `V = B^T d B` once for all channels of the output, and
//! `A^T M A` once for all channels of the input, so that for many channels only the products count.
//!
//! The gradient of the input of such a layer is such a layer too: of the output's gradient, with the
//! channels exchanged, the kernels turned by half a turn and `2 - pad` zeros around.
//!
//! # Error
//! `|V| <= 4 max|d|` and `|U| <= 9/4 max|g|`, and each result adds nine of the sums over channels: roundings
//! are relative to larger numbers than those of the direct sum, of which there are more, one for each of nine
//! times as many terms in a row. In layers of networks, whose terms have both signs, the root mean square error
//! against `f64` is 0.7 to 1.0 times the direct sum's (16 to 300 channels); [`ERROR_FACTOR`] bounds it
//! (`tests/ops/winograd.rs`).
//!
//! # Integers
//! Where weights and values are integers, `U` is a multiple of 1/4 and every other number of the algorithm
//! too, so that results are exact as long as no number needs more than 24 bits: [`exact_up_to`]. Products
//! that must be exact whatever their size (counts of cells, [`crate::program::Crossbar`]) never take it.

use super::ConvGeometry;
use crate::choice::choices;

choices! {
    /// How a 3 x 3 convolution of stride 1 is summed.
    #[derive(Default)]
    pub enum Products {
        /// by Winograd's F(2 x 2, 3 x 3) where that is fewer operations
        #[default]
        Winograd = "winograd",
        /// term by term
        Direct = "direct",
    }
}

/// Fewest channels, read and written, of a layer that takes the route: each costs transforms, which as
/// many products as there are channels on the other side pay for.
pub const LEAST_CHANNELS: usize = 16;

/// Fewest rows and columns of its output: where a map is smaller, the tiles of 2 x 2 cover too much beside
/// it, and most of the direct sum's terms are zeros that are left out.
pub const LEAST_EXTENT: usize = 4;

/// The largest root mean square error against `f64` that a layer may have, in units of the direct sum's.
pub const ERROR_FACTOR: f64 = 4.0;

/// The largest `channels * max|w| * max|x|` of integers for which all results are exact: a result adds nine sums
/// over channels of at most `9/4 max|w| * 4 max|x|` each, in steps of 1/4 of 24 bits.
///
/// ```
/// // 64 channels of 4-bit weights and inputs.
/// assert!(64 * 7 * 15 <= pimento::program::exact_up_to());
/// ```
pub const fn exact_up_to() -> usize {
    (1 << 24) / (4 * 81)
}

/// A layer that takes the route, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winograd {
    /// Channels that are summed over: inputs, backwards outputs.
    pub read: usize,
    /// Channels of the result.
    pub written: usize,
    /// Rows and columns of the map that is read.
    pub from: [usize; 2],
    /// Rows and columns of the result.
    pub to: [usize; 2],
    /// Zeros above and left of the map that is read.
    pub pad: [usize; 2],
    /// Weights from one channel of the result to the next, and from one that is read to the next.
    pub strides: [usize; 2],
    /// Whether the kernel is turned by half a turn.
    pub turned: bool,
}

impl Winograd {
    /// The forward direction of a layer, if it takes the route: a kernel of 3 x 3, stride and dilation 1, one
    /// group, at most two zeros around the map, [`LEAST_CHANNELS`] and [`LEAST_EXTENT`].
    ///
    /// ```
    /// use pimento::program::{ConvGeometry, Winograd};
    /// let mut geo = ConvGeometry { h_in: 8, w_in: 8, kh: 3, kw: 3, pad: [1; 4], ..ConvGeometry::linear(16, 32) };
    /// assert_eq!(Winograd::forward(&geo).map(|w| w.tiles()), Some([4, 4]));
    /// geo.stride = [2, 2];
    /// assert_eq!(Winograd::forward(&geo), None);
    /// ```
    pub fn forward(g: &ConvGeometry) -> Option<Self> {
        let layer = Self {
            read: g.c_in,
            written: g.c_out,
            from: [g.h_in, g.w_in],
            to: [g.h_out(), g.w_out()],
            pad: [g.pad[0], g.pad[1]],
            strides: [g.rows(), 9],
            turned: false,
        };
        layer.pays(g).then_some(layer)
    }

    /// The gradient of the layer's input, if it takes the route: as [`Winograd::forward`].
    pub fn grad_input(g: &ConvGeometry) -> Option<Self> {
        let pad = |zeros: usize| 2usize.saturating_sub(zeros);
        let layer = Self {
            read: g.c_out,
            written: g.c_in,
            from: [g.h_out(), g.w_out()],
            to: [g.h_in, g.w_in],
            pad: [pad(g.pad[0]), pad(g.pad[1])],
            strides: [9, g.rows()],
            turned: true,
        };
        layer.pays(g).then_some(layer)
    }

    fn pays(&self, g: &ConvGeometry) -> bool {
        let plain = [g.kh, g.kw] == [3; 2] && g.stride == [1; 2] && g.dilation == [1; 2];
        plain
            && g.groups == 1
            && g.pad.iter().all(|&zeros| zeros <= 2)
            && self.read.min(self.written) >= LEAST_CHANNELS
            && self.to.iter().all(|&n| n >= LEAST_EXTENT)
    }

    /// Rows and columns of tiles of 2 x 2 results; the last ones may reach beyond the map.
    pub fn tiles(&self) -> [usize; 2] {
        self.to.map(|n| n.div_ceil(2))
    }

    /// Place of a channel pair's weight at row `y` and column `x` of the kernel as it is applied.
    pub fn weight(&self, written: usize, read: usize, y: usize, x: usize) -> usize {
        let tap = 3 * y + x;
        let tap = if self.turned { 8 - tap } else { tap };
        written * self.strides[0] + read * self.strides[1] + tap
    }
}
