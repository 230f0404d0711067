//! Contradictions of section `[energy]`.

use crate::config::{Energy, Experiment, Fidelity};

/// Calls `add` with the fields and the message of every contradiction.
pub(super) fn problems(e: &Experiment, add: &mut impl FnMut(&'static [&'static str], String)) {
    let Some(energy) = &e.energy else {
        return;
    };
    if e.fidelity == Fidelity::Weight {
        add(
            &["energy", "fidelity"],
            "at fidelity \"weight\" there are no arrays, steps and converters to count; allowed: fidelity \"cell\", \
             or no section [energy]"
                .into(),
        );
        return;
    }
    if !e.chip.adc.converts() {
        add(
            &["chip.adc.bits", "energy"],
            "0 bits leave sums without a converter, and no technology knows what reads them; allowed: 1 to 14, or no \
             section [energy]"
                .into(),
        );
    }
    if e.chip.dac.table.first().is_some_and(|zero| *zero != 0.0) {
        add(
            &["chip.dac.table", "energy"],
            "digit 0 drives its row, and rows of padding with it, whose energy is not counted; allowed: 0 for digit 0, or no section \
             [energy]"
                .into(),
        );
    }
    if energy.file.is_some() && energy.technology != Energy::default().technology {
        add(
            &["energy.technology", "energy.file"],
            "a technology that comes with the program, and a file; allowed: one of the two".into(),
        );
    }
    if energy.file.is_none() && energy.file_sha256.is_some() {
        add(
            &["energy.file_sha256", "energy.file"],
            "there is no file; allowed: with energy.file".into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Experiment;

    fn mistake(text: &str) -> String {
        let found = Experiment::parse(text, "x.toml");
        found.map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn what_no_parts_can_be_counted_of_is_refused() {
        let at_weights = mistake("[energy]\n");
        assert!(
            at_weights.contains("`energy`") && at_weights.contains("fidelity \"cell\""),
            "{at_weights}"
        );
        let cells = "fidelity = \"cell\"\n[quantize]\nactivation_bits = 4\ninput_bits = 4\n";
        assert_eq!(mistake(&format!("{cells}[energy]\n")), "");
        for (text, wanted) in [
            (
                "[chip.adc]\nbits = 0\n[energy]\n",
                "0 bits leave sums without a converter",
            ),
            (
                "[energy]\ntechnology = \"isaac-32nm\"\nfile = \"own.toml\"\n",
                "one of the two",
            ),
            ("[energy]\ntechnology = \"isaac\"\n", "isaac-32nm"),
            ("[energy]\nread_v = 0\n", "`energy.read_v`"),
        ] {
            let found = mistake(&format!("{cells}{text}"));
            assert!(found.contains(wanted), "{text}: {found}");
        }
    }

    #[test]
    fn a_file_of_constants_is_found_beside_the_experiment_and_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let text = "fidelity = \"cell\"\n[quantize]\nactivation_bits = 4\ninput_bits = 4\n[energy]\nfile = \"own.toml\"\n";
        std::fs::write(&path, text).unwrap();
        assert!(Experiment::load(&path).is_err());
        std::fs::write(
            folder.path().join("own.toml"),
            "title = \"own\"\nnode_nm = 22\n",
        )
        .unwrap();
        let energy = Experiment::load(&path).unwrap().energy.unwrap();
        let constants = energy.constants().unwrap();
        assert_eq!((constants.title.as_str(), constants.node_nm), ("own", 22.0));
        assert_eq!(energy.file_sha256.unwrap().len(), 64);
        std::fs::write(folder.path().join("own.toml"), "node = 22\n").unwrap();
        let broken = Experiment::load(&path).unwrap().energy.unwrap().constants();
        assert!(
            broken
                .unwrap_err()
                .to_string()
                .contains("own.toml:1: unknown field `node`")
        );
    }
}
