use pimento::program::*;

use super::harness::*;

/// Counts of values whose places are exact (16-bit values, ranges that are powers of two), so that
/// both backends must agree on every one.
#[test]
fn counts_match_cpu() {
    for (x, out) in SCOPES {
        if (x, out) == (Scope::Shared, Scope::PerChip) {
            continue;
        }
        for (bins, images) in [(16, 37), (5000, 21)] {
            let mut case = Case::new();
            let x = case.input([6, 3, 2], x);
            // Wide enough, values on both sides beyond it, no range.
            let limit = case.state_of(3, Scope::Shared, |_, _| vec![1.0, 0.5, 0.0]);
            let out = case.result(3 * bins, out);
            case.section(vec![Op::from(Histogram {
                x,
                limit,
                out,
                bins,
            })]);
            case.runs[0].1.images = 0..images;
            case.compare(&format!("histogram of {bins}"), 0.0);
        }
    }
}
