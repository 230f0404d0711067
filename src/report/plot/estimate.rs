//! What self-tuning estimated against what was true.

use super::Figure;
use super::svg::{Anchor, Scale, Svg, range, series_class, ticks};
use crate::report::layout::Layout;
use crate::report::text::compact;
use crate::sweep::result::{ChipRow, SweepResult};

/// Most panels drawn.
const MAX_PANELS: usize = 6;

/// Most dots in a panel.
const MAX_DOTS: usize = 2000;

const WIDTH: f64 = 960.0;

/// The plot, if chips have estimates. Points that measured the same chips in the same way (other
/// recipes, same tuning) have the same estimates: only the first is drawn.
pub(in crate::report) fn figure(
    result: &SweepResult,
    rows: &[ChipRow],
    layout: &Layout,
) -> Option<Figure> {
    let mut panels: Vec<(usize, Vec<&ChipRow>)> = Vec::new();
    let mut more = 0;
    for p in layout.descending() {
        let own: Vec<&ChipRow> = rows
            .iter()
            .filter(|r| r.point == p && r.eps_hat.is_finite() && r.eps_common.is_finite())
            .take(MAX_DOTS)
            .collect();
        let same = |(_, other): &(usize, Vec<&ChipRow>)| {
            let pair = |r: &ChipRow| (r.chip, r.eps_hat.to_bits(), r.eps_common.to_bits());
            other.len() == own.len() && other.iter().zip(&own).all(|(a, b)| pair(a) == pair(b))
        };
        if own.is_empty() || panels.iter().any(same) {
            continue;
        }
        if panels.len() == MAX_PANELS {
            more += 1;
        } else {
            panels.push((p, own));
        }
    }
    if panels.is_empty() {
        return None;
    }
    panels.sort_by_key(|(p, _)| *p);
    let columns = panels.len().clamp(2, 3);
    let gap = 28.0;
    let cell = (WIDTH - gap * (columns as f64 - 1.0)) / columns as f64;
    let (head, foot, left_margin) = (62.0, 46.0, 48.0);
    let size = cell - left_margin - 8.0;
    let all = || panels.iter().flat_map(|(_, own)| own.iter());
    let limits = (-1e6, 1e6);
    let xr = range(all().map(|r| r.eps_common), 0.06, 1e-6, limits);
    let yr = range(
        all().flat_map(|r| [r.eps_hat, r.eps_common]),
        0.06,
        1e-6,
        limits,
    );
    let plot_height = size * 0.8;
    let mut svg = Svg::new(WIDTH);
    let mut csv = String::from("point,chip,eps_common,eps_hat\n");
    for (i, (p, own)) in panels.iter().enumerate() {
        let left = (i % columns) as f64 * (cell + gap) + left_margin;
        let top = (i / columns) as f64 * (head + plot_height + foot) + head;
        let bottom = top + plot_height;
        svg.text(
            "strong",
            (left, top - 46.0),
            Anchor::Start,
            layout.series_label(*p),
        );
        svg.text(
            "soft small",
            (left, top - 29.0),
            Anchor::Start,
            &layout.detail(*p),
        );
        svg.text(
            "soft small",
            (left - left_margin + 2.0, top - 10.0),
            Anchor::Start,
            "estimate",
        );
        let xs = Scale {
            data: xr,
            pixels: (left, left + size),
        };
        let ys = Scale {
            data: yr,
            pixels: (bottom, top),
        };
        let (marks, d) = ticks(yr.0, yr.1, 5);
        for v in marks {
            svg.line("grid", (left, ys.at(v)), (left + size, ys.at(v)));
            svg.text(
                "soft small",
                (left - 7.0, ys.at(v) + 4.0),
                Anchor::End,
                &signed(v, d),
            );
        }
        let (marks, d) = ticks(xr.0, xr.1, 5);
        for v in marks {
            svg.line("grid", (xs.at(v), top), (xs.at(v), bottom));
            svg.text(
                "soft small",
                (xs.at(v), bottom + 18.0),
                Anchor::Middle,
                &signed(v, d),
            );
        }
        svg.line("axis", (left, bottom), (left + size, bottom));
        svg.text(
            "soft",
            (left + size / 2.0, bottom + 38.0),
            Anchor::Middle,
            "true common deviation \u{3b5}",
        );
        let diagonal = (xr.0.max(yr.0), xr.1.min(yr.1));
        svg.line(
            "ideal",
            (xs.at(diagonal.0), ys.at(diagonal.0)),
            (xs.at(diagonal.1), ys.at(diagonal.1)),
        );
        let class = format!("dots {}", series_class(layout.style[*p]));
        svg.dots(
            &class,
            own.iter().map(|r| (xs.at(r.eps_common), ys.at(r.eps_hat))),
        );
        for r in own {
            csv.push_str(&format!("{p},{},{},{}\n", r.chip, r.eps_common, r.eps_hat));
        }
    }
    let lines = panels.len().div_ceil(columns) as f64;
    let mut caption = format!(
        "One dot a chip ({} per point): the deviation all its cells share against what its test \
         cells or reference columns told. On the dashed line the estimate is right.",
        super::chips_phrase(&result.points)
    );
    if more > 0 {
        caption.push_str(&format!(" {more} further points are in the table."));
    }
    Some(Figure {
        title: "What the chips know of themselves".into(),
        svg: svg.inline(
            lines * (head + plot_height + foot),
            "Estimates against true deviations",
        ),
        caption,
        csv,
        file: "estimates.csv",
    })
}

/// A tick with the true minus sign.
fn signed(v: f64, decimals: usize) -> String {
    compact(v, decimals).replace('-', "\u{2212}")
}
