//! The tables of the page.

use std::fmt::Write;

use crate::report::combine;
use crate::report::layout::Layout;
use crate::report::plot::{Scale, Svg, range};
use crate::report::table::{self, decimals};
use crate::report::text::{
    NONE, compact, count, escape, html, percent, plain, probability, thousands,
};
use crate::sweep::compare::Comparison;
use crate::sweep::result::{PointSummary, SweepResult};
use crate::sweep::statistics::Interval;

/// Most rows of the tables beside the main one, which has every point.
pub(super) const MAX_ROWS: usize = 24;

/// Letters of a head that stands on one line.
const LONG: usize = 14;

/// One row per point of `which`, under a heading for each panel.
pub(super) fn points(out: &mut String, result: &SweepResult, layout: &Layout, which: &[usize]) {
    let points = &result.points;
    if points.is_empty() {
        out.push_str("<p>The sweep has no points.</p>\n");
        return;
    }
    let same = |value: &dyn Fn(&PointSummary) -> f64| {
        points.windows(2).all(|w| value(&w[0]) == value(&w[1]))
    };
    let form = Form {
        layout,
        axes: layout.inner_axes(),
        decimals: decimals(points),
        chips: !same(&|p| p.chips as f64),
        limits: !same(&|p| p.yield_limit),
        shown: range(
            points.iter().flat_map(|p| [p.min, p.max, p.ideal]),
            0.02,
            0.01,
            (0.0, 1.0),
        ),
    };
    let long = if which.len() > MAX_ROWS { " long" } else { "" };
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"points{long}\">\n<thead>"
    );
    let columns = form.head(out, &points[0]);
    out.push_str("</thead>\n<tbody>\n");
    for panel in &layout.panels {
        let inside = |p: &&usize| panel.series.iter().any(|s| s.points.contains(p));
        let mut own = which.iter().filter(inside).peekable();
        if own.peek().is_some() && !panel.title.is_empty() {
            group(out, columns, &panel.title);
        }
        for &p in own {
            form.row(out, p, &points[p]);
        }
    }
    out.push_str("</tbody></table></div>\n");
    let chips = if form.chips {
        "Chips as listed".into()
    } else {
        format!("{} per point", count(points[0].chips as u64, "chip"))
    };
    let part = if which.len() < points.len() {
        format!(
            " {} of {} points; a table of all is below.",
            which.len(),
            points.len()
        )
    } else {
        String::new()
    };
    let strata = match points.iter().any(|p| p.stratified) {
        true => ", each over replicates of stratified chips",
        false => "",
    };
    let _ = writeln!(
        out,
        "<p class=\"note\">{chips}, {}.{part} The small print is 95 % intervals over chips, for \
         these images: Student t for means, order statistics for the 5 % quantile (q05), Wilson \
         for the yield{strata}; {NONE} is a side that so few chips cannot bound. {} {}Ideal: the \
         same network without variation.</p>",
        count(u64::from(points[0].images), "image"),
        super::in_code(&table::unseen(points), &["sweep.unseen", "mean_unseen"]),
        table::of_images(points),
    );
}

/// What the rows of the table of points have.
struct Form<'a> {
    layout: &'a Layout,
    /// Axes with a column.
    axes: Vec<usize>,
    decimals: usize,
    /// Whether there is a column of chips.
    chips: bool,
    /// Whether every yield names its limit.
    limits: bool,
    /// Range of accuracies of the small pictures.
    shown: (f64, f64),
}

impl Form<'_> {
    /// Writes the head; gives the number of columns.
    fn head(&self, out: &mut String, first: &PointSummary) -> usize {
        let mut heads: Vec<(bool, String)> = Vec::new();
        for &a in &self.axes {
            let axis = &self.layout.axes[a];
            let numeric = (0..axis.values.len()).all(|p| axis.number(p).is_some());
            heads.push((numeric, html(&axis.heading())));
        }
        if self.chips {
            heads.push((true, "chips".into()));
        }
        let good = if self.limits {
            "yield (%)".into()
        } else {
            format!("yield {} (%)", limit(first))
        };
        let rest = ["mean (%)", "sd", "q05 (%)", "worst (%)", &good, "ideal (%)"];
        heads.extend(rest.map(|h| (true, h.to_string())));
        out.push_str("<tr>");
        for (numeric, head) in &heads {
            // Long names break, so that they keep the table on the page.
            let class = match (*numeric, head.chars().count() > LONG) {
                (true, true) => " class=\"n path\"",
                (true, false) => " class=\"n\"",
                (false, true) => " class=\"path\"",
                (false, false) => "",
            };
            let _ = write!(out, "<th{class}>{head}</th>");
        }
        out.push_str("<th class=\"picture\">worst, 5\u{2013}95 %, mean</th></tr>");
        heads.len() + 1
    }

    /// Writes the row of a point. On a phone every cell tells its column.
    fn row(&self, out: &mut String, i: usize, p: &PointSummary) {
        let d = self.decimals;
        out.push_str("<tr>");
        for &a in &self.axes {
            let axis = &self.layout.axes[a];
            let class = match axis.number(i) {
                Some(_) => "n",
                None => "",
            };
            named(out, class, &escape(&axis.heading()), &html(&axis.value(i)));
        }
        if self.chips {
            named(out, "n", "chips", &thousands(p.chips as u64));
        }
        let with = |text: &str, ci: Interval, d: usize| {
            format!(
                "{text}{}",
                small_print(ci, &percent(ci.lo, d), &percent(ci.hi, d))
            )
        };
        let mean = format!("<b>{}</b>", percent(p.mean, d));
        named(
            out,
            "n mean",
            "mean accuracy (%)",
            &with(&mean, p.mean_ci95, d),
        );
        named(out, "n", "sd", &percent(p.std, d));
        named(
            out,
            "n",
            "5 % quantile (%)",
            &with(&percent(p.q05, d), p.q05_ci95, d),
        );
        named(out, "n", "worst (%)", &percent(p.min, d));
        let mut good = percent(p.yield_fraction, 1);
        if self.limits {
            good = format!("{good} ({})", limit(p));
        }
        let head = if self.limits {
            "yield (%)".into()
        } else {
            format!("yield {} (%)", limit(p))
        };
        named(out, "n", &head, &with(&good, p.yield_ci95, 1));
        named(out, "n", "ideal (%)", &percent(p.ideal, d));
        let picture = spark(p, self.shown, self.layout.style[i]);
        let _ = writeln!(out, "<td class=\"range\">{picture}</td></tr>");
    }
}

/// A cell that tells its column.
fn named(out: &mut String, class: &str, head: &str, text: &str) {
    let _ = write!(
        out,
        "<td class=\"{class}\" data-head=\"{head}\">{text}</td>"
    );
}

/// The limit of the yield with its sign.
fn limit(p: &PointSummary) -> String {
    format!("\u{2265} {} %", compact(100.0 * p.yield_limit, 2))
}

/// A heading between the rows.
pub(super) fn group(out: &mut String, columns: usize, title: &str) {
    let _ = writeln!(
        out,
        "<tr class=\"group\"><th colspan=\"{columns}\">{}</th></tr>",
        html(title)
    );
}

/// Differences on the same chips: those between runs first, then those between the series of each
/// panel, all at the panels' largest abscissas.
pub(super) fn gains(out: &mut String, result: &SweepResult, layout: &Layout) {
    let hardest: Vec<Vec<usize>> = layout.panels.iter().map(|p| layout.hardest(p)).collect();
    let panel_of = |p: usize| hardest.iter().position(|own| own.contains(&p));
    let run = |p: usize| result.points[p].axes.extra.get(combine::AXIS);
    let mut parts = vec![String::new(); 1 + hardest.len()];
    let known = result.comparisons.iter().filter(|c| c.difference.chips > 1);
    for c in known {
        let (part, names) = match (panel_of(c.a), panel_of(c.b)) {
            (Some(_), Some(_)) if run(c.a) != run(c.b) => (0, [c.b, c.a].map(|p| layout.name(p))),
            (Some(a), Some(b)) if a == b => {
                (1 + a, [c.b, c.a].map(|p| layout.series_label(p).into()))
            }
            _ => continue,
        };
        gain(&mut parts[part], &names, c);
    }
    let left_out = whole_groups(&mut parts);
    if parts.iter().all(String::is_empty) {
        return;
    }
    let mut body = String::new();
    let details = hardest.iter().map(|own| match own.first() {
        Some(&p) => layout.detail(p),
        None => String::new(),
    });
    let heads = std::iter::once("between runs".to_string()).chain(details);
    for (head, part) in heads.zip(parts) {
        if !head.is_empty() && !part.is_empty() {
            group(&mut body, 7, &head);
        }
        body.push_str(&part);
    }
    let interval = match result.points.iter().any(|p| p.stratified) {
        true => "Student t over replicates of stratified chips",
        false => "Student t over chips",
    };
    let _ = write!(
        out,
        "<h2>What it gains on the same chips</h2>\n<div class=\"scroll\"><table>\n<thead><tr>\
         <th>comparison</th><th class=\"n\">mean gain (points)</th>\
         <th class=\"n\">sd over chips</th><th class=\"n\">better (%)</th>\
         <th class=\"n\">worse (%)</th><th class=\"n\">p, signed ranks</th>\
         <th class=\"n\">chips that yield</th></tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n<p class=\"note\">Chip by chip: chip k draws the \
         same deviates at both points, so what both share cancels and the 95 % interval ({interval}, \
         \u{b1}) is shorter than two separate intervals suggest. p: Wilcoxon\u{2019}s signed-rank test, \
         two-sided. Chips that yield: gained and lost.{left_out} summary.json has every pair, with the sign \
         test and McNemar\u{2019}s.</p>\n"
    );
}

/// Empties the groups of rows behind the first that are more than the table holds; says how many.
fn whole_groups(groups: &mut [String]) -> String {
    let (mut rows, mut left_out) = (0, 0);
    for group in groups.iter_mut().filter(|group| !group.is_empty()) {
        let own = group.matches("<tr>").count();
        if rows > 0 && rows + own > MAX_ROWS {
            group.clear();
            left_out += own;
        } else {
            rows += own;
        }
    }
    match left_out {
        0 => String::new(),
        n => format!(
            " {} of other groups are left out.",
            count(n as u64, "comparison")
        ),
    }
}

/// A row of the table of differences: the first of `names` against the second.
fn gain(out: &mut String, names: &[String; 2], c: &Comparison) {
    let d = &c.difference;
    let _ = write!(
        out,
        "<tr><td class=\"t\">{} against {}</td><td class=\"n\"><b>{}</b></td>",
        html(&names[0]),
        html(&names[1]),
        signed_points(d.mean, d.mean_ci95),
    );
    cell(out, &percent(d.std, 1));
    cell(out, &percent(d.better, 1));
    cell(out, &percent(d.worse, 1));
    cell(out, &html(&probability(d.wilcoxon_p)));
    let gained = thousands(d.yield_gained);
    cell(
        out,
        &format!("+{gained} \u{2212}{}", thousands(d.yield_lost)),
    );
    out.push_str("</tr>\n");
}

/// A difference in percentage points with its sign and half interval.
fn signed_points(x: f64, ci: Interval) -> String {
    let sign = if x < 0.0 { "\u{2212}" } else { "+" };
    if x == 0.0 && ci.half() == 0.0 {
        return "identical".into();
    }
    format!(
        "{sign}{} \u{b1} {}",
        percent(x.abs(), 2),
        percent(ci.half(), 2)
    )
}

/// The worst chips of the points with the largest abscissa, and how to rebuild each.
pub(super) fn worst(out: &mut String, result: &SweepResult, layout: &Layout) {
    let mut shown: Vec<usize> = vec![];
    for panel in &layout.panels {
        let own = layout.hardest(panel).into_iter();
        let own: Vec<usize> = own
            .filter(|&p| !result.points[p].worst.is_empty())
            .collect();
        // A group is shown whole or not at all.
        if shown.is_empty() || shown.len() + own.len() <= MAX_ROWS {
            shown.extend(own);
        }
    }
    if shown.is_empty() {
        return;
    }
    out.push_str(
        "<h2>The worst chips</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>point</th>\
         <th class=\"n\">chip</th><th class=\"n\">accuracy (%)</th><th class=\"n\">\u{3b5}<sub>B</sub></th>\
         <th>the next: chip (%)</th><th>rebuilt with</th></tr></thead>\n<tbody>\n",
    );
    let directory = super::directory(result);
    for &p in &shown {
        let worst = &result.points[p].worst;
        let first = worst[0];
        let others = worst[1..].iter();
        let others: Vec<String> = others
            .map(|w| format!("{}\u{a0}({})", w.chip, percent(w.accuracy, 1)))
            .collect();
        let _ = writeln!(
            out,
            "<tr><td class=\"t\">{}</td><td class=\"n\">{}</td><td class=\"n\"><b>{}</b></td>\
             <td class=\"n\">{}</td><td class=\"t\">{}</td>\
             <td><code>pimento chip {} --point {p} --index {}</code></td></tr>",
            html(&layout.name(p)),
            first.chip,
            percent(first.accuracy, 2),
            plain(first.eps_b, 4),
            others.join(", "),
            escape(&directory),
            first.chip,
        );
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"note\">The chip with the lowest accuracy of each point, and \
         the next ones; summary.json has those of every point. The command of the last column rebuilds \
         the chip and compares it with its row.</p>\n",
    );
}

/// How good the estimates were, one row per point that has any.
pub(super) fn estimates(out: &mut String, result: &SweepResult, layout: &Layout) {
    let with: Vec<usize> = layout
        .levels()
        .into_iter()
        .flatten()
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
            "<tr><td class=\"t\">{}</td><td class=\"n\">{} \u{b1} {}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td>",
            html(&layout.name(p)),
            plain(e.bias, 5),
            plain(e.bias_ci95.half(), 5),
            plain(e.variance.sqrt(), 5),
            plain(e.predicted_variance.sqrt(), 5),
        );
        let small = small_print(ci, &plain(ci.lo, 2), &plain(ci.hi, 2));
        cell(out, &format!("{}{small}", plain(ratio, 2)));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    let more = if with.len() > MAX_ROWS {
        format!(" The first {MAX_ROWS} of {} points.", with.len())
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<p class=\"note\">Error: estimate minus true common deviation, over chips. Intervals 95 %: \
         Student t for the mean, chi-squared for the variance.{more}</p>"
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
         <th class=\"n\">images, once</th><th class=\"n\">operations, once</th></tr></thead>\n<tbody>\n",
    );
    for (name, c) in seen.iter().take(MAX_ROWS) {
        let _ = write!(out, "<tr><td>{}</td>", html(name));
        for n in [
            c.cells,
            c.conversions_once,
            c.conversions_per_image,
            c.operations_per_image,
            c.images_once,
            c.operations_once,
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
pub(super) fn cell(out: &mut String, text: &str) {
    let _ = write!(out, "<td class=\"n\">{text}</td>");
}

/// An interval in small print; nothing if neither side is known.
pub(super) fn small_print(ci: Interval, lo: &str, hi: &str) -> String {
    if ci.lo.is_nan() && ci.hi.is_nan() {
        String::new()
    } else {
        format!("<span class=\"ci\">{lo} to {hi}</span>")
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
    svg.picture(16.0, "spread of the chips").inline()
}
