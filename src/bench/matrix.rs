//! Rows `gemm/N`: the product of two `N x N` matrices as a fully connected layer with `N` inputs,
//! `N` outputs and `N` images, one chip.

use super::{Case, Class, Cost, Setup, Work, next_wave, values, wait_state};
use crate::backend::Program;
use crate::error::Result;
use crate::program::{Conv2d, ConvGeometry, Op, Post, Role, Scope, Shape};

/// `gemm/256`: fits the caches.
pub(super) const N256: Case = case("gemm/256", Class::Software, |s| product(s, 256));
/// `gemm/512`
pub(super) const N512: Case = case("gemm/512", Class::Processor, |s| product(s, 512));
/// `gemm/1024`
pub(super) const N1024: Case = case("gemm/1024", Class::Processor, |s| product(s, 1024));
/// `gemm/4096`: what fills a GPU.
pub(super) const N4096: Case = case("gemm/4096", Class::Hardware, |s| product(s, 4096));

const fn case(name: &'static str, least: Class, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least,
        prepare,
    }
}

fn product(setup: &Setup, n: usize) -> Result<Work> {
    let mut program = Program::default();
    let map = Shape::Image { c: n, h: 1, w: 1 };
    let x = program.tensor("x", map, Scope::Shared, Role::Input);
    let w = program.tensor("w", Shape::Flat(n * n), Scope::Shared, Role::State);
    let y = program.tensor("y", map, Scope::Shared, Role::Output);
    let wait = wait_state(&mut program);
    let multiply = program.section(
        "multiply",
        vec![Op::from(Conv2d {
            x,
            w,
            y,
            geo: ConvGeometry::linear(n, n),
            post: Post::NONE,
            codes: None,
        })],
    );
    let mut p = setup.prepare(&program, 1, n)?;
    p.session.write(x, &values(p.images * n, 1))?;
    p.session.write(w, &values(n * n, 2))?;
    let flops = 2.0 * (n * n * p.images) as f64;
    Ok(Work {
        step: next_wave(multiply, 1, p.images),
        session: p.session,
        wait,
        done: 0,
        sizes: format!("{n} x {n} x {}", p.images),
        amount: flops,
        unit: "FLOP",
        cost: Cost::Flops(flops),
        traffic: program.traffic(multiply, 1, p.images),
    })
}
