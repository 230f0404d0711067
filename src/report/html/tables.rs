//! The tables of the page.

use std::fmt::Write;

use crate::report::layout::Layout;
use crate::report::plot::{Scale, Svg, range};
use crate::report::table::decimals;
use crate::report::text::{NONE, compact, count, html, percent, percent_with_error, thousands};
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use crate::sweep::statistics::{Interval, paired_difference};

/// Most rows of the tables beside the main one, which has every point.
const MAX_ROWS: usize = 24;

/// One row per point.
pub(super) fn points(out: &mut String, result: &SweepResult, layout: &Layout) {
    let points = &result.points;
    if points.is_empty() {
        out.push_str("<p>The sweep has no points.</p>\n");
        return;
    }
    let d = decimals(points);
    let same_chips = points.windows(2).all(|w| w[0].chips == w[1].chips);
    let same_limit = points
        .windows(2)
        .all(|w| w[0].yield_limit == w[1].yield_limit);
    let limit = |p: &PointSummary| format!("\u{2265} {} %", compact(100.0 * p.yield_limit, 2));
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for &a in &layout.varying {
        let numeric = (0..points.len()).all(|p| layout.axes[a].number(p).is_some());
        let class = if numeric { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th{class}>{}</th>", html(&layout.axes[a].head()));
    }
    if !same_chips {
        out.push_str("<th class=\"n\">chips</th>");
    }
    out.push_str(
        "<th class=\"n\">mean (%)</th><th class=\"n\">sd</th><th class=\"n\">q05 (%)</th>\
         <th class=\"n\">worst (%)</th>",
    );
    let head = if same_limit {
        format!("yield {} (%)", limit(&points[0]))
    } else {
        "yield (%)".into()
    };
    let _ = write!(out, "<th class=\"n\">{head}</th>");
    out.push_str("<th class=\"n\">ideal (%)</th><th>worst, 5\u{2013}95 %, mean</th>");
    out.push_str("</tr></thead>\n<tbody>\n");
    let shown = range(
        points.iter().flat_map(|p| [p.min, p.max, p.ideal]),
        0.02,
        0.01,
        (0.0, 1.0),
    );
    for (i, p) in points.iter().enumerate() {
        let _ = write!(out, "<tr id=\"point-{i}\">");
        for &a in &layout.varying {
            let class = match layout.axes[a].number(i) {
                Some(_) => " class=\"n\"",
                None => "",
            };
            let _ = write!(out, "<td{class}>{}</td>", html(&layout.axes[a].value(i)));
        }
        if !same_chips {
            cell(out, &thousands(p.chips as u64));
        }
        let mean = percent_with_error(p.mean, p.mean_ci95, d);
        let _ = write!(out, "<td class=\"n\"><b>{mean}</b></td>");
        cell(out, &percent(p.std, d));
        cell_with_interval(out, &percent(p.q05, d), p.q05_ci95, d);
        cell(out, &percent(p.min, d));
        let mut good = percent(p.yield_fraction, 1);
        if !same_limit {
            good = format!("{good} ({})", limit(p));
        }
        cell_with_interval(out, &good, p.yield_ci95, 1);
        cell(out, &percent(p.ideal, d));
        let _ = writeln!(
            out,
            "<td class=\"range\">{}</td></tr>",
            spark(p, shown, layout.style[i])
        );
    }
    out.push_str("</tbody></table></div>\n");
    let image_se = points.iter().map(|p| p.image_se).fold(0.0, f64::max);
    let _ = writeln!(
        out,
        "<p class=\"note\">{} per point, {}. \u{b1} and the small brackets are 95 % intervals over \
         chips, for these images: Student t for means, order statistics for the 5 % quantile \
         (q05), Wilson for the yield; {NONE} is a side that so few chips cannot bound. The images \
         are a sample too: they add a standard error of up to {} points to every accuracy, nearly \
         the same at all points. Ideal: the same network without variation.</p>",
        if same_chips {
            count(points[0].chips as u64, "chip")
        } else {
            "Chips as listed".into()
        },
        count(u64::from(points[0].images), "image"),
        percent(image_se, 2),
    );
}

/// Differences between series on the same chips, at the largest abscissa of each panel.
pub(super) fn gains(out: &mut String, rows: &[ChipRow], layout: &Layout) {
    let chips = |point: usize| -> Vec<(u32, f64)> {
        let own = rows.iter().filter(|r| r.point == point);
        let mut own: Vec<(u32, f64)> = own.map(|r| (r.chip, r.accuracy)).collect();
        own.sort_by_key(|&(chip, _)| chip);
        own
    };
    let mut body = String::new();
    let mut n = 0;
    for panel in &layout.panels {
        let hardest = layout.hardest(panel);
        let Some((&base, others)) = hardest.split_first() else {
            continue;
        };
        let reference = chips(base);
        for &p in others.iter().take(MAX_ROWS.saturating_sub(n)) {
            let own = chips(p);
            let d = paired_difference(&reference, &own);
            if d.chips < 2 {
                continue;
            }
            n += 1;
            let worse = paired_losses(&reference, &own);
            let _ = writeln!(
                body,
                "<tr><td>{} against {}</td><td>{}</td><td class=\"n\"><b>{}</b></td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                html(layout.series_label(p)),
                html(layout.series_label(base)),
                html(&layout.detail(p)),
                signed_points(d.mean, d.ci95),
                percent(d.std, 1),
                percent(worse as f64 / d.chips as f64, 1),
            );
        }
    }
    if n == 0 {
        return;
    }
    let _ = write!(
        out,
        "<h2>What it gains on the same chips</h2>\n<div class=\"scroll\"><table>\n<thead><tr>\
         <th>comparison</th><th>at</th><th class=\"n\">mean gain (points)</th>\
         <th class=\"n\">sd over chips</th><th class=\"n\">chips that lose (%)</th></tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n<p class=\"note\">Chip by chip: chip k draws the \
         same deviates at both points, so what both share cancels and the 95 % interval (Student \
         t over chips, \u{b1}) is shorter than two separate intervals suggest.</p>\n"
    );
}

/// Chips whose accuracy is lower in `b` than in `a`.
fn paired_losses(a: &[(u32, f64)], b: &[(u32, f64)]) -> usize {
    b.iter()
        .filter(|(chip, y)| {
            a.binary_search_by_key(chip, |&(c, _)| c)
                .is_ok_and(|i| *y < a[i].1)
        })
        .count()
}

/// A difference in percentage points with its sign and half interval.
fn signed_points(x: f64, ci: Interval) -> String {
    let sign = if x < 0.0 { "\u{2212}" } else { "+" };
    format!(
        "{sign}{} \u{b1} {}",
        percent(x.abs(), 2),
        percent(ci.half(), 2)
    )
}

/// How good the estimates were, one row per point that has any.
pub(super) fn estimates(out: &mut String, result: &SweepResult, layout: &Layout) {
    let with: Vec<usize> = layout
        .descending()
        .into_iter()
        .filter(|&p| result.points[p].estimate.is_some())
        .collect();
    out.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th>point</th><th class=\"n\">mean error</th>\
         <th class=\"n\">sd of the error</th><th class=\"n\">predicted sd</th>\
         <th class=\"n\">variance / predicted</th></tr></thead>\n<tbody>\n",
    );
    for &p in with.iter().take(MAX_ROWS) {
        let Some(e) = &result.points[p].estimate else {
            continue;
        };
        let ratio = e.variance / e.predicted_variance;
        let ci = Interval {
            lo: e.variance_ci95.lo / e.predicted_variance,
            hi: e.variance_ci95.hi / e.predicted_variance,
        };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{} \u{b1} {}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td>",
            html(&layout.name(p)),
            plain(e.bias, 5),
            plain(e.bias_ci95.half(), 5),
            plain(e.variance.sqrt(), 5),
            plain(e.predicted_variance.sqrt(), 5),
        );
        let _ = writeln!(
            out,
            "<td class=\"n\">{}<span class=\"ci\">{} to {}</span></td></tr>",
            plain(ratio, 2),
            plain(ci.lo, 2),
            plain(ci.hi, 2)
        );
    }
    out.push_str("</tbody></table></div>\n");
    let _ = write!(
        out,
        "<p class=\"note\">Error: estimate minus true common deviation, over chips. Intervals 95 %: \
         Student t for the mean, chi-squared for the variance.{}</p>\n",
        if with.len() > MAX_ROWS {
            format!(" The first {MAX_ROWS} of {} points.", with.len())
        } else {
            String::new()
        }
    );
}

/// What each kind of tuning costs, one row per distinct cost.
pub(super) fn costs(out: &mut String, result: &SweepResult, layout: &Layout) {
    let mut seen = Vec::new();
    for (p, point) in result.points.iter().enumerate() {
        if let Some(cost) = point.tuning_cost {
            let name = layout.series_label(p).to_string();
            if !seen.contains(&(name.clone(), cost)) {
                seen.push((name, cost));
            }
        }
    }
    if seen.is_empty() {
        return;
    }
    out.push_str(
        "<h2>What tuning costs</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th></th>\
         <th class=\"n\">extra cells</th><th class=\"n\">conversions, once</th>\
         <th class=\"n\">conversions per image</th><th class=\"n\">operations per image</th>\
         <th class=\"n\">images, once</th></tr></thead>\n<tbody>\n",
    );
    for (name, c) in seen.iter().take(MAX_ROWS) {
        let _ = write!(out, "<tr><td>{}</td>", html(name));
        for n in [
            c.cells,
            c.conversions_once,
            c.conversions_per_image,
            c.operations_per_image,
            c.images_once,
        ] {
            cell(out, &thousands(n));
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"note\">Per chip, beyond the network itself. Conversions \
         are analog-to-digital; operations are digital additions and multiplications.</p>\n",
    );
}

/// A number cell.
fn cell(out: &mut String, text: &str) {
    let _ = write!(out, "<td class=\"n\">{text}</td>");
}

/// A number cell with its interval in small print.
fn cell_with_interval(out: &mut String, text: &str, ci: Interval, decimals: usize) {
    let _ = write!(
        out,
        "<td class=\"n\">{text}<span class=\"ci\">{} to {}</span></td>",
        percent(ci.lo, decimals),
        percent(ci.hi, decimals)
    );
}

/// A number, or the dash that stands for none.
fn plain(x: f64, decimals: usize) -> String {
    if x.is_finite() {
        format!("{x:.decimals$}").replace('-', "\u{2212}")
    } else {
        NONE.into()
    }
}

/// The spread of a point's chips as a small picture.
fn spark(p: &PointSummary, shown: (f64, f64), style: usize) -> String {
    let scale = Scale {
        data: shown,
        pixels: (4.0, 128.0),
    };
    let mut svg = Svg::new(132.0);
    let class = crate::report::plot::series_class(style);
    let at = |x: f64| scale.at(x);
    svg.line("grid", (4.0, 8.0), (128.0, 8.0));
    svg.line(&format!("bar {class}"), (at(p.min), 4.0), (at(p.min), 12.0));
    svg.line(&format!("bar {class}"), (at(p.min), 8.0), (at(p.max), 8.0));
    let spread = (at(p.q95) - at(p.q05), 6.0);
    svg.rect(&format!("hist {class}"), (at(p.q05), 5.0), spread, None, "");
    svg.line("ideal", (at(p.ideal), 1.0), (at(p.ideal), 15.0));
    svg.marker(style, (at(p.mean), 8.0), "");
    svg.inline(16.0, "spread of the chips")
}
