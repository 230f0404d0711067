use pimento::program::*;

use super::arrays::*;
use super::harness::*;

/// Deviates of 8 ulp and standard deviations of a few ulp, of noise of at most 64 (sums of 37 rows
/// at a drive of at most 15, variances of at most 0.02), and the roundings of such sums.
const TOLERANCE: f32 = 64.0 * 64.0 * EPS;

#[test]
fn sums_match_cpu() {
    let signs = [
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
        None,
        None,
    ];
    // Noise: none, of the sum, of every cell.
    let noises = [(false, false), (true, false), (true, true), (true, false)];
    let cases = geometries().into_iter().zip(signs).zip([3, 1, 2, 1]);
    for (((geo, signs), bits), (noisy, per_cell)) in cases.zip(noises) {
        let mut case = Case::sized(2, 21);
        let dac = dac(4, bits, signs);
        let spec = Reading {
            noise_per_cell: per_cell,
            ..reading(&geo, DIFFERENTIAL, dac, None)
        };
        let layer = Layer::new(&mut case, geo, spec, |n, seed| {
            values(n, seed).iter().map(|v| 3.0 * v).collect()
        });
        let variance = noisy.then(|| layer.variances(&mut case));
        let c = layer.spec.arrays.converters() * layer.spec.dac.conversions();
        let op = Op::from(PartialSums {
            x: layer.x,
            x_step: layer.x_step,
            g: layer.g,
            variance,
            y: case.output([c, geo.h_out(), geo.w_out()], Scope::PerChip),
            geo,
            spec: layer.spec,
        });
        case.section(vec![op]);
        case.runs[0].1.first_chip = 9;
        case.runs[0].1.first_image = 320;
        let name = format!("partial_sums {geo:?} {noisy} {per_cell}");
        case.compare(&name, TOLERANCE);
    }
}
