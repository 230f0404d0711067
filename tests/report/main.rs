//! The files a sweep leaves behind: every point is in them, the page is well-formed and asks no
//! network, and what is written reads back.

mod designs;
mod figures;
mod fit;
mod measured;
mod pairing;
#[cfg(feature = "parquet")]
mod parquet;
mod printed;
mod readable;
mod shapes;
mod slices;
mod synthetic;
mod trainings;
mod words;
mod xml;

use pimento::config::chip::{PRESETS, Preset};
use pimento::report;
use pimento::sweep::result::{ChipRow, SweepResult};

fn all() -> Vec<(&'static str, SweepResult, Vec<ChipRow>)> {
    [
        ("one", synthetic::one()),
        ("demo", synthetic::demo()),
        ("twelve", synthetic::twelve()),
        ("sixty", synthetic::sixty()),
        ("wafers", synthetic::wafers()),
        ("metrics", synthetic::metrics()),
        ("hostile", synthetic::hostile()),
        ("grid", shapes::grid()),
        ("low", shapes::low()),
        ("multiples", shapes::multiples()),
        ("ageing", shapes::ageing()),
        ("hypercube", shapes::hypercube()),
        ("empty", synthetic::sweep("empty", &[], 0, 0)),
    ]
    .into_iter()
    .map(|(name, (result, rows))| (name, result, rows))
    .collect()
}

#[test]
fn pages_and_pictures_are_well_formed() {
    for (name, result, rows) in all() {
        let page = report::html::page(&result, &rows);
        assert!(pimento::sweep::outdir::is_page(page.as_bytes()));
        let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        xml::check(body).unwrap_or_else(|e| panic!("{name}: page: {e}"));
        let picture = report::headline_svg(&result, &rows);
        xml::check(&picture).unwrap_or_else(|e| panic!("{name}: picture: {e}"));
        for (what, text) in [("page", &page), ("picture", &picture)] {
            assert!(!text.contains("NaN"), "{name}: {what} shows NaN");
            assert!(!text.contains("inf\""), "{name}: {what} shows infinity");
        }
    }
}

#[test]
fn pages_ask_no_network() {
    for (name, result, rows) in all() {
        let page = report::html::page(&result, &rows);
        let picture = report::headline_svg(&result, &rows);
        for text in [page, picture] {
            // The sources of a preset are links to follow, nothing that the page loads.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            let sources = PRESETS.iter().filter_map(|preset| preset.source());
            let text = sources.fold(text, |text, source| {
                let words = source.split([' ', '(', ')', ',']);
                let links = words.filter(|word| word.starts_with("https:"));
                links.fold(text, |text, link| {
                    let link = link.trim_end_matches([';', '.']);
                    text.replace(&format!("<a href=\"{link}\">{link}</a>"), "")
                })
            });
            for link in [
                "http:", "https:", "url(", "@import", "<script ", "<link", "<img", "fetch(",
                "import(",
            ] {
                assert!(!text.contains(link), "{name}: {link}");
            }
        }
    }
}

#[test]
fn the_page_has_every_point() {
    for (name, result, rows) in all() {
        let page = report::html::page(&result, &rows);
        // Every row of a table of points ends with a small picture of the spread.
        let pictures = page.matches("<td class=\"range\">").count();
        let first = result.points.len().min(16);
        assert!(
            pictures == result.points.len() || pictures > result.points.len() + first / 2,
            "{name}: {pictures} rows"
        );
        for p in &result.points {
            let means = [1, 2].map(|d| format!("<b>{:.d$}", 100.0 * p.mean));
            let found = means.iter().any(|mean| page.contains(mean));
            assert!(found, "{name}: {means:?} is missing");
        }
    }
}

#[test]
fn plots_appear_where_there_is_something_to_show() {
    let page = |(result, rows): (SweepResult, Vec<ChipRow>)| report::html::page(&result, &rows);
    let (demo, twelve, wafers) = (
        page(synthetic::demo()),
        page(synthetic::twelve()),
        page(synthetic::wafers()),
    );
    for (file, inside) in [
        ("accuracy_chips.csv", [true, true, true]),
        ("accuracy_lines.csv", [false, true, false]),
        ("wafer_maps.csv", [false, false, true]),
        ("estimates.csv", [true, false, true]),
        ("training.csv", [true, true, true]),
    ] {
        let found = [&demo, &twelve, &wafers].map(|p| p.contains(file));
        assert_eq!(found, inside, "{file}");
    }
    assert!(demo.contains("What tuning costs") && !twelve.contains("What tuning costs"));
}

/// Accuracy is set against the upper ends of energy, area and time, energies by their mean over the chips.
#[test]
fn energy_and_area_are_costs() {
    let column = synthetic::metrics().0.points[0].columns["brier"].clone();
    let (mut result, rows) = synthetic::demo();
    let plain = report::html::page(&result, &rows);
    for (i, point) in result.points.iter_mut().enumerate() {
        let mut energy = column.clone();
        (energy.unit, energy.mean) = ("pJ".into(), 3000.0 + i as f64);
        point.columns.insert("energy_high_pj".into(), energy);
        for (name, cost) in [
            ("area_low_mm2", 0.5),
            ("area_high_mm2", 1.0),
            ("periphery_high_pj", 2900.0),
        ] {
            point.costs.insert(name.into(), cost + 0.125 * i as f64);
        }
    }
    let page = report::html::page(&result, &rows);
    for (text, drawn) in [
        ("energy for an image, upper end (pJ)", true),
        ("area, upper end (mm\u{b2})", true),
        ("area, lower end", false),
        ("energy beside the arrays", false),
    ] {
        assert_eq!(page.contains(text), drawn, "{text}");
        assert!(!plain.contains(text));
    }
    assert!(
        page.contains(",energy_high_pj,3001,"),
        "means are in the data of the plot"
    );
}

/// A table and a plot of every column, of the points that have it.
#[test]
fn columns_that_only_some_points_have_are_shown() {
    let (result, rows) = synthetic::metrics();
    let names: Vec<&str> = result.columns().iter().map(|c| c.name).collect();
    assert_eq!(names, ["top5", "brier"]);
    let page = report::html::page(&result, &rows);
    for name in names {
        assert!(page.contains(&format!("{name}_chips.csv")), "{name}");
        let points = &result.points;
        let column = |p: usize| &points[p].columns[name];
        assert_eq!(column(0).n, 299);
        assert!(!points[2].columns.contains_key(name));
        let better = column(0).better.unwrap();
        assert!(better.prefers(column(0).mean, column(1).mean), "{name}");
        let worst = column(0).worst[0];
        assert!(worst.value == column(0).min || worst.value == column(0).max);
        let row = rows.iter().find(|r| r.point == 0 && r.chip == worst.chip);
        assert_eq!(row.unwrap().value(name), Some(worst.value));
    }
    assert!(
        page.contains("Brier score, lower is better") && page.contains("Some chips have no value")
    );
    let table = report::table(&result);
    assert!(table.lines().next().unwrap().ends_with("brier"), "{table}");
    // Points with no columns have none of this.
    let (result, rows) = synthetic::twelve();
    assert!(!report::html::page(&result, &rows).contains("Besides accuracy"));
    assert!(
        !report::summary::to_json(&result)
            .unwrap()
            .contains("\"columns\"")
    );
}

#[test]
fn names_cannot_break_out() {
    let (result, rows) = synthetic::hostile();
    let page = report::html::page(&result, &rows);
    for raw in ["<script>alert", "<img", "<b>&\"", "<axis>", "</pre><script"] {
        assert!(!page.contains(raw), "{raw}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn files_come_back_as_they_were() {
    for (name, result, rows) in all() {
        let dir = tempfile::tempdir().unwrap();
        report::write(dir.path(), &result, &rows).unwrap();
        let text = report::summary::to_json(&result).unwrap();
        let back = report::summary::read(&dir.path().join("summary.json")).unwrap();
        // NaN is not equal to itself; its text is.
        assert_eq!(report::summary::to_json(&back).unwrap(), text, "{name}");
        let chips = report::chips::read(&dir.path().join("chips.csv")).unwrap();
        assert_eq!(format!("{chips:?}"), format!("{rows:?}"), "{name}");
        assert!(dir.path().join("report.html").exists());
    }
}

/// What no sweep writes is refused with its place, before anything is drawn.
#[test]
fn a_summary_with_impossible_numbers_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("summary.json");
    let (result, _) = synthetic::demo();
    let good = serde_json::to_value(&result).unwrap();
    let read = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        std::fs::write(&path, json.to_string()).unwrap();
        report::summary::read(&path).map_err(|e| e.to_string())
    };
    assert!(read(&|_| ()).is_ok());
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let cases: [(Change, &str); 6] = [
        (
            &|j| j["points"][1]["mean"] = 4e9.into(),
            "point 1: mean is 4000000000",
        ),
        (
            &|j| j["points"][0]["q05_ci95"] = serde_json::json!([0.9, 0.1]),
            "q05_ci95 is from 0.9",
        ),
        (
            &|j| j["points"][0]["chips"] = (u64::from(u32::MAX)).into(),
            "chips; allowed: at most",
        ),
        (
            &|j| j["points"][2]["sigma_w"] = (-1).into(),
            "point 2: sigma_w is -1",
        ),
        (&|j| j["comparisons"][0]["b"] = 7.into(), "allowed: below 3"),
        (
            &|j| j["points"][0]["worst"][0]["accuracy"] = 2.into(),
            "worst.accuracy is 2",
        ),
    ];
    for (change, want) in cases {
        let message = read(change).unwrap_err();
        assert!(message.contains(want), "{message}");
        assert!(message.contains("summary.json"), "{message}");
    }
}

/// The card of a sweep at cell level tells of cells, not of weights.
#[test]
fn the_page_says_what_was_simulated() {
    let (mut result, rows) = synthetic::twelve();
    assert!(report::html::page(&result, &rows).contains("every weight deviates"));
    let source = Preset::find("pcm").unwrap().source().unwrap();
    for point in &mut result.points {
        point.model_sha256 = Some("0123456789abcdef".repeat(4));
    }
    result.config = serde_json::json!({
        "fidelity": "cell",
        "network": {"kind": "cnn", "channels": [8, 16], "width": 1.0},
        "data": {"kind": "embedded", "set": "fashion-10k"},
        "variation": {"law": "weight-proportional", "mapping": "ideal", "sigma_w": 0.1},
        "chip": {
            "preset": "pcm",
            "array": {"rows": 256, "cols": 256, "split": "even"},
            "cells": {"slice_bits": 8, "encoding": "differential", "subtraction": "analog", "on_off_ratio": "inf"},
            "drift": {"time_s": 86400.0},
            "dac": {"bits": 8},
            "adc": {"bits": 8, "range": "calibrated"},
        },
    });
    let page = report::html::page(&result, &rows);
    for said in [
        "What was simulated",
        "<dt>preset</dt><dd>pcm</dd>",
        &format!("<dt>source of the preset</dt><dd>{}", &source[..40]),
        "parameters\u{2019} SHA-256 0123456789ab\u{2026}",
        "256 rows x 256 columns",
        "<dt>age</dt><dd>1 day</dd>",
        "subtraction analog, off cells without current</dd>",
        "bits 8, range calibrated",
        "every cell of every array",
        "0.1 / 0.2 / 0.3 / 0.4 (swept)",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("every weight") && !page.contains("mapping"));
    // A preset says what weights deviate by, too; one that this version does not know is named as it is.
    result.config["fidelity"] = "weight".into();
    let page = report::html::page(&result, &rows);
    assert!(page.contains("<dt>source of the preset</dt>") && !page.contains("<dt>arrays</dt>"));
    result.config["chip"]["preset"] = "<b>new".into();
    let page = report::html::page(&result, &rows);
    assert!(page.contains("<dd>&lt;b&gt;new</dd>") && page.contains("not known to this version"));
    result.config["chip"] = serde_json::json!({});
    assert!(!report::html::page(&result, &rows).contains("<dt>preset</dt>"));
}

#[test]
fn the_summary_has_the_promised_names() {
    let (result, _) = synthetic::demo();
    let json: serde_json::Value =
        serde_json::from_str(&report::summary::to_json(&result).unwrap()).unwrap();
    for key in [
        "pimento",
        "experiment",
        "seed",
        "backend",
        "adapter",
        "elapsed_s",
        "points",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    let point = &json["points"][2];
    for key in [
        "recipe",
        "law",
        "mapping",
        "sigma_w",
        "sigma_b",
        "tuning",
        "test_cells",
        "weight_bits",
        "activation_bits",
        "train_variation",
        "train_seed",
        "distribution",
        "chips",
        "images",
        "ideal",
        "mean",
        "std",
        "se",
        "min",
        "q05",
        "q25",
        "median",
        "q75",
        "yield",
        "yield_limit",
        "mean_ci95",
        "mean_unseen",
        "chance",
        "yield_ci95",
        "q05_ci95",
        "mean_loss",
        "loss_vs_ideal",
        "tuning_cost",
        "estimate",
        "elapsed_s",
    ] {
        assert!(point.get(key).is_some(), "{key}");
    }
    assert_eq!(point["tuning"], "self-tuning");
    assert_eq!(point["mean_ci95"].as_array().map(Vec::len), Some(2));
    let (hostile, _) = synthetic::hostile();
    let json: serde_json::Value =
        serde_json::from_str(&report::summary::to_json(&hostile).unwrap()).unwrap();
    assert!(json["points"][0]["std"].is_null() && json["points"][0]["ideal"].is_null());
    assert_eq!(json["points"][1]["<axis>"], "<value>");
}

#[test]
fn a_broken_summary_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("summary.json");
    std::fs::write(&path, "{\n \"pimento\": 3\n}").unwrap();
    let message = report::summary::read(&path).unwrap_err().to_string();
    assert!(
        message.contains("summary.json") && message.contains("line 2"),
        "{message}"
    );
}

#[test]
fn the_table_is_aligned_and_complete() {
    let (result, _) = synthetic::sixty();
    let table = report::table(&result);
    let lines: Vec<&str> = table.lines().collect();
    let rule = lines[1].chars().count();
    let rows = &lines[2..2 + result.points.len()];
    for (line, p) in rows.iter().zip(&result.points) {
        assert!(line.chars().count() <= rule, "{line}");
        let mean = format!("{:.1} (", 100.0 * p.mean);
        assert!(line.contains(&mean), "{line}");
    }
    assert!(lines[0].contains("sigma_B") && lines[0].contains("yield >= 80 %"));
    assert!(report::table(&synthetic::sweep("empty", &[], 0, 0).0).contains("no points"));
}
