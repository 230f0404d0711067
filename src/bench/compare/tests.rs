use super::*;

/// A report with these rates on an adapter.
fn report(adapter: &str, rows: &[(&str, f64)]) -> BenchReport {
    let row = |&(name, rate): &(&str, f64)| Row {
        name: name.into(),
        adapter: adapter.into(),
        backend: "gpu".into(),
        sizes: String::new(),
        best_s: Some(1.0),
        median_s: Some(1.0),
        repeats: 3,
        rate,
        unit: "MAC".into(),
        share: None,
        flop: None,
        bytes: None,
        copy: None,
    };
    BenchReport {
        pimento: "0.1.0".into(),
        quick: false,
        targets: vec![],
        rows: rows.iter().map(row).collect(),
        failures: vec![],
    }
}

/// Pairs with these rates of one row.
fn pairs(rates: &[(f64, f64)]) -> Vec<BenchReport> {
    let both = |&(a, b): &(f64, f64)| [report("card", &[("x", a)]), report("card", &[("x", b)])];
    rates.iter().flat_map(both).collect()
}

fn verdict_of(rates: &[(f64, f64)]) -> Verdict {
    Comparison::of(&pairs(rates), 0.03).unwrap().rows[0].verdict
}

#[test]
fn the_interval_is_students_of_the_logarithms_of_the_ratios() {
    let found = Comparison::of(&pairs(&[(100.0, 110.0), (50.0, 60.0), (10.0, 11.5)]), 0.03);
    let row = &found.unwrap().rows[0];
    // ln 1.1, ln 1.2, ln 1.15 = 0.0953102, 0.1823216, 0.1397619: mean 0.1391312, deviation 0.0435091;
    // t(2, 0.975) = 4.3026527; half width 0.1080814.
    let expected = [0.139_131_2f64 - 0.108_081_4, 0.139_131_2 + 0.108_081_4];
    let [lo, hi] = row.ratio_ci95.unwrap();
    assert!((lo.ln() - expected[0]).abs() < 1e-5, "{lo}");
    assert!((hi.ln() - expected[1]).abs() < 1e-5, "{hi}");
    assert!((row.ratio.ln() - 0.139_131_2).abs() < 1e-6);
    assert!((row.rate_a - 50_000f64.cbrt()).abs() < 1e-9);
    assert_eq!(row.verdict, Verdict::Faster);
}

#[test]
fn what_both_of_a_pair_suffered_does_not_count() {
    let slow_machine = [(100.0, 101.0), (10.0, 10.1), (1.0, 1.01)];
    assert_eq!(verdict_of(&slow_machine), Verdict::Same);
}

#[test]
fn verdicts() {
    assert_eq!(verdict_of(&[(1.0, 0.5)]), Verdict::Unresolved);
    assert_eq!(verdict_of(&[(1.0, 0.5), (1.0, 0.51)]), Verdict::Slower);
    assert_eq!(verdict_of(&[(1.0, 0.5), (1.0, 1.6)]), Verdict::Unresolved);
    let slower = Comparison::of(&pairs(&[(1.0, 0.5), (1.0, 0.51)]), 0.03).unwrap();
    assert!(slower.is_slower() && slower.table().contains("slower"));
    let single = Comparison::of(&pairs(&[(1.0, 0.5)]), 0.03).unwrap();
    assert!(!single.is_slower() && single.table().contains("no verdict"));
}

#[test]
fn two_cards_are_compared_and_rows_of_one_report_are_named() {
    let a = report("card", &[("x", 1.0), ("old", 1.0)]);
    let b = report("other", &[("x", 2.0), ("new", 1.0)]);
    let found = Comparison::of(&[a.clone(), b.clone()], 0.03).unwrap();
    assert_eq!(found.rows.len(), 1);
    assert_eq!(found.rows[0].adapter_b, "other");
    assert_eq!(found.missing, ["new (gpu, other)", "old (gpu, card)"]);
    // Which of two cards is meant nobody can know.
    let mut both = b;
    both.rows.extend(report("third", &[("x", 3.0)]).rows);
    let error = Comparison::of(&[a, both], 0.03).unwrap_err();
    assert!(error.to_string().contains("no row in common"), "{error}");
}

#[test]
fn reports_that_cannot_be_compared_are_refused() {
    let one = report("card", &[("x", 1.0)]);
    let refused = |reports: &[BenchReport], words: &str| {
        let error = Comparison::of(reports, 0.03).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.exit_code(), 2);
    };
    refused(&[], "0 reports");
    refused(std::slice::from_ref(&one), "an even number");
    let quick = BenchReport {
        quick: true,
        ..one.clone()
    };
    refused(&[one.clone(), quick], "--quick");
    let twice = report("card", &[("x", 1.0), ("x", 2.0)]);
    refused(
        &[one.clone(), twice],
        "report 2: x (gpu, card) is there twice",
    );
    let none = report("card", &[("x", f64::NAN)]);
    refused(&[one.clone(), none], "allowed: a positive number");
    refused(&[one, report("card", &[("y", 1.0)])], "no row in common");
}

#[test]
fn a_report_reads_what_it_wrote() {
    let report = report("card", &[("x", 1.5)]);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<BenchReport>(&text).unwrap(), report);
}
