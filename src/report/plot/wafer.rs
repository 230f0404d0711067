//! Wafer maps: dies where they were on the wafer, coloured by accuracy.

use super::Figure;
use super::colour::{ColourBar, colour};
use super::svg::{Anchor, Svg, range};
use crate::report::layout::Layout;
use crate::report::text::{compact, count, percent};
use crate::sweep::result::{ChipRow, SweepResult};

/// Most maps drawn.
const MAX_MAPS: usize = 4;

const WIDTH: f64 = 960.0;

/// One wafer at one point.
struct Map<'a> {
    point: usize,
    wafer: u32,
    dies: Vec<&'a ChipRow>,
}

/// The plot, if chips have places on wafers: several wafers of one point, or the first wafer at
/// the points of the largest abscissa.
pub(in crate::report) fn figure(
    result: &SweepResult,
    rows: &[ChipRow],
    layout: &Layout,
) -> Option<Figure> {
    const GAP: f64 = 24.0;
    const HEAD: f64 = 44.0;
    let maps = choose(result, rows, layout);
    if maps.is_empty() {
        return None;
    }
    let dies: Vec<&ChipRow> = maps.iter().flat_map(|m| m.dies.iter().copied()).collect();
    let columns = maps.len().min(if maps.len() == 4 { 2 } else { 3 });
    let room = WIDTH - 110.0;
    let size = ((room - GAP * (columns as f64 - 1.0)) / columns as f64).min(380.0);
    let disc = Disc::new(&maps, &dies, size);
    let mut svg = Svg::new(WIDTH);
    for (i, map) in maps.iter().enumerate() {
        let middle = (i % columns) as f64 * (size + GAP) + size / 2.0;
        let top = (i / columns) as f64 * (size + HEAD + 12.0);
        let (title, detail) = heading(result, layout, map, &maps);
        svg.text("strong", (middle, top + 14.0), Anchor::Middle, &title);
        svg.text("soft small", (middle, top + 32.0), Anchor::Middle, &detail);
        disc.draw(&mut svg, map, (middle, top + HEAD + size / 2.0));
    }
    let lines = maps.len().div_ceil(columns) as f64;
    let height = lines * (size + HEAD + 12.0);
    let used = columns as f64 * (size + GAP) - GAP;
    let bar = ColourBar {
        title: "accuracy (%)",
        values: disc.accuracies,
        factor: 100.0,
    };
    bar.draw(&mut svg, (used + 40.0, HEAD), size);
    let caption = format!(
        "Every square is a die at its place on the wafer, coloured by its accuracy over {}; one \
         colour scale for all maps. {} drawn.",
        super::images_phrase(&result.points),
        count(dies.len() as u64, "die"),
    );
    Some(Figure {
        title: "Where on the wafer".into(),
        picture: svg.picture(height, "Wafer maps of the accuracy"),
        narrow: None,
        caption,
        csv: csv(&dies),
        file: "wafer_maps.csv".into(),
    })
}

/// How all maps are drawn.
struct Disc {
    /// Diameter, px.
    size: f64,
    /// Pixels of a millimetre.
    mm: f64,
    /// Side of a die, mm.
    pitch: f64,
    /// Accuracies at the two ends of the colour scale.
    accuracies: (f64, f64),
}

impl Disc {
    fn new(maps: &[Map], dies: &[&ChipRow], size: f64) -> Self {
        let pitch = pitch(maps);
        let distances = dies.iter().map(|r| r.die_x_mm.hypot(r.die_y_mm));
        // The farthest corner of a die is inside the disc.
        let radius = distances.fold(0.0, f64::max) + pitch * 0.75;
        Self {
            size,
            mm: size / 2.0 / radius,
            pitch,
            accuracies: range(dies.iter().map(|r| r.accuracy), 0.0, 0.005, (0.0, 1.0)),
        }
    }

    /// Draws the dies of a map.
    fn draw(&self, svg: &mut Svg, map: &Map, centre: (f64, f64)) {
        let (mm, pitch, (worst, best)) = (self.mm, self.pitch, self.accuracies);
        svg.circle("disc", centre, self.size / 2.0 - 1.0);
        for r in &map.dies {
            let t = (r.accuracy - worst) / (best - worst);
            let tip = format!(
                "chip {}: {} % at ({}, {}) mm",
                r.chip,
                percent(r.accuracy, 2),
                compact(r.die_x_mm, 2),
                compact(r.die_y_mm, 2)
            );
            // y points up on the wafer and down in the picture.
            let corner = (
                centre.0 + mm * (r.die_x_mm - pitch / 2.0),
                centre.1 - mm * (r.die_y_mm + pitch / 2.0),
            );
            let square = (mm * pitch, mm * pitch);
            svg.rect("die", corner, square, Some(&colour(t)), &tip);
        }
    }
}

fn csv(dies: &[&ChipRow]) -> String {
    let mut csv = String::from("point,wafer,chip,die_x_mm,die_y_mm,accuracy\n");
    for r in dies {
        csv.push_str(&format!(
            "{},{},{},{},{},{}\n",
            r.point, r.wafer, r.chip, r.die_x_mm, r.die_y_mm, r.accuracy
        ));
    }
    csv
}

/// Which wafers of which points are drawn.
fn choose<'a>(result: &SweepResult, rows: &'a [ChipRow], layout: &Layout) -> Vec<Map<'a>> {
    let placed: Vec<&ChipRow> = rows
        .iter()
        .filter(|r| r.has_position() && r.accuracy.is_finite() && r.point < result.points.len())
        .collect();
    // The hardest points: there the wafer shows most.
    let has = |p: &usize| placed.iter().any(|r| r.point == *p);
    let points = layout
        .levels()
        .into_iter()
        .map(|level| level.into_iter().filter(has).collect::<Vec<_>>())
        .find(|level| !level.is_empty())
        .unwrap_or_default();
    let mut maps: Vec<Map> = Vec::new();
    for &p in &points {
        let mut wafers: Vec<u32> = placed
            .iter()
            .filter(|r| r.point == p)
            .map(|r| r.wafer)
            .collect();
        wafers.sort_unstable();
        wafers.dedup();
        wafers.truncate(if points.len() == 1 { MAX_MAPS } else { 1 });
        for wafer in wafers {
            let dies = placed
                .iter()
                .copied()
                .filter(|r| r.point == p && r.wafer == wafer)
                .collect();
            maps.push(Map {
                point: p,
                wafer,
                dies,
            });
        }
    }
    maps.truncate(MAX_MAPS);
    maps
}

/// Title and subtitle of a map.
fn heading(result: &SweepResult, layout: &Layout, map: &Map, maps: &[Map]) -> (String, String) {
    let wafer = format!("wafer {}", map.wafer);
    let n = count(map.dies.len() as u64, "die");
    if maps.iter().all(|m| m.point == map.point) {
        let name = if result.points.len() == 1 {
            String::new()
        } else {
            format!("{}, ", layout.name(map.point))
        };
        (wafer, format!("{name}{n}"))
    } else {
        let detail = layout.detail(map.point);
        let detail = if detail.is_empty() {
            format!("{wafer}, {n}")
        } else {
            format!("{detail}, {wafer}, {n}")
        };
        (layout.series_label(map.point).to_string(), detail)
    }
}

/// Distance between neighbouring dies: the smallest difference of coordinates along an axis.
fn pitch(maps: &[Map]) -> f64 {
    let mut smallest = f64::INFINITY;
    for map in maps {
        for axis in [|r: &ChipRow| r.die_x_mm, |r: &ChipRow| r.die_y_mm] {
            let mut at: Vec<f64> = map.dies.iter().map(|r| axis(r)).collect();
            at.sort_by(f64::total_cmp);
            for w in at.windows(2) {
                // Equal up to rounding is the same row of dies.
                if w[1] - w[0] > 1e-3 {
                    smallest = smallest.min(w[1] - w[0]);
                }
            }
        }
    }
    if smallest.is_finite() { smallest } else { 10.0 }
}
