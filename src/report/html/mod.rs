//! `report.html`: one file that shows the whole sweep and asks no network. Its script sorts tables and saves figures; the
//! page says the same without it.
//!
//! The page is well-formed XML too, so that any tool can take it apart.

mod card;
mod columns;
pub mod designs;
mod energy;
pub mod fit;
mod frame;
pub mod slices;
mod snr;
mod tables;
pub mod trainings;
pub mod worst;

use std::fmt::Write;
use std::path::Path;

use self::card::Settings;
use self::frame::section;
use super::figures;
use super::layout::Layout;
use super::plot;
use super::plot::quantity::Quantity;
use super::table::decimals;
use super::text::{compact, count, duration, escape, html, percent, percent_with_interval};
use crate::error::Result;
use crate::files::write_atomically;
use crate::sweep::result::{ChipRow, SweepResult};
use crate::sweep::snr::Report;

/// Most points in the table at the top; a table of all follows the plots.
const MAX_FIRST: usize = 16;

/// Most series named in the sentence that sums up a panel.
const MAX_NAMED: usize = 6;

/// The whole page. `rows` are the chips of all points in any order.
pub fn page(result: &SweepResult, rows: &[ChipRow]) -> String {
    page_with(result, rows, &[])
}

/// The same with the signal-to-noise ratios of some points.
pub fn page_with(result: &SweepResult, rows: &[ChipRow], ratios: &[Report]) -> String {
    let layout = Layout::new(&result.points);
    let mut out = String::new();
    head(&mut out, result, &layout);
    if let Some(figure) = plot::difference::figure(result, &layout) {
        section(&mut out, &figure);
    }
    let all: Vec<usize> = (0..result.points.len()).collect();
    let shown = layout.representatives(all.len(), MAX_FIRST);
    out.push_str("<h2>Accuracy</h2>\n");
    tables::points(&mut out, result, &layout, &shown);
    let mut figures = figures::over_axes(result, &layout);
    let accuracy = Quantity::Accuracy(result);
    figures.push(plot::distribution::figure(&accuracy, rows, &layout));
    for figure in figures.into_iter().flatten() {
        section(&mut out, &figure);
    }
    columns::write(&mut out, result, rows, &layout);
    tables::gains(&mut out, result, &layout);
    tables::worst(&mut out, result, &layout);
    if let Some(figure) = plot::pareto::figure(result, &layout) {
        section(&mut out, &figure);
    }
    energy::write(&mut out, result, &layout);
    if let Some(figure) = plot::wafer::figure(result, rows, &layout) {
        section(&mut out, &figure);
    }
    if let Some(figure) = plot::estimate::figure(result, rows, &layout) {
        section(&mut out, &figure);
        tables::estimates(&mut out, result, &layout);
    }
    tables::costs(&mut out, result, &layout);
    snr::section(&mut out, ratios);
    if let Some(figure) = plot::training::figure(result) {
        section(&mut out, &figure);
    }
    if shown.len() < all.len() {
        out.push_str("<h2>All points</h2>\n");
        tables::points(&mut out, result, &layout, &all);
    }
    provenance(&mut out, result);
    frame::document(&result.pimento, title(result), &out)
}

/// Writes the page to `path`, whole or not at all.
pub fn write(path: &Path, result: &SweepResult, rows: &[ChipRow]) -> Result<()> {
    write_atomically(path, page(result, rows).as_bytes())
}

/// The title, or the experiment's name where there is none.
fn title(result: &SweepResult) -> &str {
    if result.title.is_empty() {
        &result.experiment
    } else {
        &result.title
    }
}

/// Title, what was simulated in words, what came out, and the settings all points share.
fn head(out: &mut String, result: &SweepResult, layout: &Layout) {
    let points = &result.points;
    let _ = write!(
        out,
        "<h1>{}</h1>\n<p class=\"meta\">Experiment <code>{}</code>: {} with {} each, {}. \
         Pimento {} on {}, took {}.</p>\n",
        html(title(result)),
        escape(&result.experiment),
        count(points.len() as u64, "point"),
        plot::chips_phrase(points),
        plot::images_phrase(points),
        escape(&result.pimento),
        escape(&result.adapter),
        duration(result.elapsed_s),
    );
    for sentence in findings(result, layout) {
        let _ = writeln!(out, "<p class=\"finding\">{sentence}</p>");
    }
    let settings = Settings::new(result);
    let sentence = model_sentence(result, settings.as_ref());
    let _ = writeln!(out, "<p>{}</p>", html(&sentence));
    if let Some(settings) = &settings {
        card::write(out, settings);
        return;
    }
    let constants = layout.constants();
    if !constants.is_empty() {
        out.push_str("<dl>\n");
        for (name, value) in constants {
            let _ = writeln!(
                out,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                html(&name),
                html(&value)
            );
        }
        out.push_str("</dl>\n");
    }
}

/// What a simulated chip is, under the law or laws of this sweep.
fn model_sentence(result: &SweepResult, settings: Option<&Settings>) -> String {
    if let Some(s) = settings.filter(|s| s.has("fidelity", "cell")) {
        return cell_sentence(s);
    }
    let has = |law: &str| result.points.iter().any(|p| p.axes.law == law);
    let scale = match (has("weight-proportional"), has("layer-fixed")) {
        (true, false) => ", both in proportion to the weight itself (weight-proportional law)",
        (false, true) => {
            ", both in units of the largest weight of the layer, whatever the weight (layer-fixed law)"
        }
        (true, true) => {
            ", either in proportion to the weight (weight-proportional law) or in units of the \
             layer's largest weight (layer-fixed law)"
        }
        (false, false) => "",
    };
    format!(
        "Each simulated chip is the trained network fabricated anew: every weight deviates by an \
         error of its own (within-chip, standard deviation \u{3c3}_W) and by one error that the \
         whole chip shares (between-chip, \u{3c3}_B){scale}. Chip k has the same errors at every \
         point, up to their scale."
    )
}

/// What a simulated chip is at cell level.
fn cell_sentence(settings: &Settings) -> String {
    let parts = ["variation.sigma_w", "variation.sigma_b"].map(|path| settings.is_positive(path));
    let law = match settings.has("variation.law", "layer-fixed") {
        true => "in units of the largest conductance",
        false => "in proportion to the conductance",
    };
    let deviations = match parts {
        [true, true] => format!(
            " Every conductance deviates by an error of its own (within-chip, \u{3c3}_W) and by \
             one that the whole chip shares (between-chip, \u{3c3}_B), both {law}."
        ),
        [true, false] => {
            format!(" Every conductance deviates by an error of its own (\u{3c3}_W), {law}.")
        }
        [false, true] => format!(
            " All conductances of a chip deviate by one error that they share (\u{3c3}_B), {law}."
        ),
        [false, false] => String::new(),
    };
    let weights = match settings.has("fidelity", "weight") {
        true => " Points at weight level simulate the weights without cells.",
        false => "",
    };
    format!(
        "Each simulated chip is the trained network programmed anew into the cells of its \
         arrays, and computes with them, their converters and their noise as listed below.\
         {deviations}{weights} Chip k draws the same random numbers at every point."
    )
}

/// For each panel, how the series stand at its largest abscissa.
fn findings(result: &SweepResult, layout: &Layout) -> Vec<String> {
    let d = decimals(&result.points);
    layout
        .panels
        .iter()
        .take(2)
        .filter_map(|panel| {
            let hardest = layout.hardest(panel);
            let first = *hardest.first()?;
            let list: Vec<String> = hardest
                .iter()
                .take(MAX_NAMED)
                .map(|&p| {
                    let point = &result.points[p];
                    format!(
                        "{} <b>{} %</b>",
                        html(layout.series_label(p)),
                        percent_with_interval(point.mean, point.mean_ci95, d)
                    )
                })
                .collect();
            let at = match (layout.detail(first), layout.constant_sigmas()) {
                (detail, _) if !detail.is_empty() => html(&capital(&detail)),
                (_, Some(sigmas)) => html(&sigmas),
                _ => "Mean accuracy".into(),
            };
            Some(format!(
                "{at}: {}. Without variation: {} %.",
                list.join(", "),
                ideal_range(result, &hardest, d)
            ))
        })
        .collect()
}

/// With a capital at the beginning of a sentence; Greek letters and paths stay what they are.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first.is_ascii() && !is_path(text) => {
            first.to_ascii_uppercase().to_string() + chars.as_str()
        }
        _ => text.to_string(),
    }
}

/// Whether a text begins with the path of a field.
fn is_path(text: &str) -> bool {
    text.split(' ')
        .next()
        .is_some_and(|word| word.contains('.'))
}

/// The ideal accuracies of some points, as one number where they agree.
fn ideal_range(result: &SweepResult, points: &[usize], decimals: usize) -> String {
    let ideals = || points.iter().map(|&p| result.points[p].ideal);
    let lo = percent(ideals().fold(f64::NAN, f64::min), decimals);
    let hi = percent(ideals().fold(f64::NAN, f64::max), decimals);
    if lo == hi {
        lo
    } else {
        format!("{lo} to {hi}")
    }
}

/// A text with names of fields in code font.
fn in_code(text: &str, names: &[&str]) -> String {
    let set = |text: String, name: &&str| text.replace(name, &format!("<code>{name}</code>"));
    names.iter().fold(html(text), set)
}

/// The adapters of a sweep with their chips, in words.
fn adapters(list: &serde_json::Value) -> String {
    let one = |a: &serde_json::Value| {
        let (name, backend) = (a["name"].as_str()?, a["backend"].as_str()?);
        let chips = count(a["chips"].as_u64()?, "chip");
        Some(format!("{name} ({backend}): {chips}"))
    };
    let words: Option<Vec<String>> = list
        .as_array()
        .map_or(Some(vec![]), |l| l.iter().map(one).collect());
    words.map_or_else(|| list.to_string(), |words| words.join("; "))
}

/// The directory of the run, as a word of a command line.
fn directory(result: &SweepResult) -> String {
    let Some(dir) = &result.directory else {
        return "DIR".into();
    };
    let text = dir.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./+,:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// How to run it again.
fn provenance(out: &mut String, result: &SweepResult) {
    let p = &result.provenance;
    let dir = directory(result);
    let _ = writeln!(
        out,
        "<h2>How to get this again</h2>\n<p>A chip is a function of the seed and its index alone: any row \
         of chips.csv can be computed again by itself with <code>pimento chip {0} --point P --index \
         K</code>. More chips: <code>pimento sweep {0}/experiment.toml --resume --chips N</code>.</p>",
        escape(&dir)
    );
    if !p.command.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", escape(&p.command));
    }
    let mut facts = vec![
        ("Pimento".to_string(), result.pimento.clone()),
        ("seed".into(), result.seed.to_string()),
        ("backend".into(), result.backend.clone()),
        ("adapter".into(), result.adapter.clone()),
        ("interface".into(), p.api.clone()),
        ("driver".into(), p.driver.clone()),
        ("system".into(), p.system.clone()),
        ("started".into(), p.started.clone()),
        ("took".into(), duration(result.elapsed_s)),
        ("configuration, SHA-256".into(), p.config_sha256.clone()),
    ];
    if p.threads > 0 {
        facts.push(("threads".into(), compact(p.threads as f64, 0)));
    }
    for (name, value) in &p.more {
        let (name, value) = match (name.strip_suffix("_sha256"), name.as_str(), value.as_str()) {
            (Some(of), _, Some(digest)) => (format!("{of}, SHA-256"), digest.to_string()),
            (_, "adapters", None) => (name.clone(), adapters(value)),
            (_, _, Some(text)) => (name.clone(), text.to_string()),
            _ => (name.clone(), value.to_string()),
        };
        facts.push((name.replace('_', " "), value));
    }
    out.push_str("<dl>\n");
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(name),
            escape(value)
        );
    }
    out.push_str("</dl>\n");
    if p.config_toml.is_empty() && result.config.is_null() {
        return;
    }
    let (form, config) = if p.config_toml.is_empty() {
        let json = serde_json::to_string_pretty(&result.config).unwrap_or_default();
        ("JSON", json)
    } else {
        ("TOML", p.config_toml.clone())
    };
    let _ = write!(
        out,
        "<details>\n<summary>The configuration as {form}</summary>\n<pre>{}</pre>\n</details>\n",
        escape(&config)
    );
}
