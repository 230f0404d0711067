//! Pooling, forward and backward: `shaders/{max,avg}_pool.wgsl` and their `_grad`, one thread a quad
//! of images of the written map.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, PoolGeometry, TensorId};

uniform! {
    /// Twin of `Pool` in `shaders/shared/pool.wgsl`.
    struct PoolParams {
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        kh: u32,
        kw: u32,
        stride_y: u32,
        stride_x: u32,
        pad_top: u32,
        pad_left: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/max_pool.wgsl` and `shaders/avg_pool.wgsl`.
    struct ForwardParams {
        x: View,
        y: View,
        pool: PoolParams,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/max_pool_grad.wgsl`.
    struct MaxGradParams {
        x: View,
        y: View,
        dy: View,
        dx: View,
        pool: PoolParams,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/avg_pool_grad.wgsl`.
    struct AvgGradParams {
        dy: View,
        dx: View,
        pool: PoolParams,
    }
}

impl OnGpu for MaxPool {
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        Ok(vec![forward("max_pool", self.x, self.y, &self.geo, cx)])
    }
}

impl OnGpu for AvgPool {
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        Ok(vec![forward("avg_pool", self.x, self.y, &self.geo, cx)])
    }
}

impl OnGpu for MaxPoolGrad {
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y, dy, dx, geo } = *self;
        let params = MaxGradParams {
            x: cx.view(x),
            y: cx.view(y),
            dy: cx.view(dy),
            dx: cx.view(dx),
            pool: pool(dx, dy, &geo, cx),
        };
        // Whose window, and for each of those every pixel before.
        let window = rounds(&geo);
        Ok(vec![
            Dispatch::new("max_pool_grad", work(dx, cx))
                .rounds(window * (1 + window))
                .params(&params)
                .read(x)
                .read(y)
                .read(dy)
                .write(dx),
        ])
    }
}

impl OnGpu for AvgPoolGrad {
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { dy, dx, geo } = *self;
        let params = AvgGradParams {
            dy: cx.view(dy),
            dx: cx.view(dx),
            pool: pool(dx, dy, &geo, cx),
        };
        Ok(vec![
            Dispatch::new("avg_pool_grad", work(dx, cx))
                .rounds(rounds(&geo))
                .params(&params)
                .read(dy)
                .write(dx),
        ])
    }
}

fn forward(
    shader: &'static str,
    x: TensorId,
    y: TensorId,
    geo: &PoolGeometry,
    cx: &LowerContext<'_>,
) -> Dispatch {
    let params = ForwardParams {
        x: cx.view(x),
        y: cx.view(y),
        pool: pool(x, y, geo, cx),
    };
    Dispatch::new(shader, work(y, cx))
        .rounds(rounds(geo))
        .params(&params)
        .read(x)
        .write(y)
}

/// Rounds of a thread that looks at a window.
fn rounds(geo: &PoolGeometry) -> u64 {
    (geo.kh * (1 + geo.kw)) as u64
}

fn work(written: TensorId, cx: &LowerContext<'_>) -> Work {
    Work::flat(cx.shape(written).len() * QUADS)
        .per_block()
        .per_chip(cx.per_chip(written))
}

fn pool(
    input: TensorId,
    output: TensorId,
    geo: &PoolGeometry,
    cx: &LowerContext<'_>,
) -> PoolParams {
    let (_, h_in, w_in) = cx.shape(input).chw();
    let (_, h_out, w_out) = cx.shape(output).chw();
    PoolParams {
        h_in: h_in as u32,
        w_in: w_in as u32,
        h_out: h_out as u32,
        w_out: w_out as u32,
        kh: geo.kh as u32,
        kw: geo.kw as u32,
        stride_y: geo.stride[0] as u32,
        stride_x: geo.stride[1] as u32,
        pad_top: geo.pad[0] as u32,
        pad_left: geo.pad[1] as u32,
    }
}
