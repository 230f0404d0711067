//! Clearing of states.

use pimento::program::*;

use super::case::*;

pub fn cleared() -> Vec<Case> {
    let cases = [Scope::Shared, Scope::PerChip].map(|scope| {
        let mut case = Case::new(1, 3, 0);
        let t = case.random(70, scope);
        case.section(vec![Op::from(Zero { t })]);
        case.want(t, vec![0.0; case.count(70, scope)], 0.0);
        case
    });
    cases.into()
}
