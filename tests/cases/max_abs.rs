//! Largest magnitudes of maps.

use pimento::program::*;

use super::case::*;

/// Over images and chips, without the lanes that have no image of the run.
pub fn magnitudes() -> Vec<Case> {
    let cases = [1, 16, 21].map(|images| {
        let mut case = Case::new(1, 3, 21);
        let chw = [2, 3, 3];
        let values = normals(5, case.count(chw, Scope::PerChip));
        let x = case.given(chw, Scope::PerChip, values);
        let out = case.result(1, Scope::Shared);
        case.section(vec![Op::from(MaxAbs {
            x,
            out,
            divisor: 7.0,
        })]);
        // The other images are there, in the same blocks, but not part of the run.
        case.runs[0].1.images = 0..images;
        let all = (0..3).flat_map(|chip| (0..images).map(move |image| (chip, image)));
        let want = all
            .flat_map(|(chip, image)| case.at(x, chip, image))
            .fold(0f64, |m, v| m.max(v.abs()));
        let rounded = f64::from(want as f32 / 7.0);
        case.want(out, vec![rounded], 0.0);
        // One division.
        case.apart[0] = 4.0 * ULP;
        case
    });
    cases.into()
}

pub fn large_maps() -> Vec<Case> {
    let cases = [Scope::Shared, Scope::PerChip].map(|scope| {
        let mut case = wave(1);
        let x = case.random([5, 16, 16], scope);
        let out = case.result(1, Scope::Shared);
        case.section(vec![Op::from(MaxAbs {
            x,
            out,
            divisor: 7.0,
        })]);
        case.compare(out);
        // One division.
        case.apart[0] = 4.0 * ULP;
        case
    });
    cases.into()
}

/// The largest values are in the images after the run's last one, in the same block.
pub fn real_images() -> Vec<Case> {
    let mut case = wave(1);
    let n = case.count([2, 1, 1], Scope::Shared);
    let values = (0..n).map(|i| i as f32).collect();
    let x = case.given([2, 1, 1], Scope::Shared, values);
    let out = case.result(1, Scope::Shared);
    let mean = case.result(2, Scope::Shared);
    let var = case.result(2, Scope::Shared);
    case.section(vec![
        Op::from(MaxAbs {
            x,
            out,
            divisor: 1.0,
        }),
        Op::from(BatchNormStats { x, mean, var }),
    ]);
    case.runs[0].1.images = 16..21;
    // Integers and their mean; the variance is 8.
    case.want(out, vec![41.0], 0.0);
    case.want(mean, vec![36.0, 37.0], 0.0);
    case.want(var, vec![8.0, 8.0], 0.0);
    case.apart[0] = 16.0 * ULP;
    vec![case]
}
