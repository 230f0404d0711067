//! Running statistics.

use pimento::program::*;

use super::case::*;

pub fn rates() -> Vec<Case> {
    let cases = [
        (Rate::Fixed(0.5), 1.0, 0, [5.5, 11.0, 16.5, 22.0]),
        (Rate::Fixed(0.5), 2.0, 7, [10.5, 21.0, 31.5, 42.0]),
        (Rate::FixedFromFirst(0.5), 2.0, 0, [20.0, 40.0, 60.0, 80.0]),
        (Rate::FixedFromFirst(0.5), 1.0, 1, [5.5, 11.0, 16.5, 22.0]),
        (Rate::Sum, 0.5, 7, [6.0, 12.0, 18.0, 24.0]),
        (Rate::Cumulative, 1.0, 0, [10.0, 20.0, 30.0, 40.0]),
        (Rate::Cumulative, 1.0, 3, [3.25, 6.5, 9.75, 13.0]),
    ];
    let cases = cases.map(|(rate, times, step, want)| {
        let mut case = Case::new(1, 2, 0);
        let state = case.given(2, Scope::PerChip, vec![1.0, 2.0, 3.0, 4.0]);
        let value = case.given(2, Scope::PerChip, vec![10.0, 20.0, 30.0, 40.0]);
        case.section(vec![Op::from(Lerp {
            state,
            value,
            rate,
            times,
        })]);
        case.runs[0].1.step = step;
        case.want(state, want.into(), 0.0);
        // A handful of roundings of values up to 80.
        case.apart[1] = 4.0 * ULP;
        case
    });
    cases.into()
}

/// Three steps each, so that the state matters.
pub fn averages() -> Vec<Case> {
    let mut cases = Vec::new();
    for rate in [
        Rate::Fixed(0.1),
        Rate::Fixed(1.0),
        Rate::FixedFromFirst(0.1),
        Rate::Cumulative,
        Rate::Sum,
    ] {
        for scope in [Scope::Shared, Scope::PerChip] {
            let mut case = wave(1);
            let state = case.random(70, scope);
            let value = case.random(70, scope);
            case.section(vec![Op::from(Lerp {
                state,
                value,
                rate,
                times: 1.5,
            })]);
            case.steps(0..3, 0.125);
            case.compare(state);
            // A handful of roundings of values up to 1 a step.
            case.apart[0] = 32.0 * ULP;
            cases.push(case);
        }
    }
    cases
}

/// A cumulative average is the mean of the values, whatever the state held before.
pub fn running_means() -> Vec<Case> {
    let mut case = Case::new(1, 1, 0);
    let state = case.shared(&[f32::MAX]);
    let values = [3.0f32, -1.0, 4.0, 10.0];
    for (step, v) in values.into_iter().enumerate() {
        let value = case.shared(&[v]);
        case.section(vec![Op::from(Lerp {
            state,
            value,
            rate: Rate::Cumulative,
            times: 1.0,
        })]);
        case.runs[step].1.step = step as u32;
    }
    case.want(state, vec![4.0], 4.0 * 8.0 * EPS);
    case.apart[0] = 32.0 * ULP;
    vec![case]
}
