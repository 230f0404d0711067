//! Energy by point, layer and part.

use std::fmt::Write;

use super::frame::section;
use super::tables::{MAX_ROWS, cell};
use crate::choice::Choice;
use crate::energy::{Interval, Part};
use crate::report::layout::Layout;
use crate::report::plot::breakdown::{self, ARRAYS, chosen, unit, value};
use crate::report::text::{NONE, html, thousands};
use crate::sweep::result::{PointSummary, SweepResult};

/// Figures and tables, where the sweep has energies.
pub(super) fn write(out: &mut String, result: &SweepResult, layout: &Layout) {
    let Some(p) = chosen(result) else {
        return;
    };
    match breakdown::points(result, layout) {
        Some(figure) => section(out, &figure),
        None => out.push_str("<h2>Energy of an image</h2>\n"),
    }
    points(out, result, layout);
    if let Some(figure) = breakdown::layers(result, layout) {
        section(out, &figure);
        layers(out, &result.points[p]);
    }
}

/// Energy of the whole chip, by the columns of the sweep.
fn of_chip(p: &PointSummary) -> Option<Interval> {
    let mean = |name: &str| p.columns.get(name).map(|c| c.mean);
    Some(Interval {
        low: mean("energy_low_pj")?,
        high: mean("energy_high_pj")?,
    })
}

/// One row for every point: energy, efficiency, time and area.
fn points(out: &mut String, result: &SweepResult, layout: &Layout) {
    let shown = layout.representatives(result.points.len(), MAX_ROWS);
    let most = result.points.iter().filter_map(of_chip);
    let (name, of) = unit(most.map(|e| e.high).fold(0.0, f64::max));
    let arrays = result.points.iter().filter_map(breakdown::measured);
    let (small, of_arrays) = unit(arrays.map(|e| e.high).fold(0.0, f64::max));
    let _ = write!(
        out,
        "<div class=\"scroll\"><table>\n<thead><tr><th>point</th><th class=\"n\">chips</th><th class=\"n\">arrays, measured ({small})</th>\
         <th class=\"n\">sd over chips</th><th class=\"n\">chip ({name})</th><th class=\"n\">TOPS/W</th>\
         <th class=\"n\">time (\u{b5}s)</th><th class=\"n\">area (mm\u{b2})</th></tr></thead>\n<tbody>\n"
    );
    for &p in &shown {
        let point = &result.points[p];
        let Some(energy) = &point.energy else {
            continue;
        };
        let settings = layout.settings(p);
        let settings = if settings.is_empty() {
            "the point"
        } else {
            &settings
        };
        let _ = write!(out, "<tr><td class=\"t\">{}</td>", html(settings));
        let arrays = point.columns.get(ARRAYS);
        cell(out, &arrays.map_or(NONE.into(), |c| thousands(c.n)));
        let scaled = |x: f64| value(Interval::one(x), of_arrays);
        let mean = arrays.map_or(NONE.into(), |c| {
            let half = match c.ci95.half() {
                half if half.is_finite() => format!(" \u{b1} {}", scaled(half)),
                _ => String::new(),
            };
            format!("{}{half}", scaled(c.mean))
        });
        cell(out, &mean);
        cell(out, &arrays.map_or(NONE.into(), |c| scaled(c.std)));
        let chip = of_chip(point);
        let chip_text = chip.map_or(NONE.into(), |e| value(e, of));
        cell(out, &format!("<b>{chip_text}</b>"));
        let efficiency = chip.map(|e| e.under(energy.operations()));
        cell(out, &efficiency.map_or(NONE.into(), |e| value(e, 1.0)));
        for (low, high) in [
            ("latency_low_us", "latency_high_us"),
            ("area_low_mm2", "area_high_mm2"),
        ] {
            let cost = |name: &str| point.costs.get(name).copied();
            let both = cost(low).zip(cost(high));
            let text = both.map(|(low, high)| value(Interval { low, high }, 1.0));
            cell(out, &text.unwrap_or(NONE.into()));
        }
        out.push_str("</tr>\n");
    }
    let part = match result.points.len() {
        all if shown.len() < all => {
            format!(
                " {} of {all} points; the numbers of the figure have all.",
                shown.len()
            )
        }
        _ => String::new(),
    };
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<p class=\"note\">Of an image. Arrays: mean over the chips with its 95 % interval (Student t), as \
         measured on their images, and standard deviation over chips. Chip, time and area: from the model of converters that gives \
         the least to the one that gives the most. TOPS/W: a multiply-accumulate counts as two operations, whatever its bits; \
         nothing is normalised to one-bit operations. What is counted and what is not: docs/energy.md.{part}</p>"
    );
}

/// One row for every layer of a point, a column for every part.
fn layers(out: &mut String, point: &PointSummary) {
    let Some(energy) = &point.energy else {
        return;
    };
    let parts: Vec<Part> = Part::ALL
        .iter()
        .copied()
        .filter(|part| energy.part(*part).high > 0.0)
        .collect();
    let sum = |of: &dyn Fn(Part) -> Interval| -> Interval { parts.iter().map(|p| of(*p)).sum() };
    let (name, of) = unit(sum(&|part| energy.part(part)).high);
    out.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th>layer</th><th class=\"n path\">multiply-accumulates</th>\
         <th class=\"n\">arrays</th><th class=\"n\">conversions</th>",
    );
    for part in &parts {
        let _ = write!(out, "<th class=\"n path\">{}</th>", words(*part));
    }
    out.push_str("<th class=\"n\">sum</th></tr></thead>\n<tbody>\n");
    for layer in &energy.layers {
        let _ = write!(out, "<tr><td class=\"t\">{}</td>", html(&layer.name));
        for n in [layer.macs, layer.arrays, layer.conversions] {
            cell(out, &thousands(n));
        }
        for part in &parts {
            cell(out, &value(layer.of(*part), of));
        }
        let total = value(sum(&|part| layer.of(part)), of);
        cell(out, &format!("<b>{total}</b>"));
        out.push_str("</tr>\n");
    }
    let total = |of: fn(&crate::sweep::breakdown::LayerEnergy) -> u64| -> u64 {
        energy.layers.iter().map(of).sum()
    };
    out.push_str("<tr><td class=\"t\">all layers</td>");
    for n in [
        total(|l| l.macs),
        total(|l| l.arrays),
        total(|l| l.conversions),
    ] {
        cell(out, &thousands(n));
    }
    for part in &parts {
        cell(out, &value(energy.part(*part), of));
    }
    let all = value(sum(&|part| energy.part(part)), of);
    let _ = writeln!(
        out,
        "<td class=\"n\"><b>{all}</b></td></tr>\n</tbody></table></div>"
    );
    let measured = point.columns.get(ARRAYS).map_or(String::new(), |c| {
        format!(
            " Measured over {} chips, all arrays together took {} {name} in the mean.",
            thousands(c.n),
            value(Interval::one(c.mean), of)
        )
    });
    let _ = writeln!(
        out,
        "<p class=\"note\">Counts and energies ({name}) of an image. Arrays: from what their codes and drives can be at least to what they \
         can be at most.{measured} Other parts: what the models of converters say.</p>"
    );
}

/// A part in words.
fn words(part: Part) -> &'static str {
    match part {
        Part::SampleHold => "sample and hold",
        Part::ShiftAdd => "shift and add",
        Part::Arrays
        | Part::Drivers
        | Part::Converters
        | Part::Buffers
        | Part::Interconnect
        | Part::Digital
        | Part::Tuning => part.as_str(),
    }
}
