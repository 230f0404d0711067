//! Rows `mvm/*`: weight-level matrix-vector products of several chips in one batch: the same
//! images through weights that every chip has for itself. The shapes are a square fully connected
//! layer and the three stages of ResNet-20 on 32 x 32 images (He et al., arXiv 1512.03385, 4.2).

use super::{Case, Class, Cost, Setup, Work, next_wave, values, wait_state};
use crate::backend::Program;
use crate::error::Result;
use crate::program::{Activation, Conv2d, ConvGeometry, Op, Post, Role, Scope, Shape};

/// `mvm/linear-512`: 512 inputs, 512 outputs.
pub(super) const LINEAR: Case = case("mvm/linear-512", |s| {
    multiply(s, ConvGeometry::linear(512, 512), s.pick(64, 512, 1024))
});
/// `mvm/conv3x3-16x32x32`: first stage of ResNet-20.
pub(super) const CONV_16: Case = case("mvm/conv3x3-16x32x32", |s| {
    multiply(s, conv3x3(16, 32), s.pick(16, 32, 128))
});
/// `mvm/conv3x3-32x16x16`: second stage.
pub(super) const CONV_32: Case = case("mvm/conv3x3-32x16x16", |s| {
    multiply(s, conv3x3(32, 16), s.pick(16, 32, 256))
});
/// `mvm/conv3x3-64x8x8`: third stage.
pub(super) const CONV_64: Case = case("mvm/conv3x3-64x8x8", |s| {
    multiply(s, conv3x3(64, 8), s.pick(16, 32, 512))
});

const fn case(name: &'static str, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least: Class::Software,
        prepare,
    }
}

fn conv3x3(channels: usize, side: usize) -> ConvGeometry {
    ConvGeometry {
        c_in: channels,
        h_in: side,
        w_in: side,
        c_out: channels,
        kh: 3,
        kw: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [1; 4],
        groups: 1,
    }
}

fn multiply(setup: &Setup, geo: ConvGeometry, images: usize) -> Result<Work> {
    let mut program = Program::default();
    let input = Shape::Image {
        c: geo.c_in,
        h: geo.h_in,
        w: geo.w_in,
    };
    let output = Shape::Image {
        c: geo.c_out,
        h: geo.h_out(),
        w: geo.w_out(),
    };
    let n = geo.weights();
    let x = program.tensor("x", input, Scope::Shared, Role::Input);
    let w = program.tensor("w", Shape::Flat(n), Scope::PerChip, Role::State);
    let y = program.tensor("y", output, Scope::PerChip, Role::Temp);
    let wait = wait_state(&mut program);
    // As in a network: with the non-linearity that follows.
    let post = Post {
        act: Activation::Relu,
        ..Post::NONE
    };
    let section = program.section(
        "multiply",
        vec![Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        })],
    );
    let mut p = setup.prepare(&program, setup.pick(2, 8, 16), images)?;
    p.session.write(x, &values(p.images * input.len(), 1))?;
    p.session.write(w, &values(p.chips * n, 2))?;
    let macs = (geo.macs() * p.images * p.chips) as f64;
    Ok(Work {
        step: next_wave(section, p.chips, p.images),
        session: p.session,
        wait,
        done: 0,
        sizes: format!("{} chips x {} images", p.chips, p.images),
        amount: macs,
        unit: "MAC",
        cost: Cost::Flops(2.0 * macs),
        traffic: program.traffic(section, p.chips, p.images),
    })
}
