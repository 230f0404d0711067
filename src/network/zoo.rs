//! The architectures that Pimento can build by itself.

use super::graph::Graph;
use crate::backend::program::{Activation, PoolGeometry};

/// What the zoo's networks have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Non-linearity.
    pub act: Activation,
    /// Max instead of average pooling.
    pub max_pool: bool,
    /// Batch norm after every crossbar layer but the last.
    pub batch_norm: bool,
    /// Digital biases.
    pub bias: bool,
    /// Factor on all hidden widths.
    pub width: f64,
}

impl Style {
    fn scaled(&self, n: usize) -> usize {
        ((n as f64 * self.width).round() as usize).max(1)
    }

    /// Batch norm (where asked for) and the non-linearity.
    fn finish(&self, g: &mut Graph, tag: &str, x: usize) -> usize {
        let x = if self.batch_norm {
            g.batch_norm(format!("bn{tag}"), x, 1e-5)
        } else {
            x
        };
        g.activation(format!("act{tag}"), x, self.act)
    }
}

const POOL2: PoolGeometry = PoolGeometry {
    kh: 2,
    kw: 2,
    stride: [2; 2],
    pad: [0; 4],
};

/// Multi-layer perceptron with the given hidden widths.
pub fn mlp(input: (usize, usize, usize), hidden: &[usize], classes: usize, style: Style) -> Graph {
    let mut g = Graph::new("mlp", input.0, input.1, input.2);
    let mut x = g.last();
    for (i, &n) in hidden.iter().enumerate() {
        x = g.linear(format!("fc{}", i + 1), x, style.scaled(n), style.bias);
        x = style.finish(&mut g, &format!("{}", i + 1), x);
    }
    g.linear(format!("fc{}", hidden.len() + 1), x, classes, style.bias);
    g
}

/// LeNet-5 as the reference study uses it (docs/MODEL.md 5): 6-16-120 convolutions of 5x5, the first
/// padded by 2, then 84 and the classes. Needs an input of 28x28.
pub fn lenet5(input: (usize, usize, usize), classes: usize, style: Style) -> Graph {
    let mut g = Graph::new("lenet5", input.0, input.1, input.2);
    let mut x = g.last();
    for (i, (channels, pad)) in [(6, 2), (16, 0), (120, 0)].into_iter().enumerate() {
        let tag = format!("{}", i + 1);
        x = g.conv(
            format!("conv{tag}"),
            x,
            style.scaled(channels),
            5,
            1,
            pad,
            1,
            style.bias,
        );
        x = style.finish(&mut g, &tag, x);
        if i < 2 {
            x = g.pool(format!("pool{tag}"), x, POOL2, style.max_pool);
        }
    }
    x = g.linear("fc4", x, style.scaled(84), style.bias);
    x = style.finish(&mut g, "4", x);
    g.linear("fc5", x, classes, style.bias);
    g
}

/// Plain convolutional network: for every entry of `channels` a 3x3 convolution, non-linearity and
/// 2x2 pooling; then, if `features > 0`, a hidden fully connected layer; then the classes.
pub fn cnn(
    input: (usize, usize, usize),
    channels: &[usize],
    features: usize,
    classes: usize,
    style: Style,
) -> Graph {
    let mut g = Graph::new("cnn", input.0, input.1, input.2);
    let mut x = g.last();
    for (i, &c) in channels.iter().enumerate() {
        let tag = format!("{}", i + 1);
        let c = style.scaled(c);
        x = g.conv(format!("conv{tag}"), x, c, 3, 1, 1, 1, style.bias);
        x = style.finish(&mut g, &tag, x);
        x = g.pool(format!("pool{tag}"), x, POOL2, style.max_pool);
    }
    let mut n = channels.len() + 1;
    if features > 0 {
        x = g.linear(format!("fc{n}"), x, style.scaled(features), style.bias);
        x = style.finish(&mut g, &format!("{n}"), x);
        n += 1;
    }
    g.linear(format!("fc{n}"), x, classes, style.bias);
    g
}
