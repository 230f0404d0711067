//! Contradictions of section `[design]`.

use crate::choice::Choice;
use crate::config::goal::{Constraint, Measure, PlannedCost, Side};
use crate::config::{Experiment, Fidelity, Search};
use crate::program::Metric;

/// Calls `add` with the fields and the message of every contradiction.
pub(super) fn problems(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let Some(search) = &e.design else {
        return;
    };
    let goal = &search.goal;
    if goal.objectives.is_empty() {
        add(
            &["design.goal", "design"],
            "`design.goal` is missing; allowed: objectives and constraints, such as \"energy_pj min, yield(0.9) >= 0.99\"".into(),
        );
        return;
    }
    for measure in goal.measures() {
        missing(e, measure, add);
    }
    for constraint in &goal.constraints {
        chips(e, constraint, add);
    }
    for (i, a) in goal.constraints.iter().enumerate() {
        for b in &goal.constraints[i + 1..] {
            if nothing_left(a, b) || nothing_left(b, a) {
                add(
                    &["design.goal"],
                    format!(
                        "no design can have both `{a}` and `{b}`; allowed: bounds that leave something"
                    ),
                );
            }
        }
    }
    if e.sweep.until.is_some() {
        add(
            &["sweep.until", "design"],
            "a search of designs ends each by its own rule; allowed: sweep.chips, or no section [design]".into(),
        );
    }
}

/// What a measure needs and the experiment does not have.
fn missing(
    e: &Experiment,
    measure: Measure,
    add: &mut impl FnMut(&'static [&'static str], String),
) {
    if measure.needs_energy() && e.energy.is_none() {
        add(
            &["design.goal", "energy"],
            format!(
                "`{measure}` needs a section [energy], which is not there; allowed: with it, or other measures"
            ),
        );
    }
    if measure == Measure::Cost(PlannedCost::Arrays) && e.fidelity == Fidelity::Weight {
        add(
            &["design.goal", "fidelity"],
            "at fidelity \"weight\" there are no `arrays` to count; allowed: fidelity \"cell\", or other measures".into(),
        );
    }
    let metric = match measure {
        Measure::Mean(mean) => Metric::from_name(mean.name()),
        Measure::Yield { .. } | Measure::Cost(_) => None,
    };
    if metric.is_some_and(|metric| !e.sweep.metrics.contains(&metric)) {
        add(
            &["design.goal", "sweep.metrics"],
            format!(
                "`{measure}` is not measured; allowed: with sweep.metrics = [\"{measure}\"], or other measures"
            ),
        );
    }
}

/// A yield that so few chips cannot show.
fn chips(
    e: &Experiment,
    constraint: &Constraint,
    add: &mut impl FnMut(&'static [&'static str], String),
) {
    let Measure::Yield { .. } = constraint.measure else {
        return;
    };
    match Search::chips_for(constraint.value) {
        None => add(
            &["design.goal"],
            format!(
                "`{constraint}`: no number of chips shows that none fails; allowed: less than 1"
            ),
        ),
        Some(n) if n > e.sweep.chips => add(
            &["design.goal", "sweep.chips"],
            format!(
                "`{constraint}` needs {n} chips, all of them good, to be shown at 95 %, and there are {}; allowed: \
                 sweep.chips of {n} and more, or a smaller share",
                e.sweep.chips
            ),
        ),
        Some(_) => {}
    }
}

/// Whether a lower bound is above an upper one of the same measure.
fn nothing_left(low: &Constraint, high: &Constraint) -> bool {
    low.measure == high.measure
        && low.side == Side::AtLeast
        && high.side == Side::AtMost
        && low.value > high.value
}

#[cfg(test)]
mod tests {
    use crate::config::Experiment;

    fn mistake(text: &str) -> String {
        let found = Experiment::parse(text, "x.toml");
        found.map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn what_no_search_can_tell_is_refused_at_its_line() {
        let cells =
            "fidelity = \"cell\"\n[quantize]\nactivation_bits = 4\ninput_bits = 4\n[energy]\n";
        for (text, wanted) in [
            ("[design]\n", "`design.goal` is missing"),
            (
                "[design]\ngoal = \"accurcy max\"\n",
                "did you mean `accuracy`",
            ),
            (
                "[design]\ngoal = \"energy_pj min\"\n",
                "x.toml:2: field `design.goal`: `energy_high_pj` needs a section [energy]",
            ),
            ("[design]\ngoal = \"arrays min\"\n", "no `arrays` to count"),
            (
                "[design]\ngoal = \"brier min\"\n",
                "sweep.metrics = [\"brier\"]",
            ),
            (
                "[design]\ngoal = \"accuracy max, yield(0.9) >= 0.99\"\n",
                "needs 299 chips, all of them good, to be shown at 95 %, and there are 100",
            ),
            (
                "[design]\ngoal = \"accuracy max, yield(0.9) >= 1\"\n",
                "no number of chips",
            ),
            (
                "[design]\ngoal = \"accuracy max, cells >= 9, cells <= 8\"\n",
                "no design can have both `cells >= 9` and `cells <= 8`",
            ),
            (
                "[design]\ngoal = \"accuracy max\"\n[sweep]\nuntil = \"ci(mean) < 1pt\"\n",
                "ends each by its own rule",
            ),
            (
                "[design]\ngoal = \"accuracy max\"\n[sweep.axes]\n\"design.risk\" = [0.1, 0.2]\n",
                "a search has one goal",
            ),
            ("[design]\ngoal = 3\n", "`design.goal`"),
            (
                "[design]\ngoal = \"accuracy max\"\nrisk = 0\n",
                "`design.risk`",
            ),
        ] {
            let found = mistake(text);
            assert!(found.contains(wanted), "{text}: {found}");
        }
        let good = "[design]\ngoal = \"energy_pj min, area_mm2 min, yield(0.9) >= 0.95, accuracy >= 0.9\"\n";
        assert_eq!(mistake(&format!("{cells}{good}")), "");
        let e = Experiment::parse(&format!("{cells}{good}"), "x.toml").unwrap();
        let again = Experiment::parse(&e.to_toml().unwrap(), "x.toml").unwrap();
        assert_eq!(again, e);
        assert!(Experiment::default().check().is_ok());
    }
}
