//! Rows `peak/fma` and `peak/copy`: the roofs all other rows are held against.

use super::report::Row;
use crate::backend::{DeviceInfo, Peak};

const FMA: &str = "peak/fma";
const COPY: &str = "peak/copy";

/// Names of the rows.
pub(super) const NAMES: [&str; 2] = [FMA, COPY];

/// The two rows.
pub(super) fn rows(info: &DeviceInfo, peak: &Peak) -> [Row; 2] {
    [
        Row::roof(
            FMA,
            info,
            "multiply-adds in registers",
            peak.fma_gflops * 1e9,
            "FLOP",
        ),
        Row::roof(
            COPY,
            info,
            "read and write",
            peak.copy_gbytes_per_s * 1e9,
            "B",
        ),
    ]
}
