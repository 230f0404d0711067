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
        for what in ["best_s", "bytes", "copy", "flop"] {
            assert_eq!(roof, row[what].is_null(), "{row}");
        }
    }
}

#[test]
fn an_unknown_row_is_refused_and_the_names_are_listed() {
    pimento(&["bench", "--backend", "cpu", "--filter", "gemn"])
        .assert_refused(&["\"gemn\"", "gemm/1024"]);
}

#[test]
fn reports_in_alternation_are_compared_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, rate: f64| {
        let path = dir.path().join(name);
        let report = serde_json::json!({
            "pimento": "0.1.0", "quick": false, "targets": [], "failures": [],
            "rows": [{"name": "gemm/256", "adapter": "a", "backend": "cpu", "sizes": "", "best_s": 1.0,
                "median_s": 1.0, "repeats": 3, "rate": rate, "unit": "FLOP", "share": null}],
        });
        std::fs::write(&path, report.to_string()).unwrap();
        path.to_str().unwrap().to_string()
    };
    let (a, b) = (file("a.json", 100.0), file("b.json", 80.0));
    let (c, d) = (file("c.json", 50.0), file("d.json", 40.5));
    let one = pimento(&["bench", "--compare", &a, &b]);
    one.assert_ok();
    one.assert_says(&["gemm/256", "0.800", "unresolved", "One pair"]);
    let two = pimento(&["bench", "--compare", &a, &b, &c, &d, "--json"]);
    assert_eq!(two.code, 3, "{}", two.stderr);
    let json: serde_json::Value = serde_json::from_str(&two.stdout).unwrap();
    assert_eq!(json["rows"][0]["verdict"], "slower");
    assert_eq!(json["pairs"], 2);
    let wide = pimento(&["bench", "--compare", &a, &b, &c, &d, "--tolerance", "30"]);
    wide.assert_ok();
    wide.assert_says(&["same"]);
    pimento(&["bench", "--compare", &a, &b, &c]).assert_refused(&["3 reports", "an even number"]);
    let bad = dir.path().join("bad.json");
    std::fs::write(&bad, "{}").unwrap();
    pimento(&["bench", "--compare", &a, bad.to_str().unwrap()])
        .assert_refused(&["bad.json", "bench --json"]);
    pimento(&["bench", "--tolerance", "5"]).assert_refused(&["--compare"]);
}
