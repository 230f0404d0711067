//! How conductances fall with time.

use super::super::Figure;
use super::super::svg::{Anchor, Key, Scale, Svg, error_bar, legend, range, series_class};
use super::{HEIGHT, MOST_LEVELS, abscissa, both, frame};
use crate::fit::{Aged, Drift, Fit};
use crate::report::text::compact;

/// Conductance relative to the first read against the logarithm of time; `None` of reads at one time.
pub(in crate::report) fn figure(fit: &Fit) -> Option<Figure> {
    both(|wide| draw(fit, wide))
}

fn draw(fit: &Fit, wide: f64) -> Option<Figure> {
    let t0 = fit.t0_s?;
    let shown: Vec<&Drift> = fit.drift.iter().take(MOST_LEVELS).collect();
    if shown.is_empty() {
        return None;
    }
    let names: Vec<String> = shown
        .iter()
        .map(|d| format!("{} uS", compact(d.target_us, 3)))
        .collect();
    let mut keys: Vec<Key> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Key::Series(i, name))
        .collect();
    keys.push(Key::Band("fitted exponents, one standard deviation"));
    let mut svg = Svg::new(wide);
    let top = legend(&mut svg, (0.0, 0.0), wide, &keys) + 34.0;
    let f = frame(top, wide);
    let place = (2.0, top - 14.0);
    svg.text(
        "soft small",
        place,
        Anchor::Start,
        "conductance / first read (%)",
    );
    let of = |d: &Drift| {
        let target = d.target_us;
        fit.aged.iter().filter(move |a| a.target_us == target)
    };
    let all = || shown.iter().flat_map(|d| of(d));
    let ends = all().flat_map(|a| [percent(a.mean_ln - a.sd_ln), percent(a.mean_ln + a.sd_ln)]);
    let ends = range(ends.chain([100.0]), 0.06, 1e-3, (0.0, f64::MAX));
    let ys = f.ordinate(&mut svg, ends, 6);
    let times = all().map(|a| a.time_s.log10()).chain([t0.log10()]);
    let xs = abscissa(
        &mut svg,
        &f,
        range(times, 0.04, 0.1, (f64::MIN, f64::MAX)),
        "seconds since programming, powers of ten",
    );
    let last = all().map(|a| a.time_s).fold(t0, f64::max);
    for (style, d) in shown.iter().enumerate() {
        let aside = 3.0 * (style as f64 - (shown.len() - 1) as f64 / 2.0);
        let level = Level {
            drift: d,
            seen: &of(d).copied().collect::<Vec<_>>(),
            times: (t0, last),
            style,
            aside,
        };
        level.draw(&mut svg, (&xs, &ys));
    }
    let mut csv = String::from("target_us,time_s,cells,mean_ln,sd_ln\n");
    for a in &fit.aged {
        csv += &format!(
            "{},{},{},{},{}\n",
            a.target_us, a.time_s, a.cells, a.mean_ln, a.sd_ln
        );
    }
    let title = "Drift".to_string();
    let more = match fit.drift.len() - shown.len() {
        0 => String::new(),
        n => format!(" {n} further targets are in the numbers."),
    };
    Some(Figure {
        picture: svg.picture(top + HEIGHT + 50.0, &title),
        narrow: None,
        title,
        caption: format!(
            "Mean and standard deviation over the cells of a target of the logarithm of conductance, relative to each cell's first \
             read: read noise is in the bars. Lines and bands: what the fitted exponents and their spread say.{more}"
        ),
        csv,
        file: "drift.csv".into(),
    })
}

fn percent(ln: f64) -> f64 {
    100.0 * ln.exp()
}

/// A target with what was read.
struct Level<'a> {
    drift: &'a Drift,
    seen: &'a [Aged],
    /// First and last time.
    times: (f64, f64),
    style: usize,
    /// As levels are read at the same times their marks stand beside each other.
    aside: f64,
}

impl Level<'_> {
    fn draw(&self, svg: &mut Svg, (xs, ys): (&Scale, &Scale)) {
        let series = series_class(self.style);
        let (t0, last) = self.times;
        let nu = self.drift.nu.value;
        let sigma = self.drift.sigma_nu.map_or(0.0, |e| e.value);
        let line = |nu: f64| -> Vec<(f64, f64)> {
            let at = |i: i32| {
                let time = t0 * (last / t0).powf(f64::from(i) / 24.0);
                let y = ys.at(percent(-nu * (time / t0).ln()));
                (xs.at(time.log10()), y.clamp(ys.pixels.1, ys.pixels.0))
            };
            (0..=24).map(at).collect()
        };
        let mut band = line(nu - sigma);
        band.extend(line(nu + sigma).into_iter().rev());
        svg.polyline(&format!("band {series}"), &band, true);
        svg.polyline(&format!("line {series}"), &line(nu), false);
        for a in self.seen {
            let x = xs.at(a.time_s.log10()) + self.aside;
            let [low, high] = [-1.0, 1.0].map(|s| ys.at(percent(a.mean_ln + s * a.sd_ln)));
            error_bar(svg, &format!("edge {series}"), x, high, low);
            let tip = format!(
                "{} uS after {} s: {} % of the first read, {} cells",
                compact(a.target_us, 3),
                compact(a.time_s, 3),
                compact(percent(a.mean_ln), 2),
                a.cells
            );
            svg.marker(self.style, (x, ys.at(percent(a.mean_ln))), &tip);
        }
    }
}
