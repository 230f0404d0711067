//! `pimento bench`: names, units and shares; never a verdict on speed.

use super::pimento;

#[test]
fn a_quick_bench_of_the_cpu_prints_a_table() {
    let run = pimento(&[
        "bench",
        "--quick",
        "--backend",
        "cpu",
        "--filter",
        "gemm/256",
    ]);
    run.assert_ok();
    assert!(run.stdout.starts_with("cpu  "), "{}", run.stdout);
    run.assert_says(&["gemm/256", "256 x 256 x 256", "FLOP/s", "of peak"]);
}

#[test]
fn json_has_every_row_with_its_rate_unit_and_share() {
    let run = pimento(&[
        "bench",
        "--quick",
        "--backend",
        "cpu",
        "--filter",
        "lenet5",
        "--json",
    ]);
    run.assert_ok();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["quick"], true);
    assert_eq!(json["targets"][0]["backend"], "cpu");
    assert!(json["targets"][0]["peak"]["fma_gflops"].as_f64() > Some(0.0));
    assert_eq!(json["failures"], serde_json::json!([]));
    let rows = json["rows"].as_array().unwrap();
    let names: Vec<_> = rows.iter().filter_map(|r| r["name"].as_str()).collect();
    for name in ["lenet5/monte-carlo", "lenet5/training-step"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for row in rows {
        assert!(row["rate"].as_f64() > Some(0.0), "{row}");
        assert_eq!(row["backend"], "cpu");
        assert!(row["unit"].is_string() && row["sizes"].is_string());
        let roof = row["name"].as_str().unwrap().starts_with("peak/");
        assert_eq!(roof, row["share"].is_null(), "{row}");
        assert_eq!(roof, row["best_s"].is_null(), "{row}");
    }
}

#[test]
fn an_unknown_row_is_refused_and_the_names_are_listed() {
    pimento(&["bench", "--backend", "cpu", "--filter", "gemn"])
        .assert_refused(&["\"gemn\"", "gemm/1024"]);
}
