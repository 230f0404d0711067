//! `pimento fit`: from a table of measured cells to an experiment; tables that are none are refused with their line.

use super::{pimento, text};

/// Two chips of two arrays, 20 cells a target, read twice at two times; no randomness but a fixed pattern.
fn table() -> String {
    let mut table = String::from("chip,array,row,col,target_us,value_us,time_s,_operator\n");
    for chip in 0..2 {
        for array in 0..2 {
            for cell in 0..60 {
                let target = [10.0, 30.0, 50.0][cell % 3];
                let off = f64::from((cell as u32 * 37 + array * 11 + chip * 5) % 17) / 17.0 - 0.5;
                for (time, fall) in [(20, 1.0), (2000, 0.8)] {
                    for sign in [-1.0, 1.0] {
                        let value = target * (1.0 + 0.05 * off + 0.02 * f64::from(chip)) * fall
                            + 0.1 * sign;
                        table += &format!(
                            "c{chip},a{array},{},{},{target},{value},{time},me\n",
                            cell / 8,
                            cell % 8
                        );
                    }
                }
            }
        }
    }
    table
}

#[test]
fn a_table_becomes_an_experiment_that_is_checked_and_swept() {
    let dir = tempfile::tempdir().unwrap();
    let (csv, out) = (dir.path().join("cells.csv"), dir.path().join("device.toml"));
    std::fs::write(&csv, table()).unwrap();
    let (csv, out) = (text(&csv), text(&out));
    let printed = pimento(&["fit", csv, "--out", out]);
    printed.assert_ok();
    printed.assert_says(&[
        "960 reads of 240 cells in 4 arrays of 2 chips",
        "between chips",
        "nu 0.04",
        "change over rows",
        "written:",
    ]);
    pimento(&["check", out]).assert_ok();
    let page = std::fs::read_to_string(dir.path().join("device.html")).unwrap();
    for said in [
        "Error of programming",
        "Deviations against a normal distribution",
        "Drift",
        "Parts of the variance",
        "Deviations over rows and columns",
        "[variation]",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // It is not written over without being asked.
    pimento(&["fit", csv, "--out", out]).assert_refused(&["--force"]);
    pimento(&["fit", csv, "--out", "x.html"]).assert_refused(&["the page of plots has this name"]);
    let json = pimento(&["fit", csv, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["fit"]["counts"], serde_json::json!([2, 4, 240, 960]));
    let device = std::fs::read_to_string(out).unwrap();
    assert_eq!(json["device"].as_str(), Some(device.as_str()));
}

#[test]
fn tables_that_are_none_are_refused_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("t.csv");
    for (table, says) in [
        ("", "column \"target_us\" is missing"),
        ("target_us,value_us\n", "a table without a row"),
        (
            "target_us,valu_us\n1,1\n",
            "t.csv:1: column \"valu_us\" is not known; allowed: chip, array",
        ),
        (
            "target_us,value_us,value_us\n1,1,1\n",
            "t.csv:1: column \"value_us\" is there twice",
        ),
        (
            "target_us,value_us,row\n1,1,1\n",
            "a place takes columns \"row\" and \"col\"",
        ),
        (
            "target_us,value_us,cell,row\n1,1,1,1\n",
            "both say which cell it is",
        ),
        (
            "target_us,value_us\n1,1\n1,nan\n",
            "t.csv:3: column value_us: \"nan\" is not allowed; allowed: a finite number",
        ),
        (
            "target_us,value_us\n-1,1\n",
            "t.csv:2: column target_us: \"-1\" is not allowed; allowed: a conductance of at least 0",
        ),
        (
            "target_us,value_us,time_s\n1,1,0\n",
            "t.csv:2: column time_s: \"0\" is not allowed; allowed: seconds since programming, above 0",
        ),
        ("target_us,value_us\n0,1\n", "no target is above 0"),
        ("target_us,value_us\n1,1,7\n", "t.csv: CSV error"),
    ] {
        std::fs::write(&csv, table).unwrap();
        pimento(&["fit", text(&csv)]).assert_refused(&[says]);
    }
    std::fs::write(&csv, "target_us,value_us\n50,49\n").unwrap();
    let said = pimento(&["fit", text(&csv), "--g-max-us", "40"]);
    said.assert_refused(&["a target is 50 uS; allowed: 50 and more"]);
}

/// Values in another unit than the targets look like a technology that conducts nothing.
#[test]
fn values_far_from_their_targets_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("t.csv");
    let mut table = String::from("chip,cell,target_us,value_us\n");
    for cell in 0..40 {
        table += &format!(
            "{},{cell},{},0.00{}\n",
            cell % 2,
            10 + 40 * (cell / 20),
            cell % 7
        );
    }
    std::fs::write(&csv, table).unwrap();
    let said = pimento(&["fit", text(&csv)]);
    said.assert_ok();
    said.assert_says(&[
        "at targets of [50.0] uS the means are off",
        "are both columns in uS?",
    ]);
}

/// What cannot be told is said, and no number stands for it.
#[test]
fn few_measurements_say_what_they_cannot_tell() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("t.csv");
    for (table, notes) in [
        (
            "target_us,value_us\n50,49\n",
            &[
                "one chip",
                "error of programming cannot be told",
                "one target",
                "drift cannot be told",
            ][..],
        ),
        (
            "chip,target_us,value_us\n1,50,49\n1,50,52\n2,50,51\n2,50,47\n",
            &["no chip has two arrays", "read noise cannot be told"],
        ),
        (
            "cell,target_us,value_us,time_s\n1,50,49,1\n1,50,40,10\n2,50,51,1\n2,50,44,10\n",
            &["spread of the exponents cannot be told"],
        ),
        (
            "cell,target_us,value_us\n1,50,50\n2,50,50\n3,50,50\n1,20,20\n2,20,20\n",
            &["one chip"],
        ),
    ] {
        std::fs::write(&csv, table).unwrap();
        let said = pimento(&["fit", text(&csv)]);
        said.assert_ok();
        said.assert_says(notes);
        assert!(!said.stdout.contains("NaN"), "{}", said.stdout);
    }
}
