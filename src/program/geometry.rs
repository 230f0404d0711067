//! Shapes of convolutions and pooling windows.

/// Geometry of a convolution `y[o] = sum_k w[o,k] x[k]`; a fully connected layer is a convolution
/// with `h = w = kh = kw = 1`, `c_in` inputs (a flattened map is its channels: NCHW order).
///
/// Weights are `[c_out][c_in/groups][kh][kw]`; `rows() = c_in/groups*kh*kw` is the number of word
/// lines (inputs) a column of the crossbar sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Input channels.
    pub c_in: usize,
    /// Input rows.
    pub h_in: usize,
    /// Input columns.
    pub w_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Kernel rows.
    pub kh: usize,
    /// Kernel columns.
    pub kw: usize,
    /// Stride `[rows, columns]`.
    pub stride: [usize; 2],
    /// Dilation `[rows, columns]`.
    pub dilation: [usize; 2],
    /// Zero padding `[top, left, bottom, right]`.
    pub pad: [usize; 4],
    /// Channel groups (`c_in` for a depthwise convolution).
    pub groups: usize,
}

impl ConvGeometry {
    /// A fully connected layer from `n_in` to `n_out`.
    pub fn linear(n_in: usize, n_out: usize) -> Self {
        Self {
            c_in: n_in,
            h_in: 1,
            w_in: 1,
            c_out: n_out,
            kh: 1,
            kw: 1,
            stride: [1; 2],
            dilation: [1; 2],
            pad: [0; 4],
            groups: 1,
        }
    }

    /// Whether there is such a convolution: nothing is zero that must not be, groups divide the
    /// channels, the dilated kernel fits the padded map. The other methods assume it.
    pub fn is_possible(&self) -> bool {
        let reach = |k: usize, dilation: usize| {
            dilation
                .checked_mul(k.saturating_sub(1))
                .and_then(|r| r.checked_add(1))
        };
        let fits = |k, dilation, n: usize, pads: [usize; 2]| {
            let padded = n.checked_add(pads[0]).and_then(|n| n.checked_add(pads[1]));
            matches!((reach(k, dilation), padded), (Some(r), Some(n)) if r <= n)
        };
        let [top, left, bottom, right] = self.pad;
        self.groups > 0
            && !self.stride.contains(&0)
            && !self.dilation.contains(&0)
            && [
                self.c_in, self.c_out, self.h_in, self.w_in, self.kh, self.kw,
            ]
            .iter()
            .all(|&n| n > 0)
            && self.c_in.is_multiple_of(self.groups)
            && self.c_out.is_multiple_of(self.groups)
            && fits(self.kh, self.dilation[0], self.h_in, [top, bottom])
            && fits(self.kw, self.dilation[1], self.w_in, [left, right])
    }

    /// Rows of the output map.
    pub fn h_out(&self) -> usize {
        (self.h_in + self.pad[0] + self.pad[2] - self.dilation[0] * (self.kh - 1) - 1)
            / self.stride[0]
            + 1
    }

    /// Columns of the output map.
    pub fn w_out(&self) -> usize {
        (self.w_in + self.pad[1] + self.pad[3] - self.dilation[1] * (self.kw - 1) - 1)
            / self.stride[1]
            + 1
    }

    /// Word lines per output: inputs summed into one output value.
    pub fn rows(&self) -> usize {
        self.c_in / self.groups * self.kh * self.kw
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.c_out * self.rows()
    }

    /// Multiply-accumulates per image.
    pub fn macs(&self) -> usize {
        self.weights() * self.h_out() * self.w_out()
    }

    /// Whether the geometry is one of [`ConvGeometry::linear`].
    pub fn is_linear(&self) -> bool {
        self.h_in == 1 && self.w_in == 1 && self.kh == 1 && self.kw == 1
    }
}

/// Pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    /// Window rows.
    pub kh: usize,
    /// Window columns.
    pub kw: usize,
    /// Stride `[rows, columns]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`, each smaller than the window in its direction (so
    /// that every window sees a value).
    pub pad: [usize; 4],
}

impl PoolGeometry {
    /// Whether every window on an input of `h x w` sees a value.
    pub fn is_possible(&self, h: usize, w: usize) -> bool {
        let [top, left, bottom, right] = self.pad;
        !self.stride.contains(&0)
            && self.kh > 0
            && self.kw > 0
            && top.max(bottom) < self.kh
            && left.max(right) < self.kw
            && self.kh <= h.saturating_add(top + bottom)
            && self.kw <= w.saturating_add(left + right)
    }

    /// `(h_out, w_out)` for an input of `h x w` (incomplete windows are dropped).
    pub fn out(&self, h: usize, w: usize) -> (usize, usize) {
        (
            (h + self.pad[0] + self.pad[2] - self.kh) / self.stride[0] + 1,
            (w + self.pad[1] + self.pad[3] - self.kw) / self.stride[1] + 1,
        )
    }
}
