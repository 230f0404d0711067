//! Runs against each other, chip by chip: the mean difference of every pair of points with its interval.

use super::Figure;
use super::abscissa::decimal;
use super::svg::{Anchor, Key, Scale, Svg, legend, range, series_class, text_width, ticks, wrap};
use super::{NARROW, WIDTH};
use crate::report::combine::AXIS;
use crate::report::layout::Layout;
use crate::report::text::csv_field;
use crate::sweep::compare::Comparison;
use crate::sweep::result::SweepResult;

/// Most pairs drawn; the data have all.
const MAX_ROWS: usize = 40;

const LINE: f64 = 15.0;

/// The plot, if points of different runs have the same chips.
pub(in crate::report) fn figure(result: &SweepResult, layout: &Layout) -> Option<Figure> {
    let run = |p: usize| result.points[p].axes.extra.get(AXIS);
    let across = |c: &&Comparison| run(c.a) != run(c.b) && c.difference.chips > 1;
    let pairs: Vec<&Comparison> = result.comparisons.iter().filter(across).collect();
    if pairs.is_empty() {
        return None;
    }
    let forest = Forest {
        result,
        layout,
        pairs: &pairs,
    };
    let (svg, height) = forest.draw(WIDTH);
    let (narrow, narrow_height) = forest.draw(NARROW);
    let title = "Differences between the runs";
    let chips = pairs.iter().map(|c| c.difference.chips);
    let (least, most) = (chips.clone().min().unwrap_or(0), chips.max().unwrap_or(0));
    let chips = match least == most {
        true => format!("{most} chips"),
        false => format!("{least} to {most} chips"),
    };
    let stratified = result.points.iter().any(|p| p.stratified);
    let interval = if stratified {
        "Student t over replicates"
    } else {
        "Student t over chips"
    };
    let mut caption = format!(
        "Mean difference of the accuracy on the same chips (n = {chips} in each pair) with its 95 % interval ({interval}); right of 0 \
         the later run is better. The intervals are of one pair each: of twenty pairs that do not differ, one is expected to miss 0. \
         Other images and other trained networks are not in them."
    );
    if pairs.len() > MAX_ROWS {
        caption.push_str(&format!(
            " The first {MAX_ROWS} of {} pairs; the data have all.",
            pairs.len()
        ));
    }
    Some(Figure {
        title: title.into(),
        narrow: Some(narrow.picture(narrow_height, title)),
        picture: svg.picture(height, title),
        caption,
        csv: forest.csv(),
        file: "run_differences.csv".into(),
    })
}

struct Forest<'a> {
    result: &'a SweepResult,
    layout: &'a Layout,
    pairs: &'a [&'a Comparison],
}

impl Forest<'_> {
    /// What the later point of a pair is, and the run that it is compared with where there are more than two.
    fn name(&self, c: &Comparison) -> String {
        let run = |p: usize| {
            self.result.points[p]
                .axes
                .extra
                .get(AXIS)
                .and_then(|r| r.as_str())
        };
        let (later, first) = (run(c.b).unwrap_or_default(), run(c.a).unwrap_or_default());
        let settings = self.layout.settings_without(c.b, AXIS);
        match settings.is_empty() {
            true => format!("{later}, against {first}"),
            false => format!("{settings}, {later}, against {first}"),
        }
    }

    fn draw(&self, width: f64) -> (Svg, f64) {
        let pairs = &self.pairs[..self.pairs.len().min(MAX_ROWS)];
        let mut svg = Svg::new(width);
        // On a phone names stand above their rows.
        let beside = width > 600.0;
        let room = if beside { 0.42 * width } else { width };
        let names: Vec<Vec<String>> = pairs
            .iter()
            .map(|c| wrap(&self.name(c), 13.0, room - 12.0))
            .collect();
        let widest = names
            .iter()
            .flatten()
            .map(|line| text_width(line, 13.0))
            .fold(60.0, f64::max);
        let left = if beside {
            widest.min(room) + 18.0
        } else {
            14.0
        };
        let keys = [Key::Bar("95 % interval of the mean difference")];
        let top = legend(&mut svg, (left, 0.0), width - left, &keys) + 8.0;
        let heights: Vec<f64> = names
            .iter()
            .map(|lines| LINE * lines.len() as f64 + if beside { 11.0 } else { 26.0 })
            .collect();
        let bottom = top + heights.iter().sum::<f64>();
        let ends = pairs.iter().flat_map(|c| {
            let d = &c.difference;
            [d.mean, d.mean_ci95.lo, d.mean_ci95.hi, 0.0]
        });
        let scale = Scale {
            data: range(ends.map(|x| 100.0 * x), 0.06, 0.2, (-100.0, 100.0)),
            pixels: (left, width - 14.0),
        };
        let (marks, decimals) = ticks(scale.data.0, scale.data.1, if beside { 8 } else { 4 });
        for v in marks {
            let at = scale.at(v);
            let class = if v == 0.0 { "ideal" } else { "grid" };
            svg.line(class, (at, top), (at, bottom));
            svg.text(
                "soft small",
                (at, bottom + 18.0),
                Anchor::Middle,
                &decimal(v, decimals),
            );
        }
        svg.line("axis", (left, bottom), (width - 14.0, bottom));
        let middle = ((left + width - 14.0) / 2.0, bottom + 40.0);
        svg.text(
            "soft",
            middle,
            Anchor::Middle,
            "mean difference (points of accuracy)",
        );
        let mut y = top;
        for ((c, lines), height) in pairs.iter().zip(&names).zip(&heights) {
            for (i, line) in lines.iter().enumerate() {
                let at = y + 16.0 + LINE * i as f64;
                svg.text(
                    "",
                    (if beside { 0.0 } else { left }, at),
                    Anchor::Start,
                    line,
                );
            }
            let row = if beside {
                y + height / 2.0
            } else {
                y + height - 10.0
            };
            self.row(&mut svg, c, row, &scale);
            y += height;
        }
        (svg, bottom + 50.0)
    }

    fn row(&self, svg: &mut Svg, c: &Comparison, y: f64, scale: &Scale) {
        let d = &c.difference;
        let style = self.layout.style[c.b];
        let class = format!("bar {}", series_class(style));
        let [mean, lo, hi] = [d.mean, d.mean_ci95.lo, d.mean_ci95.hi].map(|x| scale.at(100.0 * x));
        svg.line(&class, (lo, y), (hi, y));
        for end in [lo, hi] {
            svg.line(&class, (end, y - 4.0), (end, y + 4.0));
        }
        let tip = format!("{}: {} points", self.name(c), decimal(100.0 * d.mean, 2));
        svg.marker(style, (mean, y), &tip);
    }

    /// One row per pair.
    fn csv(&self) -> String {
        let mut out = String::from("a,b,name,difference,lo95,hi95,sd,chips,wilcoxon_p\n");
        for c in self.pairs {
            let d = &c.difference;
            out.push_str(&format!(
                "{},{},{},{},{},{},{},{},{}\n",
                c.a,
                c.b,
                csv_field(&self.name(c)),
                d.mean,
                d.mean_ci95.lo,
                d.mean_ci95.hi,
                d.std,
                d.chips,
                d.wilcoxon_p
            ));
        }
        out.replace("NaN", "")
    }
}
