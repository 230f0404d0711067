//! Rows `fabricate/*`: programming rate in memory cells per second. Every cell draws one deviate
//! of its own, so this is the rate of normals (or lognormals) too.
//!
//! A differential pair is two cells. The share is that of the copy roof for the bytes that cannot
//! be avoided: one effective weight written per chip, the nominal weight being read once.

use super::{Case, Class, Cost, Setup, Work, next_wave, values, wait_state};
use crate::backend::Program;
use crate::error::Result;
use crate::program::{
    CHIP_FIELDS, Deviate, Fabricate, Fabrication, Law, Mapping, Op, Role, Scope, Shape,
};

/// `fabricate/ideal`: one Gaussian cell per weight, weight-proportional.
pub(super) const IDEAL: Case = case("fabricate/ideal", |s| {
    fabricate(s, Mapping::Ideal, Deviate::Gaussian)
});
/// `fabricate/differential`: two Gaussian cells per weight.
pub(super) const DIFFERENTIAL: Case = case("fabricate/differential", |s| {
    fabricate(s, Mapping::Differential { g_min: 0.05 }, Deviate::Gaussian)
});
/// `fabricate/lognormal`: one lognormal cell per weight.
pub(super) const LOGNORMAL: Case = case("fabricate/lognormal", |s| {
    fabricate(s, Mapping::Ideal, Deviate::Lognormal)
});

const fn case(name: &'static str, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least: Class::Software,
        prepare,
    }
}

fn fabricate(setup: &Setup, mapping: Mapping, deviate: Deviate) -> Result<Work> {
    let (cols, rows) = setup.pick((128, 512), (512, 512), (1024, 1024));
    let n = cols * rows;
    let spec = Fabrication {
        law: Law::WeightProportional,
        mapping,
        deviate,
        sigma_w: 0.2,
        profile: None,
        reference_columns: 0,
        layer: 1,
        cols,
        rows,
    };
    let mut program = Program::default();
    let w = program.tensor("w", Shape::Flat(n), Scope::Shared, Role::State);
    let full_scale = program.tensor("full_scale", Shape::Flat(1), Scope::Shared, Role::State);
    let fields = Shape::Flat(CHIP_FIELDS);
    let chip = program.tensor("chip", fields, Scope::PerChip, Role::State);
    let out = program.tensor("out", Shape::Flat(n), Scope::PerChip, Role::State);
    let wait = wait_state(&mut program);
    let section = program.section(
        "fabricate",
        vec![Op::from(Fabricate {
            w,
            full_scale,
            chip,
            out,
            spec,
        })],
    );
    let mut p = setup.prepare(&program, setup.pick(2, 4, 16), 0)?;
    let weights = values(n, 1);
    let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    p.session.write(w, &weights)?;
    p.session.write(full_scale, &[largest])?;
    p.session
        .write(chip, &[0.1, 1.0, 0.0, 0.0].repeat(p.chips))?;
    let cells = match mapping {
        Mapping::Differential { .. } => 2 * n * p.chips,
        Mapping::Ideal | Mapping::Offset { .. } => n * p.chips,
    };
    Ok(Work {
        step: next_wave(section, p.chips, 0),
        session: p.session,
        wait,
        done: 0,
        sizes: format!("{} chips x {cols} x {rows} weights", p.chips),
        amount: cells as f64,
        unit: "cell",
        cost: Cost::Bytes((4 * n * (p.chips + 1)) as f64),
        traffic: program.traffic(section, p.chips, 0),
    })
}
