//! The worst chip within a bound, beside chips at random.

use super::svg::{Anchor, Key, Scale, Svg, legend, range, series_class, text_width, ticks};
use super::{Figure, NARROW, WIDTH};
use crate::report::text::{count, csv_field, percent};
use crate::sweep::worst::Report;

const ROW: f64 = 30.0;

/// Styles: chips at random, those that were searched.
const RANDOM: usize = 0;
const SEARCHED: usize = 1;

/// A row: what it is, its accuracy on the test images, a range around it.
pub(in crate::report) struct Row {
    pub name: String,
    pub style: usize,
    pub test: f64,
    /// Accuracy on the images searched on.
    pub searched: Option<f64>,
    /// Lowest and highest of what the row has besides.
    pub spread: Option<(f64, f64)>,
}

/// The rows of a search.
pub(in crate::report) fn rows(report: &Report) -> Vec<Row> {
    let random = &report.random;
    let mut rows = vec![Row {
        name: format!("{}, mean", count(random.chips, "random chip")),
        style: RANDOM,
        test: random.mean,
        searched: None,
        spread: Some((random.min, random.mean + random.std)),
    }];
    rows.extend(report.worst.iter().map(|w| Row {
        name: match w.sparse {
            None => "worst found, all weights".into(),
            Some(n) => format!("worst found, {}", count(n as u64, "weight")),
        },
        style: SEARCHED,
        test: w.test,
        searched: Some(w.searched),
        spread: None,
    }));
    rows.extend(report.worst_eps_b.map(|w| Row {
        name: format!("worst common deviation, {:+}", w.eps_b),
        style: SEARCHED,
        test: w.test,
        searched: Some(w.searched),
        spread: None,
    }));
    rows
}

/// The plot.
pub(in crate::report) fn figure(report: &Report) -> Figure {
    let title = "How bad a chip within the bound can be";
    let (svg, height) = draw(report, WIDTH);
    let (narrow, narrow_height) = draw(report, NARROW);
    Figure {
        title: title.into(),
        narrow: Some(narrow.picture(narrow_height, title)),
        picture: svg.picture(height, title),
        caption: format!(
            "Accuracy on {}. Random chips (n = {}): the marker is their mean, the line reaches from the worst of them to a standard \
             deviation above the mean. Searched chips: one chip each, the best of {}; hollow: its accuracy on the {} that were searched on. \
             A search gives an upper bound of the worst accuracy: a worse chip may exist, and no interval says how likely that is.",
            count(report.test_images as u64, "test image"),
            report.random.chips,
            count(report.goal.restarts as u64, "search"),
            count(report.search_images as u64, "image"),
        ),
        csv: csv(report),
        file: "worst_case.csv".into(),
    }
}

fn draw(report: &Report, width: f64) -> (Svg, f64) {
    let rows = rows(report);
    let mut svg = Svg::new(width);
    let beside = width > 600.0;
    let widest = rows
        .iter()
        .map(|r| text_width(&r.name, 13.0))
        .fold(0.0, f64::max);
    let left = if beside { widest + 20.0 } else { 12.0 };
    let row = if beside { ROW } else { ROW + 16.0 };
    let keys = [
        Key::Series(RANDOM, "random chips"),
        Key::Series(SEARCHED, "searched, on test images"),
        Key::Line("ideal", "without deviation"),
    ];
    let top = legend(&mut svg, (left, 0.0), width - left, &keys) + 10.0;
    let bottom = top + row * rows.len() as f64;
    let values = rows.iter().flat_map(|r| {
        let (lo, hi) = r.spread.unwrap_or((r.test, r.test));
        [r.test, r.searched.unwrap_or(r.test), lo, hi, report.ideal]
    });
    let scale = Scale {
        data: range(values, 0.05, 0.02, (0.0, 1.0)),
        pixels: (left, width - 64.0),
    };
    let n = if beside { 8 } else { 5 };
    let (marks, decimals) = ticks(100.0 * scale.data.0, 100.0 * scale.data.1, n);
    for v in marks {
        let at = scale.at(v / 100.0);
        svg.line("grid", (at, top), (at, bottom));
        svg.text(
            "soft small",
            (at, bottom + 18.0),
            Anchor::Middle,
            &format!("{v:.decimals$}"),
        );
    }
    svg.line("axis", (left, bottom), (width - 64.0, bottom));
    let middle = ((left + width - 64.0) / 2.0, bottom + 40.0);
    svg.text("soft", middle, Anchor::Middle, "accuracy (%)");
    let ideal = scale.at(report.ideal);
    svg.line("ideal", (ideal, top), (ideal, bottom));
    for (i, r) in rows.iter().enumerate() {
        let up = top + row * i as f64;
        let y = if beside {
            up + row / 2.0
        } else {
            up + row - 14.0
        };
        let name = if beside {
            (0.0, y + 4.5)
        } else {
            (left, up + 16.0)
        };
        svg.text("", name, Anchor::Start, &r.name);
        let class = format!("bar {}", series_class(r.style));
        if let Some((lo, hi)) = r.spread {
            svg.line(&class, (scale.at(lo), y), (scale.at(hi), y));
        }
        if let Some(searched) = r.searched {
            svg.circle(
                &format!("hollow {}", series_class(r.style)),
                (scale.at(searched), y),
                4.5,
            );
        }
        svg.marker(
            r.style,
            (scale.at(r.test), y),
            &format!("{}: {} %", r.name, percent(r.test, 2)),
        );
        svg.text(
            "strong",
            (width - 4.0, y + 4.5),
            Anchor::End,
            &percent(r.test, 2),
        );
    }
    (svg, bottom + 50.0)
}

fn csv(report: &Report) -> String {
    let mut out = format!(
        "what,test,searched,lowest\nwithout deviation,{},,\n",
        report.ideal
    );
    for r in rows(report) {
        let searched = r.searched.map_or(String::new(), |x| x.to_string());
        let lowest = r.spread.map_or(String::new(), |(lo, _)| lo.to_string());
        out.push_str(&format!(
            "{},{},{searched},{lowest}\n",
            csv_field(&r.name),
            r.test
        ));
    }
    out
}
