//! What contradicts cells that are drawn from a table.

use crate::config::{Experiment, Fidelity, TuningMethod};

const FIELD: &str = "chip.cells.sampled";

/// Calls `add` with the fields and the message of every contradiction.
pub(super) fn problems(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let cells = &e.chip.cells;
    if cells.sampled.is_none() {
        if cells.sampled_sha256.is_some() {
            add(
                &["chip.cells.sampled_sha256", FIELD],
                "there is no file; allowed: with chip.cells.sampled".into(),
            );
        }
        return;
    }
    if e.fidelity == Fidelity::Weight {
        add(
            &[FIELD, "fidelity"],
            "there are no cells at fidelity \"weight\"; allowed: no table, or fidelity \"cell\""
                .into(),
        );
        return;
    }
    if e.variation.sigma_w > 0.0 {
        add(
            &[FIELD, "variation.sigma_w"],
            format!(
                "the cells of a table have their own deviations, and {} would come on top; allowed: 0",
                e.variation.sigma_w
            ),
        );
    }
    if e.chip.programming.sigma.is_some() {
        add(
            &[FIELD, "chip.programming.sigma"],
            "the cells of a table have their own deviations; allowed: no chip.programming.sigma"
                .into(),
        );
    }
    let method = e.tuning.method;
    if !(method == TuningMethod::None || method.adapts_norms()) {
        add(
            &[FIELD, "tuning.method"],
            format!(
                "\"{method}\" reckons with a law of the deviations; allowed with a table of cells: tuning.method \"none\", \
                 \"bn-recalibration\", \"bn-training\""
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Experiment;

    #[test]
    fn what_contradicts_a_table_is_refused() {
        let mistake = |text: &str| {
            let text = format!("[quantize]\nactivation_bits = 4\ninput_bits = 4\n{text}");
            match Experiment::parse(&format!("fidelity = \"cell\"\n{text}"), "test") {
                Ok(_) => String::new(),
                Err(e) => e.to_string(),
            }
        };
        assert_eq!(mistake("[chip.cells]\nsampled = \"t.csv\"\n"), "");
        for (more, said) in [
            ("[variation]\nsigma_w = 0.1\n", "0.1 would come on top"),
            (
                "[chip.programming]\nsigma = 0.1\n",
                "no chip.programming.sigma",
            ),
            ("[tuning]\nmethod = \"self-tuning\"\n", "reckons with a law"),
        ] {
            let found = mistake(&format!("[chip.cells]\nsampled = \"t.csv\"\n{more}"));
            assert!(found.contains(said), "{more}: {found}");
        }
        let alone = mistake(&format!(
            "[chip.cells]\nsampled_sha256 = \"{}\"\n",
            "a".repeat(64)
        ));
        assert!(alone.contains("there is no file"), "{alone}");
        let own = mistake("[layer.conv1.chip.cells]\nsampled = \"t.csv\"\n");
        assert!(own.contains("sampled"), "{own}");
    }
}
