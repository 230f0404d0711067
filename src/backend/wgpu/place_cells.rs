//! Cells at other places: `shaders/place_cells.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::PlaceCells;

uniform! {
    /// Twin of `Params` in `shaders/place_cells.wgsl`.
    struct Params {
        x: View,
        y: View,
        len: u32,
        rows: u32,
        places: u32,
        per_column: u32,
        fill: f32,
    }
}

impl OnGpu for PlaceCells {
    /// One thread a value.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let &Self {
            x,
            step,
            y,
            len,
            rows,
            ref table,
            fill,
        } = self;
        let per_column = step.is_some_and(|step| cx.shape(step).len() > 1);
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            len: len as u32,
            rows: rows as u32,
            places: table.len() as u32,
            per_column: u32::from(per_column),
            fill,
        };
        let work = Work::flat(cx.shape(y).len()).per_chip(cx.per_chip(y));
        Ok(vec![
            Dispatch::new("place_cells", work)
                .constant("CODES", step.is_some())
                .params(&params)
                .read(x)
                .read(step)
                .table(table)
                .write(y),
        ])
    }
}
