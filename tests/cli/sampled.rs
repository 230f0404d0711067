//! A sweep of chips whose cells are drawn from a table: resumed with the same table only.

use super::{pimento_with, text};

const EXPERIMENT: &str = r#"
fidelity = "cell"
name = "measured"
[data]
set = "digits-8x8"
train_limit = 200
[network]
kind = "mlp"
hidden = [8]
[quantize]
weight_bits = 4
activation_bits = 4
input_bits = 4
[train]
epochs = 1
[sweep]
chips = 3
images = 50
[chip.cells]
on_off_ratio = 10
g_max_us = 50
sampled = "cells.csv"
"#;

#[test]
fn a_sweep_on_measured_cells_is_resumed_with_the_same_table_only() {
    let dir = tempfile::tempdir().unwrap();
    let [file, table, out] = ["x.toml", "cells.csv", "out"].map(|name| dir.path().join(name));
    let cells = "target_us,value_us\n5,5.5\n5,4\n50,50\n50,44\n50,47\n";
    std::fs::write(&file, EXPERIMENT).unwrap();
    std::fs::write(&table, cells).unwrap();
    let run = |args: &[&str]| pimento_with(args, &[("PIMENTO_BACKEND", "cpu")]);
    run(&["sweep", text(&file), "--out", text(&out)]).assert_ok();
    let kept = out.join("experiment.toml");
    run(&["sweep", text(&kept), "--resume", "--chips", "4"]).assert_ok();
    let rows = std::fs::read_to_string(out.join("chips.csv")).unwrap();
    let accuracies: Vec<&str> = rows.lines().skip(1).collect();
    assert_eq!(accuracies.len(), 4, "{rows}");
    // Another table, the same name.
    std::fs::write(&table, format!("{cells}50,10\n")).unwrap();
    let again = ["sweep", text(&kept), "--resume", "--chips", "5"];
    run(&again).assert_refused(&["chip.cells.sampled_sha256 wants"]);
    // The experiment as it was written, which names no digest, has other points now.
    let other = [
        "sweep",
        text(&file),
        "--out",
        text(&out),
        "--resume",
        "--chips",
        "5",
    ];
    run(&other).assert_refused(&[]);
}
