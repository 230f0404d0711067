//! The page of `pimento train`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use super::frame::{self, section};
use super::tables::cell;
use crate::report::label;
use crate::report::pairing::word;
use crate::report::plot::{sentence, training};
use crate::report::text::{NONE, count, duration, escape, html, percent, thousands};
use crate::report::trainings::{Trained, Trainings};
use crate::sweep::result::EpochRecord;

/// The whole page: one file that asks no network.
pub fn page(of: &Trainings) -> String {
    let mut out = String::new();
    let title = match of.all.len() {
        1 => "How the training went",
        _ => "How the trainings went",
    };
    head(&mut out, of, title);
    let courses: Vec<training::Course> = of.all.iter().map(|t| course(t, &of.all)).collect();
    if let Some(figure) = training::drawn(&courses, true) {
        section(&mut out, &figure);
    }
    table(&mut out, of);
    stages(&mut out, of);
    settings(&mut out, of);
    again(&mut out, of);
    let name = match of.experiment.is_empty() {
        true => "Trainings".to_string(),
        false => format!("Training: {}", of.experiment),
    };
    frame::document(env!("CARGO_PKG_VERSION"), &name, &out)
}

/// What tells a training from the others.
fn name(trained: &Trained, all: &[Trained]) -> String {
    match trained.seed {
        Some(seed) if all.len() > 1 => format!("{} (seed {seed})", trained.name),
        _ => trained.name.clone(),
    }
}

fn course<'a>(trained: &'a Trained, all: &[Trained]) -> training::Course<'a> {
    let stages = trained.stages.iter();
    training::Course {
        label: name(trained, all),
        epochs: &trained.record.history,
        stages: stages.map(|s| (s.name.clone(), s.epochs)).collect(),
    }
}

/// Title, what was trained, and how it ended.
fn head(out: &mut String, of: &Trainings, title: &str) {
    let mut meta: Vec<String> = vec![];
    if !of.experiment.is_empty() {
        meta.push(format!(
            "Experiment <code>{}</code>",
            escape(&of.experiment)
        ));
    }
    meta.push(count(of.all.len() as u64, "training"));
    let on = match of.adapter.is_empty() {
        true => String::new(),
        false => format!(" on {}", escape(&of.adapter)),
    };
    let _ = writeln!(
        out,
        "<h1>{title}</h1>\n<p class=\"meta\">{}. Pimento {}{on}.</p>",
        meta.join(", "),
        escape(env!("CARGO_PKG_VERSION")),
    );
    let last = || of.all.iter().filter_map(|t| t.record.history.last());
    let ends = |value: &dyn Fn(&EpochRecord) -> Option<f64>| {
        let (lo, hi) = last()
            .filter_map(value)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| {
                (lo.min(x), hi.max(x))
            });
        let [lo_text, hi_text] = [lo, hi].map(|x| percent(x, 2));
        match lo <= hi {
            false => None,
            true if lo_text == hi_text => Some(format!("<b>{hi_text} %</b>")),
            true => Some(format!("<b>{lo_text}</b> to <b>{hi_text} %</b>")),
        }
    };
    let said = [
        ("training images", ends(&|e| Some(e.accuracy))),
        (
            "held-out images without variation",
            ends(&|e| Some(e.validation?.ideal)),
        ),
        (
            "held-out images, mean over chips",
            ends(&|e| Some(e.validation?.mean)),
        ),
    ];
    let said: Vec<String> = said
        .into_iter()
        .filter_map(|(what, value)| Some(format!("{what} {}", value?)))
        .collect();
    if said.is_empty() {
        out.push_str("<p>No epoch was trained.</p>\n");
    } else {
        let _ = writeln!(
            out,
            "<p class=\"finding\">Accuracy in the last epoch: {}.</p>",
            said.join("; ")
        );
    }
}

/// How each training ended.
fn table(out: &mut String, of: &Trainings) {
    out.push_str(
        "<h2>The last epoch</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>training</th><th class=\"n\">seed</th>\
         <th class=\"n\">epochs</th><th class=\"n\">steps</th><th class=\"n\">time</th><th class=\"n\">loss (nats)</th>\
         <th class=\"n\">training images (%)</th><th class=\"n\">held out, no variation (%)</th>\
         <th class=\"n\">held out, on chips (%)</th></tr></thead>\n<tbody>\n",
    );
    for t in &of.all {
        let last = t.record.history.last();
        let _ = write!(out, "<tr><td class=\"t\">{}</td>", html(&t.name));
        cell(out, &t.seed.map_or(NONE.into(), |s| s.to_string()));
        cell(out, &thousands(t.record.history.len() as u64));
        cell(out, &thousands(t.record.steps as u64));
        cell(out, &duration(t.record.elapsed_s));
        cell(out, &last.map_or(NONE.into(), |e| format!("{:.4}", e.loss)));
        let accuracy = last.map_or(NONE.into(), |e| percent(e.accuracy, 2));
        cell(out, &format!("<b>{accuracy}</b>"));
        let held_out = last.and_then(|e| e.validation);
        cell(out, &held_out.map_or(NONE.into(), |v| percent(v.ideal, 2)));
        let on_chips = held_out.map_or(NONE.into(), |v| {
            let (mean, std) = (percent(v.mean, 2), percent(v.std, 2));
            format!("{mean} \u{b1} {std}")
        });
        cell(out, &on_chips);
        out.push_str("</tr>\n");
    }
    let held_out = of
        .all
        .iter()
        .flat_map(|t| &t.record.history)
        .find_map(|e| e.validation);
    let chips = held_out.map_or(String::new(), |v| {
        format!(
            " Held-out images: {}, never trained on; on chips: mean and standard deviation over {} that are used for \
             nothing else.",
            thousands(v.images as u64),
            count(v.chips as u64, "chip")
        )
    });
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<p class=\"note\">Loss and accuracy of training images are means over the epoch, as \
         trained: under quantization and variation. One training has no interval: seeds differ by what the rows show.{chips}</p>"
    );
}

/// Each stage of trainings that have several.
fn stages(out: &mut String, of: &Trainings) {
    if of.all.iter().all(|t| t.stages.len() < 2) {
        return;
    }
    out.push_str(
        "<h2>Stage by stage</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>stage</th><th class=\"n\">epochs</th>\
         <th class=\"n\">loss, first epoch</th><th class=\"n\">loss, last epoch</th>\
         <th class=\"n\">accuracy, first epoch (%)</th><th class=\"n\">accuracy, last epoch (%)</th></tr></thead>\n<tbody>\n",
    );
    for t in &of.all {
        super::tables::group(out, 6, &name(t, &of.all));
        let mut before = 0;
        for stage in &t.stages {
            let epochs = t.record.history.iter().skip(before).take(stage.epochs);
            let epochs: Vec<&EpochRecord> = epochs.collect();
            before += stage.epochs;
            let _ = write!(out, "<tr><td class=\"t\">{}</td>", html(&stage.name));
            cell(out, &thousands(stage.epochs as u64));
            let ends = [epochs.first(), epochs.last()];
            for e in ends {
                cell(out, &e.map_or(NONE.into(), |e| format!("{:.4}", e.loss)));
            }
            for e in ends {
                cell(out, &e.map_or(NONE.into(), |e| percent(e.accuracy, 2)));
            }
            out.push_str("</tr>\n");
        }
    }
    out.push_str("</tbody></table></div>\n");
}

/// What decided the trainings: first what tells them apart.
fn settings(out: &mut String, of: &Trainings) {
    let paths: BTreeSet<&String> = of.all.iter().flat_map(|t| t.settings.keys()).collect();
    let values = |path: &String| -> Vec<Option<&Value>> {
        of.all.iter().map(|t| t.settings.get(path)).collect()
    };
    let names = shared_names(&of.all);
    let differs = |path: &&String| values(path).windows(2).any(|w| w[0] != w[1]);
    let (apart, shared): (Vec<&String>, Vec<&String>) = paths.into_iter().partition(differs);
    if !apart.is_empty() {
        out.push_str("<h2>What tells them apart</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>setting</th>");
        for t in &of.all {
            let _ = write!(out, "<th class=\"n\">{}</th>", html(&t.name));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for path in apart {
            let said = html(&words(path, &names));
            let _ = write!(out, "<tr><td class=\"t\">{said}</td>");
            for value in values(path) {
                cell(out, &value.map_or(NONE.into(), |v| html(&shown(v))));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
    }
    if shared.is_empty() {
        return;
    }
    out.push_str("<h2>Settings</h2>\n<dl class=\"card\">\n");
    for path in shared {
        let value = values(path)[0].map_or(String::new(), shown);
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            html(&words(path, &names)),
            html(&value)
        );
    }
    out.push_str("</dl>\n");
}

/// Names of stages that all trainings share, by their numbers.
fn shared_names(all: &[Trained]) -> BTreeMap<String, String> {
    let names = |t: &Trained| -> Vec<String> { t.stages.iter().map(|s| s.name.clone()).collect() };
    let first = all.first().map(names).unwrap_or_default();
    match all.iter().all(|t| names(t) == first) {
        true => (1..).map(|i| format!("stage {i}")).zip(first).collect(),
        false => BTreeMap::new(),
    }
}

/// A field in words, behind its stage where there are several.
fn words(path: &str, names: &BTreeMap<String, String>) -> String {
    match path.split_once(": ") {
        Some((stage, field)) => {
            let stage = names.get(stage).map_or(stage, String::as_str);
            format!("{stage}: {}", words(field, names))
        }
        None if path.contains('.') => sentence(&label::field(path)),
        None => sentence(path),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        _ => word(value),
    }
}

/// How to get this again.
fn again(out: &mut String, of: &Trainings) {
    let _ = writeln!(
        out,
        "<h2>How to get this again</h2>\n<p>A training is a function of its experiment and its seed: on the same adapter it \
         goes through the same bits.</p>\n<pre>{}</pre>",
        escape(&of.command)
    );
    if !of.config_toml.is_empty() {
        let _ = writeln!(
            out,
            "<details>\n<summary>The configuration as TOML</summary>\n<pre>{}</pre>\n</details>",
            escape(&of.config_toml)
        );
    }
}
