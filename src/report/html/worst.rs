//! The page of `pimento worst-case`.

use std::fmt::Write;

use super::frame::{self, section};
use crate::config::SearchImages;
use crate::report::plot;
use crate::report::text::{NONE, count, escape, html, percent, thousands};
use crate::sweep::worst::Report;

/// The whole page: one file that asks no network.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let goal = &report.goal;
    let on = match goal.search_on {
        SearchImages::Train => "training",
        SearchImages::Test => "test",
    };
    let worst = report
        .worst
        .iter()
        .map(|w| w.test)
        .fold(f64::INFINITY, f64::min);
    let _ = write!(
        out,
        "<h1>The worst chip within a bound</h1>\n<p class=\"meta\">Experiment <code>{}</code>, <code>{}</code>. Pimento {} on {}.</p>\n\
         <p class=\"finding\">No weight deviates by more than {} % of the largest that its code represents: the worst chip \
         found has <b>{} %</b>, the worst of {} <b>{} %</b>, their mean is <b>{} %</b>. Without deviation: {} %.</p>\n",
        escape(&report.experiment),
        escape(&report.point),
        escape(&report.pimento),
        escape(&report.adapter),
        crate::report::text::compact(100.0 * goal.bound, 4),
        percent(worst, 2),
        count(report.random.chips, "random chip"),
        percent(report.random.min, 2),
        percent(report.random.mean, 2),
        percent(report.ideal, 2),
    );
    section(&mut out, &plot::worst::figure(report));
    table(&mut out, report);
    let facts = [
        ("weights on crossbars", thousands(report.weights as u64)),
        ("bound", format!("{} of the largest weight", goal.bound)),
        (
            "searched on",
            format!("{} {on} images", thousands(report.search_images as u64)),
        ),
        ("steps of a search", goal.steps.to_string()),
        ("searches", goal.restarts.to_string()),
        ("test images", thousands(report.test_images as u64)),
        ("seed", report.seed.to_string()),
    ];
    out.push_str("<h2>What was searched</h2>\n<dl class=\"card\">\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", html(&value));
    }
    let _ = write!(
        out,
        "</dl>\n<h2>How to get this again</h2>\n<pre>{}</pre>\n<details>\n<summary>The configuration as TOML</summary>\n\
         <pre>{}</pre>\n</details>\n",
        escape(&report.command),
        escape(&report.config_toml)
    );
    frame::document(
        &report.pimento,
        &format!("Worst case: {}", report.experiment),
        &out,
    )
}

fn table(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>The searches</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>weights that may deviate</th>\
         <th class=\"n\">that do</th><th class=\"n\">largest deviation</th><th class=\"n\">rms</th>\
         <th class=\"n\">searched on (%)</th><th class=\"n\">test images (%)</th></tr></thead>\n<tbody>\n",
    );
    for w in &report.worst {
        let may = w.sparse.map_or("all".into(), |n| thousands(n as u64));
        let chip = match w.random_chip {
            Some(chip) => format!(" (random chip {chip})"),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "<tr><td>{may}{chip}</td><td class=\"n\">{}</td><td class=\"n\">{:.4}</td><td class=\"n\">{:.5}</td>\
             <td class=\"n\">{}</td><td class=\"n\"><b>{}</b></td></tr>",
            thousands(w.deviating as u64),
            w.largest,
            w.rms,
            percent(w.searched, 2),
            percent(w.test, 2)
        );
    }
    if let Some(w) = report.worst_eps_b {
        let _ = writeln!(
            out,
            "<tr><td>a common deviation within {}</td><td class=\"n\">{NONE}</td><td class=\"n\">{:+.4}</td>\
             <td class=\"n\">{NONE}</td><td class=\"n\">{}</td><td class=\"n\"><b>{}</b></td></tr>",
            w.bound,
            w.eps_b,
            percent(w.searched, 2),
            percent(w.test, 2)
        );
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"note\">Deviations relative to the largest weight that the layer\u{2019}s code \
         represents. A search keeps the deviations with the lowest accuracy on its images.</p>\n",
    );
}
