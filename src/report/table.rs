//! The result as a table for the terminal.

use super::layout::Layout;
use super::plot::quantity::{unit, width};
use super::text::{NONE, compact, count, percent, percent_with_interval, thousands, with_interval};
use crate::sweep::result::{PointSummary, SweepResult};

/// Decimals of percentages: two once the intervals (or, without any, the images) are fine enough
/// to support them.
pub(super) fn decimals(points: &[PointSummary]) -> usize {
    let fine = points.iter().any(|p| p.mean_ci95.half() < 0.0005);
    if fine { 2 } else { 1 }
}

/// One line per point: what varies, the mean accuracy with its 95 % interval, the worst chips and
/// the yield, under them what the numbers mean. Ends with a newline.
pub fn table(result: &SweepResult) -> String {
    let points = &result.points;
    let layout = Layout::new(points);
    let d = decimals(points);
    let same_yield_limit = points
        .windows(2)
        .all(|w| w[0].yield_limit == w[1].yield_limit);
    let same_chips = points.windows(2).all(|w| w[0].chips == w[1].chips);
    let mut columns: Vec<Column> = Vec::new();
    for &a in &layout.varying {
        let axis = &layout.axes[a];
        let cells: Vec<String> = (0..points.len()).map(|p| axis.value(p)).collect();
        let numeric = (0..points.len()).all(|p| axis.number(p).is_some());
        columns.push(Column::new(&ascii(&axis.head()), numeric, cells));
    }
    let mut numbers = |head: &str, cell: &dyn Fn(&PointSummary) -> String| {
        columns.push(Column::new(head, true, points.iter().map(cell).collect()));
    };
    if !same_chips {
        numbers("chips", &|p| thousands(p.chips as u64));
    }
    numbers("mean %", &|p| percent_with_interval(p.mean, p.mean_ci95, d));
    numbers("sd", &|p| percent(p.std, d));
    numbers("q05 %", &|p| percent(p.q05, d));
    numbers("worst %", &|p| percent(p.min, d));
    match points.first() {
        Some(first) if same_yield_limit => {
            let limit = compact(100.0 * first.yield_limit, 2);
            numbers(&format!("yield >= {limit} %"), &|p| {
                percent(p.yield_fraction, 1)
            });
        }
        _ => numbers("yield %", &|p| {
            let limit = compact(100.0 * p.yield_limit, 2);
            format!("{} (>= {limit})", percent(p.yield_fraction, 1))
        }),
    }
    numbers("ideal %", &|p| percent(p.ideal, d));
    for column in result.columns() {
        let width = width(result, column);
        numbers(&format!("{}{}", column.name, unit(column)), &|p| {
            let summary = p.columns.get(column.name);
            summary.map_or(NONE.into(), |c| with_interval(c.mean, c.ci95, width))
        });
    }

    let mut out = aligned(&columns);
    out.push('\n');
    out.push_str(&notes(result, same_chips));
    out
}

/// Columns of equal length as lines, under their heads.
pub(super) fn aligned(columns: &[Column]) -> String {
    let mut out = String::new();
    let rule: String = columns
        .iter()
        .map(|c| "-".repeat(c.width))
        .collect::<Vec<_>>()
        .join("  ");
    push_line(&mut out, columns.iter().map(|c| c.pad(&c.head)));
    out.push_str(&rule);
    out.push('\n');
    for row in 0..columns.first().map_or(0, |c| c.cells.len()) {
        push_line(&mut out, columns.iter().map(|c| c.pad(&c.cells[row])));
    }
    out
}

/// What the numbers of the table mean.
fn notes(result: &SweepResult, same_chips: bool) -> String {
    let Some(first) = result.points.first() else {
        return "no points\n".into();
    };
    let chips = if same_chips {
        format!("{} per point", count(first.chips as u64, "chip"))
    } else {
        "chips as listed".into()
    };
    let sentences = format!(
        "{chips}, {}, seed {}. In brackets: the 95 % interval of the mean over chips, for these \
         images. {} {}",
        count(u64::from(first.images), "image"),
        result.seed,
        unseen(&result.points),
        of_images(&result.points),
    );
    wrapped(sentences.trim_end())
}

/// What the intervals of means hold for chips not yet seen.
pub(super) fn unseen(points: &[PointSummary]) -> String {
    let with = points.iter().filter(|p| !p.mean_unseen.is_nan());
    let most = with.clone().map(|p| p.mean_unseen).fold(0.0, f64::max);
    match with.count() {
        0 => "The intervals of means leave out chips not yet seen.".into(),
        n if n < points.len() => {
            "Some intervals of means leave out chips not yet seen (mean_unseen in summary.json)."
                .into()
        }
        _ => format!(
            "Of what the interval of a mean reaches down, up to {} points are for chips not yet \
             seen, which may fail (sweep.unseen = false leaves them out).",
            percent(most, 2)
        ),
    }
}

/// What the images add, as a sentence with a blank behind it; nothing where they add nothing.
pub(super) fn of_images(points: &[PointSummary]) -> String {
    let most = points.iter().map(|p| p.image_se).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    format!(
        "The images are a sample too: they add a standard error of up to {} points to every \
         accuracy, nearly the same at all points. ",
        percent(most, 2)
    )
}

/// Text in lines of at most 96 characters, each with its end.
pub(super) fn wrapped(text: &str) -> String {
    const WIDTH: usize = 96;
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// One column with its width in characters.
pub(super) struct Column {
    head: String,
    right: bool,
    cells: Vec<String>,
    width: usize,
}

impl Column {
    pub(super) fn new(head: &str, right: bool, cells: Vec<String>) -> Column {
        let width = cells
            .iter()
            .map(String::as_str)
            .chain([head])
            .map(|s| s.chars().count())
            .max()
            .unwrap_or(0);
        Column {
            head: head.to_string(),
            right,
            cells,
            width,
        }
    }

    fn pad(&self, text: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.right {
            space + text
        } else {
            text.to_string() + &space
        }
    }
}

/// Appends the cells as one line without trailing blanks.
fn push_line(out: &mut String, cells: impl Iterator<Item = String>) {
    let line = cells.collect::<Vec<_>>().join("  ");
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Greek letters by name: not every terminal font has them.
fn ascii(text: &str) -> String {
    text.replace('\u{3c3}', "sigma").replace('\u{3b5}', "eps")
}
