//! How the trainings went: accuracy and loss over the epochs, a row for each training.

use super::svg::{
    Anchor, Key, Scale, Svg, error_bar, legend, range, series_class, text_width, ticks,
};
use super::{Figure, NARROW, Picture, frame::Frame};
use crate::report::layout::value_name;
use crate::report::text::{csv_field, percent};
use crate::sweep::result::{EpochRecord, SweepResult, TrainingHistory};

/// Most trainings drawn; the numbers of all are in the download.
const MAX_ROWS: usize = 6;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 46.0;
const GAP: f64 = 34.0;
const HEIGHT: f64 = 130.0;
/// Above a plot: what it is; below it: epochs.
const HEAD: f64 = 40.0;
const FOOT: f64 = 56.0;

/// Styles: the training images, the held-out ones without variation, those on chips.
const TRAINED: usize = 0;
const IDEAL: usize = 2;
const ON_CHIPS: usize = 1;

/// A training as it is drawn.
pub(in crate::report) struct Course<'a> {
    /// Its name, in plain letters.
    pub label: String,
    /// Its epochs, in order.
    pub epochs: &'a [EpochRecord],
    /// Names and epochs of its stages, in order; empty where they are not known, or only one.
    pub stages: Vec<(String, usize)>,
}

impl Course<'_> {
    /// The stage of an epoch, numbered from 1.
    fn stage(&self, epoch: usize) -> &str {
        let mut last = 0;
        let found = self.stages.iter().find(|(_, epochs)| {
            last += epochs;
            epoch <= last
        });
        found.map_or("", |(name, _)| name)
    }
}

/// Ends of the axes of all trainings: of accuracies and of losses.
type Ends = [(f64, f64); 2];

/// The plot, if a training of two epochs or more is among the sweep's.
pub(in crate::report) fn figure(result: &SweepResult) -> Option<Figure> {
    let all: Vec<Course> = result
        .trainings
        .iter()
        .map(|t: &TrainingHistory| Course {
            label: t.label.clone(),
            epochs: &t.epochs,
            stages: vec![],
        })
        .collect();
    drawn(&all, false)
}

/// The plot of trainings, the same axes for all of them where `alike`; none without a training of two epochs or more.
pub(in crate::report) fn drawn(all: &[Course], alike: bool) -> Option<Figure> {
    let all: Vec<&Course> = all.iter().filter(|t| t.epochs.len() > 1).collect();
    if all.is_empty() {
        return None;
    }
    let title = "How the training went";
    let mut caption = "Mean loss and accuracy of every epoch on its training images, as trained: \
                       moved, under quantization and on training chips where the recipe has them."
        .to_string();
    let validation = all.iter().flat_map(|t| t.epochs).find_map(|e| e.validation);
    if let Some(v) = validation {
        caption.push_str(&format!(
            " Held-out images ({}, never trained on): without variation, and the mean over {} \
             chips of their own with their standard deviation.",
            v.images, v.chips
        ));
    }
    if all.iter().any(|t| t.stages.len() > 1) {
        caption.push_str(" Vertical lines: where a stage begins.");
    }
    if alike && all.len() > 1 {
        caption.push_str(" All trainings have the same axes.");
    }
    if all.len() > MAX_ROWS {
        caption.push_str(&format!(
            " The first {MAX_ROWS} of {} trainings; the numbers have all.",
            all.len()
        ));
    }
    let shown = &all[..all.len().min(MAX_ROWS)];
    Some(Figure {
        picture: picture(shown, alike, WIDTH, title),
        narrow: Some(picture(shown, alike, NARROW, title)),
        title: title.into(),
        caption,
        csv: csv(&all),
        file: "training.csv".into(),
    })
}

/// The rows of some trainings, one below the other.
fn picture(shown: &[&Course], alike: bool, width: f64, title: &str) -> Picture {
    let mut svg = Svg::new(width);
    let mut keys = vec![Key::Series(TRAINED, "training images")];
    let mut epochs = shown.iter().flat_map(|t| t.epochs);
    if epochs.any(|e| e.validation.is_some()) {
        keys.push(Key::Series(IDEAL, "held out, no variation"));
        keys.push(Key::Series(ON_CHIPS, "held out, on chips"));
    }
    let mut top = legend(&mut svg, (LEFT, 0.0), width - LEFT, &keys) + 8.0;
    let shared = alike.then(|| ends(shown));
    for training in shown {
        let ends = shared.unwrap_or_else(|| ends(&[training]));
        top += row(&mut svg, training, top, ends);
    }
    svg.picture(top, title)
}

/// Ends of the axes that hold all of these trainings.
fn ends(trainings: &[&Course]) -> Ends {
    let epochs = || trainings.iter().flat_map(|t| t.epochs);
    let accuracies = epochs().flat_map(|e| {
        let held_out = e
            .validation
            .map(|v| [v.ideal, v.mean - v.std, v.mean + v.std]);
        std::iter::once(e.accuracy).chain(held_out.into_iter().flatten())
    });
    let losses = epochs().map(|e| e.loss);
    [
        range(accuracies, 0.06, 0.02, (0.0, 1.0)),
        range(losses, 0.06, 1e-3, (0.0, f64::MAX)),
    ]
}

/// Accuracy on the left, loss on the right; on a phone below. Gives the height.
fn row(svg: &mut Svg, training: &Course, top: f64, ends: Ends) -> f64 {
    let wide = svg.width > 600.0;
    let width = match wide {
        true => (svg.width - GAP) / 2.0,
        false => svg.width,
    };
    let below = if wide { 0.0 } else { HEIGHT + FOOT + 8.0 };
    let at = (LEFT, top + 12.0);
    svg.text("strong", at, Anchor::Start, &name(&training.label));
    let frame = |i: usize| {
        let left = if wide { i as f64 * (width + GAP) } else { 0.0 };
        let top = top + HEAD + i as f64 * below;
        Frame {
            left: left + LEFT,
            right: left + width - 14.0,
            top,
            bottom: top + HEIGHT,
        }
    };
    let epochs = training.epochs;
    let (accuracy, loss) = (frame(0), frame(1));
    for (frame, what) in [(&accuracy, "accuracy (%)"), (&loss, "loss")] {
        let at = (frame.left - LEFT + 2.0, frame.top - 9.0);
        svg.text("soft small", at, Anchor::Start, what);
    }
    let ys = accuracy.percentages(svg, ends[0]);
    let xs = abscissa(svg, &accuracy, epochs);
    stages(svg, &accuracy, &xs, training);
    curve(svg, epochs, TRAINED, &xs, &ys, |e| Some(e.accuracy));
    curve(svg, epochs, IDEAL, &xs, &ys, |e| Some(e.validation?.ideal));
    curve(svg, epochs, ON_CHIPS, &xs, &ys, |e| {
        Some(e.validation?.mean)
    });
    if let Some(last) = epochs.last() {
        let at = (xs.at(last.epoch as f64), ys.at(last.accuracy));
        svg.marker(TRAINED, at, &tip_of_last(last));
    }
    for e in epochs {
        let Some(v) = e.validation else { continue };
        let x = xs.at(e.epoch as f64);
        let bar = format!("bar {}", series_class(ON_CHIPS));
        error_bar(svg, &bar, x, ys.at(v.mean + v.std), ys.at(v.mean - v.std));
        let tip = format!(
            "after epoch {}: {} % without variation, {} +- {} % on {} chips",
            e.epoch,
            percent(v.ideal, 2),
            percent(v.mean, 2),
            percent(v.std, 2),
            v.chips
        );
        svg.marker(IDEAL, (x, ys.at(v.ideal)), &tip);
        svg.marker(ON_CHIPS, (x, ys.at(v.mean)), &tip);
    }
    let ys = loss.ordinate(svg, ends[1], 4);
    let xs = abscissa(svg, &loss, epochs);
    stages(svg, &loss, &xs, training);
    curve(svg, epochs, TRAINED, &xs, &ys, |e| Some(e.loss));
    if let Some(last) = epochs.last() {
        let at = (xs.at(last.epoch as f64), ys.at(last.loss));
        svg.marker(TRAINED, at, &tip_of_last(last));
    }
    HEAD + HEIGHT + FOOT + below
}

/// Lines where stages begin, and their names where they fit.
fn stages(svg: &mut Svg, frame: &Frame, xs: &Scale, training: &Course) {
    if training.stages.len() < 2 {
        return;
    }
    let mut before = 0;
    for (i, (name, epochs)) in training.stages.iter().enumerate() {
        let place = |epoch: f64| xs.at(epoch).clamp(frame.left, frame.right);
        let (from, to) = (
            place(before as f64 + 0.5),
            place((before + epochs) as f64 + 0.5),
        );
        before += epochs;
        if *epochs == 0 {
            continue;
        }
        if i > 0 {
            svg.line("thin neutral", (from, frame.top), (from, frame.bottom));
        }
        if text_width(name, 12.0) + 8.0 < to - from {
            let place = ((from + to) / 2.0, frame.top + 11.0);
            svg.text("soft small", place, Anchor::Middle, name);
        }
    }
}

fn tip_of_last(last: &EpochRecord) -> String {
    format!(
        "epoch {}: loss {:.4}, accuracy {} %",
        last.epoch,
        last.loss,
        percent(last.accuracy, 2)
    )
}

/// A training's label as the rest of the page writes recipes and sigmas.
fn name(label: &str) -> String {
    let words = label.split(' ').map(|word| match word {
        "sigma_W" | "sigma_B" => word.replace("sigma", "\u{3c3}"),
        _ => match word.strip_suffix(',') {
            Some(word) => value_name("recipe", word) + ",",
            None => value_name("recipe", word),
        },
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A line through the epochs that have a value.
fn curve(
    svg: &mut Svg,
    epochs: &[EpochRecord],
    style: usize,
    xs: &Scale,
    ys: &Scale,
    value: impl Fn(&EpochRecord) -> Option<f64>,
) {
    let known = epochs
        .iter()
        .filter_map(|e| Some((xs.at(e.epoch as f64), ys.at(value(e)?))));
    let points: Vec<(f64, f64)> = known.collect();
    svg.polyline(&format!("line {}", series_class(style)), &points, false);
}

/// Whole epochs under the frame.
fn abscissa(svg: &mut Svg, frame: &Frame, epochs: &[EpochRecord]) -> Scale {
    let of = |e: Option<&EpochRecord>| e.map_or(0.0, |e| e.epoch as f64);
    let xs = Scale {
        data: (of(epochs.first()), of(epochs.last())),
        pixels: (frame.left + 10.0, frame.right - 10.0),
    };
    let (marks, _) = ticks(xs.data.0, xs.data.1, 8);
    for mark in marks.into_iter().filter(|m| m.fract() == 0.0) {
        let at = xs.at(mark);
        svg.line("axis", (at, frame.bottom), (at, frame.bottom + 5.0));
        let label = format!("{mark:.0}");
        let place = (at, frame.bottom + 18.0);
        svg.text("soft small", place, Anchor::Middle, &label);
    }
    let middle = (frame.left + frame.right) / 2.0;
    let place = (middle, frame.bottom + 34.0);
    svg.text("soft small", place, Anchor::Middle, "epoch");
    xs
}

/// One row an epoch.
fn csv(all: &[&Course]) -> String {
    let staged = all.iter().any(|t| t.stages.len() > 1);
    let mut out = format!(
        "training,{}epoch,loss,accuracy,held_out_images,held_out_ideal,held_out_mean,held_out_std,chips\n",
        if staged { "stage," } else { "" }
    );
    for training in all {
        for e in training.epochs {
            let held_out = e.validation.map_or(",,,,".into(), |v| {
                format!("{},{},{},{},{}", v.images, v.ideal, v.mean, v.std, v.chips)
            });
            let stage = match staged {
                true => csv_field(training.stage(e.epoch)) + ",",
                false => String::new(),
            };
            out.push_str(&format!(
                "{},{stage}{},{},{},{held_out}\n",
                csv_field(&training.label),
                e.epoch,
                e.loss,
                e.accuracy
            ));
        }
    }
    out
}
