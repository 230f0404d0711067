//! What driving inputs takes, by a loop over places and steps; and with the loads of cells, by a loop over cells.

use pimento::program::*;

use super::case::*;
use super::{arrays, input_load};

/// Sums of squared drives of a code, over its steps.
fn square(dac: &Dac, code: i32) -> f64 {
    let steps = (0..dac.steps()).map(|t| arrays::step(dac, code, t).powi(2));
    steps.sum()
}

/// Random layers: the sum over cells of conductance times squared drive, in every step of every output pixel.
pub fn codes() -> Vec<Case> {
    (0..30).map(|seed| case(seed, 0.37)).collect()
}

/// A map without a step has the code 0 everywhere.
pub fn no_step() -> Vec<Case> {
    vec![case(3, 0.0), case(4, -1.0)]
}

fn case(seed: u64, step: f32) -> Case {
    let mut rng = Rng(seed);
    let geo = input_load::dilated(&mut rng);
    let a = arrays::arrays(&mut rng, &geo);
    let dac = arrays::dac(&mut rng, false);
    let mut case = Case::new(seed, 2, 21);
    let g = case.drawn(a.cells(), rng.scope(), |rng| rng.coarse().abs());
    let (lo, hi) = arrays::codes(&dac);
    let shape = [geo.c_in, geo.h_in, geo.w_in];
    // Some codes are beyond what can be driven.
    let x = case.drawn(shape, rng.scope(), |rng| {
        let code = rng.pick(0, (hi - lo + 2) as usize) as i32 + lo - 1;
        code as f32 * if step > 0.0 { step } else { 1.0 }
    });
    let x_step = case.shared(&[step]);
    let places = geo.c_in * geo.h_in * geo.w_in;
    let load = case.result(places, Scope::PerChip);
    let y = case.result([1, 1, 1], Scope::PerChip);
    let table: Vec<f32> = (lo..=hi).map(|code| square(&dac, code) as f32).collect();
    case.section(vec![Op::from(InputLoad {
        g,
        out: load,
        arrays: a.clone(),
        geo,
    })]);
    case.section(vec![Op::from(InputEnergy {
        x,
        x_step,
        load,
        y,
        lo,
        table: table.into(),
    })]);
    let most = (lo..=hi).map(|code| square(&dac, code)).fold(0.0, f64::max);
    let terms = (places * geo.kh * geo.kw * a.cell_planes() * a.cols) as f64;
    let want = case.each(Scope::PerChip, |chip, image| {
        let loads = input_load::loads(&geo, &a, &case.at(g, chip, 0));
        let codes = case
            .at(x, chip, image)
            .into_iter()
            .map(|x| match step > 0.0 {
                true => (x / f64::from(step)).round() as i32,
                false => 0,
            });
        let energies = codes.zip(loads);
        vec![
            energies
                .map(|(code, load)| square(&dac, code.clamp(lo, hi)) * load)
                .sum(),
        ]
    });
    // Conductances of at most 1, sums of positive terms whose errors grow with their number at the most.
    case.apart[0] = terms * most * terms.sqrt() * ULP;
    case.want(y, want, terms * most * terms.sqrt() * EPS);
    case
}
