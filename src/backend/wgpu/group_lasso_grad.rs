//! Gradient of the sum of the lengths of groups of weights: `shaders/group_lasso_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::GroupLassoGrad;

/// Largest group that one thread adds up; larger ones take a workgroup each.
const ALONE: usize = 64;

uniform! {
    /// Twin of `Params` in `shaders/group_lasso_grad.wgsl`.
    struct Params {
        cols: u32,
        rows: u32,
        tile_cols: u32,
        tile_rows: u32,
        /// Groups, and how many of them along the rows.
        groups: u32,
        along: u32,
        /// 1: a thread has a group; 0: a workgroup has one.
        alone: u32,
        factor: f32,
    }
}

impl OnGpu for GroupLassoGrad {
    /// One thread or one workgroup a group.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let n = cx.shape(self.w).len();
        let (across, along) = self.groups(n);
        let groups = across * along;
        let (tile_cols, tile_rows) = (self.tile.0.min(n / self.rows), self.tile.1.min(self.rows));
        let size = tile_cols * tile_rows;
        let alone = size <= ALONE;
        let params = Params {
            cols: (n / self.rows) as u32,
            rows: self.rows as u32,
            tile_cols: tile_cols as u32,
            tile_rows: tile_rows as u32,
            groups: groups as u32,
            along: along as u32,
            alone: u32::from(alone),
            factor: self.factor,
        };
        let (workgroups, rounds) = match alone {
            true => (groups.div_ceil(256), size),
            false => (groups, size.div_ceil(256)),
        };
        Ok(vec![
            Dispatch::new("group_lasso_grad", Work::groups(workgroups))
                .rounds(2 * rounds as u64)
                .params(&params)
                .read(self.w)
                .write(self.dw),
        ])
    }
}
