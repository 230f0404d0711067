//! Errors of programming against their targets, and whether the laws describe them.

use super::super::Figure;
use super::super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, range, series_class};
use super::{HEIGHT, abscissa, both, every, frame, thinned, width, words};
use crate::fit::{Fit, Form, Sample};
use crate::report::text::count;
use statrs::distribution::{ContinuousCDF, Normal};

/// Positions of dots of one target beside each other, as shares of the room.
const BESIDE: usize = 13;

/// Programming error against target with the fitted law.
pub(in crate::report) fn errors(fit: &Fit) -> Option<Figure> {
    both(|wide| errors_of(fit, wide))
}

fn errors_of(fit: &Fit, wide: f64) -> Option<Figure> {
    let form = fit.spread.as_ref()?.form;
    let mut svg = Svg::new(wide);
    let law = format!("one standard deviation, {}", words(form));
    let keys = [
        Key::Line("line s1", &law),
        Key::Bar("standard deviation of a target, 95 %"),
    ];
    let top = legend(&mut svg, (0.0, 0.0), wide, &keys) + 34.0;
    let f = frame(top, wide);
    let place = (2.0, top - 14.0);
    svg.text("soft small", place, Anchor::Start, "error (uS)");
    let error = |s: &Sample| s.value_us - s.target_us;
    let ends = range(
        fit.samples.iter().map(error),
        0.04,
        1e-9,
        (f64::MIN, f64::MAX),
    );
    let ys = f.ordinate(&mut svg, ends, 6);
    let targets = fit.levels.iter().map(|l| l.target_us);
    let ends = range(targets, 0.08, 1e-6, (f64::MIN, f64::MAX));
    let xs = abscissa(&mut svg, &f, ends, "target (uS)");
    let room = 0.5 * (xs.pixels.1 - xs.pixels.0) / (fit.levels.len() + 1) as f64;
    let dots = fit
        .samples
        .iter()
        .enumerate()
        .step_by(every(fit.samples.len()));
    svg.dots(
        "dots s0",
        dots.map(|(i, s)| {
            let aside = ((i * 5) % BESIDE) as f64 / (BESIDE - 1) as f64 - 0.5;
            (xs.at(s.target_us) + aside * room, ys.at(error(s)))
        }),
    );
    law_lines(&mut svg, fit, form, (xs, ys));
    let by_level = fit.spread.iter().flat_map(|s| &s.by_level);
    for (level, e) in fit.levels.iter().zip(by_level) {
        let Some(e) = e else { continue };
        let middle = level.mean_us.map_or(0.0, |m| m.value - level.target_us);
        let x = xs.at(level.target_us);
        let [low, high] = e
            .interval
            .map(|end| ys.at(middle + end).clamp(top, f.bottom));
        error_bar(&mut svg, "bar neutral", x, high, low);
    }
    let title = "Error of programming".to_string();
    Some(Figure {
        picture: svg.picture(top + HEIGHT + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "One dot a cell at its first time, {}; those of a target stand beside each other. Lines: one standard deviation of the \
             fitted law within an array, around the means of the targets.{}",
            count(fit.samples.len() as u64, "cell"),
            thinned(fit.samples.len())
        ),
        csv: cells(fit),
        file: "errors.csv".into(),
    })
}

/// A row for every cell.
fn cells(fit: &Fit) -> String {
    let mut csv = String::from("chip,array,row,col,target_us,value_us\n");
    for s in &fit.samples {
        let [row, col] = s
            .place
            .map_or([String::new(), String::new()], |p| p.map(|x| x.to_string()));
        csv += &format!(
            "{},{},{row},{col},{},{}\n",
            s.chip, s.array, s.target_us, s.value_us
        );
    }
    csv
}

/// The law above and below the means of the targets.
fn law_lines(svg: &mut Svg, fit: &Fit, form: Form, (xs, ys): (Scale, Scale)) {
    let middle = |l: &crate::fit::LevelFit| l.mean_us.map_or(0.0, |m| m.value - l.target_us);
    for sign in [-1.0, 1.0] {
        let mut line: Vec<(f64, f64)> = vec![];
        for level in &fit.levels {
            let Some(sd) = width(fit, form, level.target_us) else {
                continue;
            };
            let y = ys
                .at(middle(level) + sign * sd)
                .clamp(ys.pixels.1, ys.pixels.0);
            line.push((xs.at(level.target_us), y));
        }
        if let [(x, y)] = line[..] {
            line = vec![(x - 20.0, y), (x + 20.0, y)];
        }
        svg.polyline("line s1", &line, false);
    }
}

/// Deviations in standard deviations of every law that the fit knows, sorted.
fn by_law(fit: &Fit) -> Vec<(Form, Vec<f64>)> {
    let of = |form: Form| -> Vec<f64> {
        let z = fit.samples.iter().filter_map(|s| {
            let sd = width(fit, form, s.target_us).filter(|sd| *sd > 0.0)?;
            Some(s.deviation_us? / sd)
        });
        let mut z: Vec<f64> = z.collect();
        z.sort_unstable_by(f64::total_cmp);
        z
    };
    [Form::Proportional, Form::Fixed, Form::Table]
        .into_iter()
        // One level fits every law alike.
        .filter(|form| fit.levels.len() > 1 || *form == Form::Proportional)
        .map(|form| (form, of(form)))
        .collect()
}

/// Deviations in standard deviations of every law that the fit knows, against those of a normal distribution.
pub(in crate::report) fn quantiles(fit: &Fit) -> Option<Figure> {
    both(|wide| quantiles_of(fit, wide))
}

fn quantiles_of(fit: &Fit, wide: f64) -> Option<Figure> {
    let all = by_law(fit);
    let longest = all.iter().map(|(_, z)| z.len()).max().filter(|n| *n > 2)?;
    let normal = Normal::standard();
    let expected = |i: usize, n: usize| normal.inverse_cdf((i as f64 + 0.5) / n as f64);
    let names: Vec<&str> = all.iter().map(|(form, _)| words(*form)).collect();
    let mut keys: Vec<Key> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Key::Series(i, name))
        .collect();
    keys.push(Key::Line("ideal", "as the law says"));
    let mut svg = Svg::new(wide);
    let top = legend(&mut svg, (0.0, 0.0), wide, &keys) + 34.0;
    let f = frame(top, wide);
    let place = (2.0, top - 14.0);
    svg.text(
        "soft small",
        place,
        Anchor::Start,
        "deviation (standard deviations of the law)",
    );
    let most = all
        .iter()
        .flat_map(|(_, z)| [z.first(), z.last()])
        .flatten();
    let most = most.fold(expected(longest - 1, longest), |a, z| a.max(z.abs()));
    let ys = f.ordinate(&mut svg, (-1.05 * most, 1.05 * most), 8);
    let end = 1.05 * expected(longest - 1, longest);
    let xs = abscissa(
        &mut svg,
        &f,
        (-end, end),
        "quantile of the normal distribution",
    );
    svg.line(
        "ideal",
        (xs.at(-end), ys.at(-end)),
        (xs.at(end), ys.at(end)),
    );
    let mut csv = String::from("law,normal_quantile,deviation\n");
    for (style, (form, z)) in all.iter().enumerate() {
        let n = z.len();
        let line: Vec<(f64, f64)> = (0..n)
            .step_by(every(n))
            .map(|i| (xs.at(expected(i, n)), ys.at(z[i])))
            .collect();
        svg.dots(
            &format!("dots {}", series_class(style)),
            line.iter().copied(),
        );
        if let Some(&at) = line.get(line.len() / 2) {
            svg.marker(style, at, words(*form));
        }
        for (i, z) in z.iter().enumerate() {
            csv += &format!("{},{:.5},{z:.5}\n", words(*form), expected(i, n));
        }
    }
    let title = "Deviations against a normal distribution".to_string();
    Some(Figure {
        picture: svg.picture(top + HEIGHT + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Deviations of {} from the mean of their target in their array, sorted, in standard deviations of each law. A law that \
             holds follows the line; one whose levels are too wide or too narrow bends away from it.",
            count(longest as u64, "cell")
        ),
        csv,
        file: "deviations.csv".into(),
    })
}
