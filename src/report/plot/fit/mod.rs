//! What measured cells say about a technology: errors and laws, drift, parts of the variance, places.

mod drift;
mod errors;
mod map;
mod parts;

pub(in crate::report) use drift::figure as drift;
pub(in crate::report) use errors::{errors, quantiles};
pub(in crate::report) use map::figure as map;
pub(in crate::report) use parts::figure as parts;

use super::frame::Frame;
use super::svg::{Scale, Svg, ticks};
use super::{Figure, NARROW};
use crate::fit::{Fit, Form};

/// Two plots stand side by side.
const WIDTH: f64 = 500.0;
const RIGHT: f64 = 18.0;
const HEIGHT: f64 = 270.0;
/// Most cells drawn one by one.
const MOST_DOTS: usize = 6_000;
/// Most levels with colours of their own.
const MOST_LEVELS: usize = 6;

/// A figure that is drawn for a page and for a phone, each of its own width.
fn both(draw: impl Fn(f64) -> Option<Figure>) -> Option<Figure> {
    Some(Figure {
        narrow: Some(draw(NARROW)?.picture),
        ..draw(WIDTH)?
    })
}

/// The rectangle below a legend that ends at `top`, with room for numbers to the left.
fn frame(top: f64, wide: f64) -> Frame {
    Frame {
        left: 62.0,
        right: wide - RIGHT,
        top,
        bottom: top + HEIGHT,
    }
}

/// Draws numbers and a title below; gives the scale.
fn abscissa(svg: &mut Svg, frame: &Frame, data: (f64, f64), title: &str) -> Scale {
    let scale = Scale {
        data,
        pixels: (frame.left + 8.0, frame.right - 8.0),
    };
    let (marks, decimals) = ticks(data.0, data.1, 6);
    for v in marks {
        frame.mark(svg, scale.at(v), &format!("{v:.decimals$}"));
    }
    frame.title(svg, title);
    scale
}

/// Step by which `n` cells are thinned to at most [`MOST_DOTS`].
fn every(n: usize) -> usize {
    n.div_ceil(MOST_DOTS).max(1)
}

/// Words of a caption that not all cells are drawn.
fn thinned(n: usize) -> String {
    match every(n) {
        1 => String::new(),
        step => format!(" One cell in {step} is drawn; the numbers have all."),
    }
}

/// Standard deviation of the error of programming at a target by a form, microsiemens; `None` where the fit has none.
fn width(fit: &Fit, form: Form, target: f64) -> Option<f64> {
    let spread = fit.spread.as_ref()?;
    let low = fit.levels.first()?.target_us;
    let high = fit.levels.last()?.target_us;
    let span = if high > low { high - low } else { fit.g_max_us };
    match form {
        Form::Proportional => Some(spread.proportional?.value * target),
        Form::Fixed => Some(spread.fixed?.value * span),
        Form::Table => {
            let levels = fit.levels.iter().zip(&spread.by_level);
            let known: Vec<(f64, f64)> = levels
                .filter_map(|(l, e)| Some((l.target_us, e.as_ref()?.value)))
                .collect();
            let above = known.partition_point(|k| k.0 < target);
            match (above.checked_sub(1).map(|i| known[i]), known.get(above)) {
                (Some((x0, y0)), Some(&(x1, y1))) => {
                    Some(y0 + (y1 - y0) * (target - x0) / (x1 - x0))
                }
                (Some((_, y)), None) | (None, Some(&(_, y))) => Some(y),
                (None, None) => None,
            }
        }
    }
}

/// A form in words.
fn words(form: Form) -> &'static str {
    match form {
        Form::Proportional => "proportional to the target",
        Form::Fixed => "the same at all targets",
        Form::Table => "a value for every target",
    }
}
