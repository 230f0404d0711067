use pimento::program::*;

use super::arrays::*;
use super::harness::*;

/// Roundings of sums of four planes of at most 4 times their place of at most 4.
const TOLERANCE: f32 = 64.0 * 8.0 * EPS;

#[test]
fn effective_weights_match_cpu() {
    let geo = ConvGeometry::linear(9, 6);
    let table: [f32; 4] = [0.25, 0.375, 0.75, 1.0];
    // What is subtracted digitally depends on the table of levels.
    let digital = (Encoding::Offset { reference: 0 }, Some(table.into()));
    let encodings = ENCODINGS.map(|encoding| (encoding, None));
    for (encoding, levels) in encodings.into_iter().chain([digital]) {
        let mut case = Case::new();
        let mut spec = reading(&geo, encoding, dac(8, 1, None), None);
        spec.arrays.levels = levels;
        let n = spec.arrays.plane_len();
        let layer = Layer::new(&mut case, geo, spec, |n, seed| {
            values(n, seed).iter().map(|v| 4.0 * v).collect()
        });
        let steps = case.state(geo.c_out, Scope::Shared);
        let pairs = layer.pairs(&mut case, 1.0, 0.0, 0.25);
        let mut ops = Vec::new();
        for (w_step, correct) in [(layer.w_step, None), (steps, Some(pairs))] {
            ops.push(Op::from(CollapsePlanes {
                g: layer.g,
                w_step,
                correct,
                out: case.result(n, Scope::PerChip),
                spec: layer.spec.clone(),
            }));
        }
        case.section(ops);
        case.compare(&format!("collapse_planes {encoding:?}"), TOLERANCE);
    }
}
