//! The architectures that Pimento can build by itself.

use super::graph::Graph;
use crate::program::{Activation, PoolGeometry};

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

/// VGG-11 for images of 32 x 32 (a multiple of it works too): 64 M 128 M 256 256 M 512 512 M
/// 512 512 M and one fully connected layer, 3x3 convolutions with batch norm and ReLU, as the
/// reference study has it (docs/MODEL.md 5).
pub fn vgg11(input: (usize, usize, usize), classes: usize, style: Style) -> Graph {
    let mut g = Graph::new("vgg11", input.0, input.1, input.2);
    let mut x = g.last();
    let stages: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
    let mut n = 0;
    for (stage, widths) in stages.into_iter().enumerate() {
        for &c in widths {
            n += 1;
            let c = style.scaled(c);
            x = g.conv(format!("conv{n}"), x, c, 3, 1, 1, 1, style.bias);
            x = style.finish(&mut g, &n.to_string(), x);
        }
        x = g.pool(format!("pool{}", stage + 1), x, POOL2, style.max_pool);
    }
    g.linear("fc", x, classes, style.bias);
    g
}

/// Residual network of basic blocks (He et al., arXiv 1512.03385) with a 3x3 stem of stride 1, for
/// images of 32 x 32: `blocks` per stage of `widths`, stride 2 at the start of every stage but the
/// first, a 1x1 convolution with batch norm on the shortcut where the shape changes, global
/// average pooling, one fully connected layer.
fn residual(
    name: &str,
    input: (usize, usize, usize),
    widths: &[usize],
    blocks: usize,
    classes: usize,
    style: Style,
) -> Graph {
    let mut g = Graph::new(name, input.0, input.1, input.2);
    let norm = |g: &mut Graph, name: String, x: usize| {
        if style.batch_norm {
            g.batch_norm(name, x, 1e-5)
        } else {
            x
        }
    };
    let mut x = g.last();
    x = g.conv("conv1", x, style.scaled(widths[0]), 3, 1, 1, 1, style.bias);
    x = norm(&mut g, "bn1".into(), x);
    x = g.activation("act1", x, style.act);
    for (stage, &width) in widths.iter().enumerate() {
        let c = style.scaled(width);
        for block in 0..blocks {
            let tag = format!("stage{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let shape = g.nodes[x].shape;
            let mut y = g.conv(format!("{tag}.conv1"), x, c, 3, stride, 1, 1, style.bias);
            y = norm(&mut g, format!("{tag}.bn1"), y);
            y = g.activation(format!("{tag}.act1"), y, style.act);
            y = g.conv(format!("{tag}.conv2"), y, c, 3, 1, 1, 1, style.bias);
            y = norm(&mut g, format!("{tag}.bn2"), y);
            if stride != 1 || shape.0 != c {
                x = g.conv(format!("{tag}.shortcut"), x, c, 1, stride, 0, 1, style.bias);
                x = norm(&mut g, format!("{tag}.shortcut_bn"), x);
            }
            x = g.add(format!("{tag}.add"), y, x);
            x = g.activation(format!("{tag}.act2"), x, style.act);
        }
    }
    let x = global_average(&mut g, x);
    g.linear("fc", x, classes, style.bias);
    g
}

/// Mean over the whole map.
fn global_average(g: &mut Graph, x: usize) -> usize {
    let (_, h, w) = g.nodes[x].shape;
    let whole = PoolGeometry {
        kh: h,
        kw: w,
        stride: [h, w],
        pad: [0; 4],
    };
    g.pool("pool", x, whole, false)
}

/// ResNet-18 with the stem for small images: stages of 64, 128, 256, 512 with two blocks each.
pub fn resnet18(input: (usize, usize, usize), classes: usize, style: Style) -> Graph {
    residual("resnet18", input, &[64, 128, 256, 512], 2, classes, style)
}

/// The CIFAR networks of the residual paper: stages of 16, 32, 64, `depth = 6 blocks + 2` (20, 32,
/// 56, ...).
pub fn resnet_cifar(
    depth: usize,
    input: (usize, usize, usize),
    classes: usize,
    style: Style,
) -> Graph {
    let name = format!("resnet{depth}");
    residual(&name, input, &[16, 32, 64], (depth - 2) / 6, classes, style)
}

/// MobileNetV2 (Sandler et al., arXiv 1801.04381) with the strides customary for images of 32 x 32:
/// inverted residual blocks of a 1x1 expansion, a 3x3 depthwise convolution and a linear 1x1
/// projection. The activation is `style.act` (ReLU6 in the paper).
pub fn mobilenetv2(input: (usize, usize, usize), classes: usize, style: Style) -> Graph {
    // Expansion, channels, blocks, stride of the first block.
    const STAGES: [(usize, usize, usize, usize); 7] = [
        (1, 16, 1, 1),
        (6, 24, 2, 1),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    let mut g = Graph::new("mobilenetv2", input.0, input.1, input.2);
    // (channels, kernel, stride, groups) of a convolution, with its batch norm.
    let unit = |g: &mut Graph, tag: &str, x: usize, conv: (usize, usize, usize, usize)| {
        let (c, kernel, stride, groups) = conv;
        let pad = kernel / 2;
        let x = g.conv(tag, x, c, kernel, stride, pad, groups, style.bias);
        if style.batch_norm {
            g.batch_norm(format!("{tag}_bn"), x, 1e-5)
        } else {
            x
        }
    };
    let act = |g: &mut Graph, tag: &str, x: usize| g.activation(format!("{tag}_act"), x, style.act);
    let mut x = g.last();
    x = unit(&mut g, "stem", x, (style.scaled(32), 3, 1, 1));
    x = act(&mut g, "stem", x);
    let mut n = 0;
    for (expansion, channels, blocks, first_stride) in STAGES {
        let c_out = style.scaled(channels);
        for block in 0..blocks {
            n += 1;
            let stride = if block == 0 { first_stride } else { 1 };
            let source = x;
            let c_in = g.nodes[x].shape.0;
            let wide = c_in * expansion;
            if expansion > 1 {
                let tag = format!("block{n}.expand");
                x = unit(&mut g, &tag, x, (wide, 1, 1, 1));
                x = act(&mut g, &tag, x);
            }
            let tag = format!("block{n}.depthwise");
            x = unit(&mut g, &tag, x, (wide, 3, stride, wide));
            x = act(&mut g, &tag, x);
            x = unit(&mut g, &format!("block{n}.project"), x, (c_out, 1, 1, 1));
            if stride == 1 && c_in == c_out {
                x = g.add(format!("block{n}.add"), x, source);
            }
        }
    }
    x = unit(&mut g, "head", x, (style.scaled(1280), 1, 1, 1));
    x = act(&mut g, "head", x);
    let x = global_average(&mut g, x);
    g.linear("fc", x, classes, style.bias);
    g
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style {
        act: Activation::Relu,
        max_pool: true,
        batch_norm: true,
        bias: false,
        width: 1.0,
    };

    /// Weights on crossbars and multiply-accumulates of every architecture, against the sums of
    /// the papers' tables written out by hand.
    #[test]
    fn sizes() {
        let image = (3, 32, 32);
        let vgg = vgg11(image, 10, STYLE);
        let pairs = 3 * 64 + 64 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 3 * 512 * 512;
        assert_eq!(vgg.weights(), 9 * pairs + 512 * 10);
        let r20 = resnet_cifar(20, image, 10, STYLE);
        // 3x3: 3*16, 6 of 16*16, 16*32, 5 of 32*32, 32*64, 5 of 64*64; 1x1: 16*32, 32*64; 64*10.
        let three = 3 * 16 + 6 * 256 + 512 + 5 * 1024 + 2048 + 5 * 4096;
        assert_eq!(r20.weights(), 9 * three + 512 + 2048 + 640);
        assert_eq!(r20.crossbars().len(), 22);
        assert_eq!(resnet_cifar(32, image, 10, STYLE).crossbars().len(), 34);
        assert_eq!(resnet_cifar(56, image, 10, STYLE).crossbars().len(), 58);
        let r18 = resnet18(image, 100, STYLE);
        let stage = |i: usize, c: usize| 9 * (i * c + 3 * c * c) + if i == c { 0 } else { i * c };
        let body = stage(64, 64) + stage(64, 128) + stage(128, 256) + stage(256, 512);
        assert_eq!(r18.weights(), 27 * 64 + body + 51_200);
        assert_eq!(r18.nodes[r18.last()].shape, (100, 1, 1));
        for g in [vgg, r20, r18, mobilenetv2(image, 10, STYLE)] {
            g.check().unwrap();
        }
    }

    /// The depthwise network: 17 blocks, a residual sum where neither stride nor width changes.
    #[test]
    fn mobile() {
        let relu6 = Style {
            act: Activation::Clip { lo: 0.0, hi: 6.0 },
            ..STYLE
        };
        let g = mobilenetv2((3, 32, 32), 10, relu6);
        let kinds = |kind: &str| g.nodes.iter().filter(|n| n.layer.kind() == kind).count();
        assert_eq!(kinds("depthwise conv"), 17);
        assert_eq!(kinds("add"), 10);
        let before_pool = g.nodes[g.last() - 2].shape;
        assert_eq!(before_pool, (1280, 4, 4));
    }
}
