//! Figures of a run for a paper: of which axes, which result, which points.
//!
//! # Examples
//! ```
//! use std::path::Path;
//!
//! use pimento::report::figures::{Request, figure};
//! use pimento::report::{chips, summary};
//!
//! # fn main() -> pimento::Result<()> {
//! let run = Path::new("experiments/results/self_tuning_fashion");
//! let (result, rows) = (summary::read(&run.join("summary.json"))?, chips::read(&run.join("chips.csv"))?);
//! let request = Request {
//!     x: Some("sigma_b".into()),
//!     facets: vec!["law".into()],
//!     ..Request::default()
//! };
//! let lines = figure(&result, &rows, &request)?;
//! assert!(lines.caption().contains("n = 200 chips at each point"));
//! # Ok(())
//! # }
//! ```

use super::layout::{Layout, Wishes};
use super::plot::heat::Heat;
use super::plot::lines::Lines;
use super::plot::quantity::Quantity;
use super::plot::statistic::Statistic;
use super::plot::{self, Figure, PX_PER_MM};
use super::text::key;
use crate::config::field_path;
use crate::error::{Error, Result};
use crate::sweep::result::{ChipRow, SweepResult};

/// Width of a picture over two columns of a page, mm.
pub const WIDTH_MM: f64 = 180.0;

/// Widths of a picture that are allowed, mm.
pub const WIDTHS_MM: std::ops::RangeInclusive<f64> = 60.0..=600.0;

/// Which figure, of which points.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Name of a figure of the report page ([`of_page`]), instead of axes.
    pub name: Option<String>,
    /// Numeric axis from left to right.
    pub x: Option<String>,
    /// A second numeric axis, which makes a map, or the result that is drawn over `x`.
    pub y: Option<String>,
    /// Axes with a panel for every value.
    pub facets: Vec<String>,
    /// The result that a map shows.
    pub value: Option<String>,
    /// Value of the line on a map, in the unit of its numbers, instead of the yield limit.
    pub limit: Option<f64>,
    /// Points that are drawn: an axis and the value that it must have.
    pub only: Vec<(String, String)>,
    /// Width of the picture, mm.
    pub width_mm: f64,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            name: None,
            x: None,
            y: None,
            facets: vec![],
            value: None,
            limit: None,
            only: vec![],
            width_mm: WIDTH_MM,
        }
    }
}

/// Every figure of the report page, in its order.
pub fn of_page(result: &SweepResult, rows: &[ChipRow]) -> Vec<Figure> {
    let layout = Layout::new(&result.points);
    let chips = |quantity: &Quantity| plot::distribution::figure(quantity, rows, &layout);
    let mut figures = vec![plot::difference::figure(result, &layout)];
    figures.extend(over_axes(result, &layout));
    figures.push(chips(&Quantity::Accuracy(result)));
    let columns = result.columns();
    figures.extend(columns.iter().map(|c| chips(&Quantity::Value(result, c))));
    figures.extend([
        plot::pareto::figure(result, &layout),
        plot::breakdown::points(result, &layout),
        plot::breakdown::layers(result, &layout),
        plot::wafer::figure(result, rows, &layout),
        plot::estimate::figure(result, rows, &layout),
        plot::training::figure(result),
    ]);
    figures.into_iter().flatten().collect()
}

/// The figures of the mean accuracy over the axes: of a random design the points one by one, else lines, and a map where
/// two numeric axes make a grid.
pub(super) fn over_axes(result: &SweepResult, layout: &Layout) -> Vec<Option<Figure>> {
    match plot::scatter::figure(result, layout) {
        Some(figure) => vec![Some(figure)],
        None => vec![
            plot::heat::figure(result, layout),
            plot::lines::figure(result, layout),
        ],
    }
}

/// The axes of a run that vary: name, number of values, whether they are numbers.
pub fn axes(result: &SweepResult) -> Vec<(String, usize, bool)> {
    let layout = Layout::new(&result.points);
    let axes = layout.varying.iter().map(|&a| &layout.axes[a]);
    let axes = axes.map(|a| {
        (
            field_path(&a.name).to_string(),
            a.n_distinct(),
            a.is_abscissa(),
        )
    });
    axes.collect()
}

/// Names of the results that can be drawn.
pub fn results(result: &SweepResult) -> Vec<&'static str> {
    let all = Statistic::all(result).into_iter();
    all.map(|(name, _)| name).collect()
}

/// The figure that was asked for. `rows` are the chips of all points.
///
/// # Errors
/// A name, an axis, a result or a value that the run does not have; a combination that is no figure.
pub fn figure(result: &SweepResult, rows: &[ChipRow], request: &Request) -> Result<Figure> {
    if !WIDTHS_MM.contains(&request.width_mm) {
        return Err(Error::input(format!(
            "--width {}: is no width of a figure; allowed: {} to {} mm",
            request.width_mm,
            WIDTHS_MM.start(),
            WIDTHS_MM.end()
        )));
    }
    let (result, rows) = only(result, rows, &request.only)?;
    match (&request.name, &request.x) {
        (Some(name), None) => named(&result, &rows, name),
        (Some(_), Some(_)) => Err(Error::input(
            "--figure has its own axes; allowed: --figure, or --x and --y",
        )),
        (None, Some(x)) => of_axes(&result, x, request),
        (None, None) => Err(Error::input(format!(
            "no axis was given; allowed: --x AXIS ({}), or --figure NAME ({})",
            list(
                axes(&result)
                    .into_iter()
                    .filter(|(.., numeric)| *numeric)
                    .map(|(name, ..)| name)
            ),
            list(of_page(&result, &rows).iter().map(|f| f.name().to_string()))
        ))),
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.is_empty() {
        true => "the run has none".into(),
        false => names.join(", "),
    }
}

/// A figure of the page.
fn named(result: &SweepResult, rows: &[ChipRow], name: &str) -> Result<Figure> {
    let mut figures = of_page(result, rows);
    let found = figures.iter().position(|f| f.name() == name);
    found.map(|i| figures.swap_remove(i)).ok_or_else(|| {
        let names = figures.iter().map(|f| f.name().to_string());
        Error::input(format!(
            "--figure {name}: the report of this run has no such figure; allowed: {}",
            list(names)
        ))
    })
}

/// Lines over one axis, or a map over two.
fn of_axes(result: &SweepResult, x: &str, request: &Request) -> Result<Figure> {
    let plain = Layout::new(&result.points);
    let x = axis(&plain, x, "--x", true)?;
    let panels = request
        .facets
        .iter()
        .map(|name| axis(&plain, name, "--facet", false));
    let panels = panels.collect::<Result<Vec<usize>>>()?;
    if panels.contains(&x) {
        return Err(Error::input(
            "--facet is the axis of --x; allowed: another axis",
        ));
    }
    let wishes = Wishes { x: Some(x), panels };
    let layout = Layout::with(&result.points, &wishes);
    let width = request.width_mm * PX_PER_MM;
    let second = request.y.as_deref();
    if let Some(y) = second.filter(|y| layout.axis_named(y).is_some()) {
        let y = axis(&layout, y, "--y", true)?;
        if x == y {
            return Err(Error::input(
                "--y is the axis of --x; allowed: another axis, or a result",
            ));
        }
        let value = request.value.as_deref().unwrap_or("accuracy");
        let statistic = Statistic::named(value, result, "--value")?;
        let heat = Heat {
            result,
            layout: &layout,
            statistic,
            x,
            y,
            limit: request.limit,
            width,
        };
        return Ok(heat.figure());
    }
    if let Some(limit) = request.limit {
        return Err(Error::input(format!(
            "--limit {limit}: is for maps; allowed: with an axis as --y"
        )));
    }
    let name = match (second, request.value.as_deref()) {
        (Some(y), Some(value)) if y != value => {
            return Err(Error::input(format!(
                "--value {value}: --y {y} says already what is drawn; allowed: --value with an axis as --y"
            )));
        }
        (Some(y), _) => y,
        (None, value) => value.unwrap_or("accuracy"),
    };
    let statistic = Statistic::named(name, result, "--y").map_err(|e| {
        let names = axes(result).into_iter().filter(|(.., numeric)| *numeric);
        Error::input(format!(
            "{e}; or one of the numeric axes {}",
            list(names.map(|(n, ..)| n))
        ))
    })?;
    let lines = Lines {
        result,
        layout: &layout,
        statistic,
        width,
    };
    lines
        .figure()
        .ok_or_else(|| Error::input("--x: has no numbers to draw"))
}

/// The varying axis of a name.
fn axis(layout: &Layout, name: &str, option: &str, numeric: bool) -> Result<usize> {
    let fits = |&a: &usize| !numeric || layout.axes[a].is_abscissa();
    let found = layout.axis_named(name).filter(|a| fits(a));
    found.ok_or_else(|| {
        let varying = layout.varying.iter().filter(|a| fits(a));
        let names = varying.map(|&a| field_path(&layout.axes[a].name).to_string());
        let kind = if numeric { "numeric axis" } else { "axis" };
        Error::input(format!(
            "{option} {name}: is no {kind} that varies in this run; allowed: {}",
            list(names)
        ))
    })
}

/// The points that have certain values, with their chips.
fn only(
    result: &SweepResult,
    rows: &[ChipRow],
    wanted: &[(String, String)],
) -> Result<(SweepResult, Vec<ChipRow>)> {
    let layout = Layout::new(&result.points);
    let mut kept: Vec<usize> = (0..result.points.len()).collect();
    for (name, value) in wanted {
        let a = axis(&layout, name, "--only", false)?;
        let axis = &layout.axes[a];
        let wanted = match value.parse::<f64>() {
            Ok(number) => key(&number.into()),
            Err(_) => key(&value.as_str().into()),
        };
        kept.retain(|&p| key(&axis.values[p]) == wanted || axis.value(p) == *value);
        if kept.is_empty() {
            let mut values: Vec<String> = (0..axis.values.len()).map(|p| axis.value(p)).collect();
            values.dedup();
            values.sort();
            values.dedup();
            return Err(Error::input(format!(
                "--only {name}={value}: no point has this value; allowed: {}",
                list(values.into_iter().filter(|v| !v.is_empty()))
            )));
        }
    }
    let mut part = result.clone();
    part.points = kept.iter().map(|&p| result.points[p].clone()).collect();
    if kept.len() < result.points.len() {
        part.comparisons.clear();
    }
    let place = |point: usize| kept.iter().position(|&p| p == point);
    let rows = rows.iter().filter_map(|r| {
        let point = place(r.point)?;
        Some(ChipRow { point, ..r.clone() })
    });
    Ok((part, rows.collect()))
}
