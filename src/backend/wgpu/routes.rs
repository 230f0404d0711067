//! Names of the ways in which products are computed, for plans.

use super::dispatch::{LowerContext, OnGpu};
use crate::error::Result;
use crate::program::{Op, with_operator};

/// Kernels of products, and what they are called in plans.
const ROUTES: [(&str, &str); 12] = [
    ("conv2d", "portable"),
    ("conv2d_tiled", "tiled"),
    ("conv2d_depthwise", "depthwise"),
    ("conv2d_winograd", "tiled, fewer products"),
    ("conv2d_coop8", "cooperative 8 x 8"),
    ("conv2d_coop16", "cooperative 16 x 16"),
    ("crossbar", "portable"),
    ("crossbar_wide", "eight columns a thread"),
    ("crossbar_coop8", "cooperative 8 x 8"),
    ("crossbar_coop16", "cooperative 16 x 16"),
    ("crossbar_count", "counts of bits"),
    ("crossbar_fields", "counts of bits in fields"),
];

/// The name of every product among operators.
pub(super) fn names(ops: &[Op], cx: &LowerContext<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for op in ops {
        let calls = with_operator!(op, o => o.lower(cx))?;
        let of = |shader| ROUTES.iter().find(|(kernel, _)| *kernel == shader);
        let found = calls.iter().find_map(|call| of(call.shader));
        names.extend(found.map(|(_, name)| (*name).to_owned()));
    }
    Ok(names)
}
