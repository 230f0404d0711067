//! What was found as an experiment file.

use std::fmt::Write;

use super::{Estimate, Fit, Form, Spread};
use crate::program::Law;

/// A number with five figures.
fn figures(x: f64) -> String {
    let rounded: f64 = format!("{x:.4e}").parse().unwrap_or(x);
    format!("{rounded:?}")
}

fn interval(e: &Estimate) -> String {
    let [low, high] = e.interval;
    format!("{} to {}", figures(low), figures(high))
}

/// A field with the interval of its value.
fn field(out: &mut String, name: &str, e: Option<Estimate>) {
    // Writing to a text cannot fail.
    let _ = match e {
        Some(e) => writeln!(out, "{name} = {}  # {}", figures(e.value), interval(&e)),
        None => writeln!(out, "# {name}: not told by these measurements"),
    };
}

/// Values at relative conductances as a curve with straight pieces, flat beyond the ends.
fn curve(points: &[(f64, f64)]) -> String {
    let at = |x: f64, y: f64| format!("[{}, {}]", figures(x), figures(y));
    match points {
        [] => "0.0".into(),
        [(_, y)] => figures(*y),
        [(first, low), .., (last, high)] => {
            let mut all: Vec<String> = vec![];
            if *first > 0.0 {
                all.push(at(0.0, *low));
            }
            all.extend(points.iter().map(|&(x, y)| at(x, y)));
            if *last < 1.0 {
                all.push(at(1.0, *high));
            }
            format!("{{ points = [{}] }}", all.join(", "))
        }
    }
}

pub(super) fn text(fit: &Fit, source: &str) -> String {
    let mut out = String::new();
    let [chips, arrays, cells, reads] = fit.counts;
    let mut line = |text: String| {
        out += &text;
        out.push('\n');
    };
    line(format!(
        "# Fitted by `pimento fit` to {source}: {reads} reads of {cells} cells in {arrays} arrays of {chips} chips."
    ));
    line("# Behind every number its 95 % interval.".into());
    for note in &fit.notes {
        line(format!("# Note: {note}."));
    }
    line("fidelity = \"cell\"\n\n[quantize]\ninput_bits = 8   # cells need codes; yours may be others\n".into());
    variation(&mut out, fit);
    cells_section(&mut out, fit);
    programming(&mut out, fit);
    drift(&mut out, fit);
    read_noise(&mut out, fit);
    out
}

/// Whether the spread is written as sigma_W: where it follows the law of what cells share.
fn as_sigma_w(fit: &Fit) -> Option<(Law, Option<Estimate>)> {
    let spread = fit.spread.as_ref()?;
    let own = match spread.form {
        Form::Proportional => (Law::WeightProportional, spread.proportional),
        Form::Fixed => (Law::LayerFixed, spread.fixed),
        Form::Table => return None,
    };
    match &fit.common {
        Some(common) if common.law != own.0 => None,
        _ => Some(own),
    }
}

fn variation(out: &mut String, fit: &Fit) {
    let own = as_sigma_w(fit);
    let law = match (&fit.common, own) {
        (Some(common), _) => common.law,
        (None, Some((law, _))) => law,
        (None, None) => Law::WeightProportional,
    };
    let _ = writeln!(out, "[variation]\nlaw = \"{law}\"");
    match own {
        Some((_, e)) => field(out, "sigma_w", e),
        None if fit.spread.is_some() => {
            let _ = writeln!(out, "sigma_w = 0.0  # chip.programming.sigma has it");
        }
        None => field(out, "sigma_w", None),
    }
    let common = fit.common.as_ref();
    field(out, "sigma_b", common.and_then(|c| c.chip));
    field(out, "sigma_array", common.and_then(|c| c.array));
    let Some(spatial) = &fit.spatial else { return };
    let certain = spatial.certain();
    if !certain.is_empty() {
        let _ = writeln!(out, "# Left out, {}:", spatial.unit());
    }
    for (name, e) in certain {
        let _ = writeln!(out, "#   {name}: {} ({})", figures(e.value), interval(&e));
    }
}

fn cells_section(out: &mut String, fit: &Fit) {
    let _ = writeln!(out, "\n[chip.cells]\ng_max_us = {}", figures(fit.g_max_us));
    match fit.g_min_us > 0.0 && fit.levels.len() > 1 {
        true => {
            let ratio = figures(fit.g_max_us / fit.g_min_us);
            let _ = writeln!(out, "on_off_ratio = {ratio}");
        }
        false => *out += "on_off_ratio = inf\n",
    }
    *out += "# Target, uS: mean of the cells, uS\n";
    for level in &fit.levels {
        let mean = match &level.mean_us {
            Some(e) => format!("{} ({})", figures(e.value), interval(e)),
            None => "not told".into(),
        };
        let _ = writeln!(
            out,
            "#   {}: {mean}, {} cells",
            figures(level.target_us),
            level.cells
        );
    }
}

/// A standard deviation by relative conductance.
fn table(fit: &Fit, spread: &Spread) -> String {
    let levels = fit.levels.iter().zip(&spread.by_level);
    let known = levels.filter_map(|(level, e)| Some((level.target_us, e.as_ref()?.value)));
    let points: Vec<_> = known
        .map(|(t, s)| (t / fit.g_max_us, s / fit.g_max_us))
        .collect();
    curve(&points)
}

fn programming(out: &mut String, fit: &Fit) {
    *out += "\n[chip.programming]\n";
    if let (Some(spread), None) = (&fit.spread, as_sigma_w(fit)) {
        let _ = writeln!(out, "sigma = {}", table(fit, spread));
    }
    field(out, "stuck_off", fit.stuck_off);
    field(out, "stuck_on", fit.stuck_on);
}

fn drift(out: &mut String, fit: &Fit) {
    let Some(t0) = fit.t0_s.filter(|_| !fit.drift.is_empty()) else {
        return;
    };
    let curve_of = |f: &dyn Fn(&super::Drift) -> Option<f64>| {
        let points = fit.drift.iter().filter(|d| d.target_us > 0.0);
        let points = points.filter_map(|d| Some((d.target_us / fit.g_max_us, f(d)?.max(0.0))));
        curve(&points.collect::<Vec<_>>())
    };
    let _ = writeln!(
        out,
        "\n[chip.drift]\ntime_s = {}  # as programmed; another age is a field away\nt0_s = {}\nnu = {}",
        figures(t0),
        figures(t0),
        curve_of(&|d| Some(d.nu.value))
    );
    let _ = writeln!(out, "sigma_nu = {}", curve_of(&|d| Some(d.sigma_nu?.value)));
    for d in &fit.drift {
        let sigma = match &d.sigma_nu {
            Some(e) => format!("{} ({})", figures(e.value), interval(e)),
            None => "not told".into(),
        };
        let (target, nu) = (figures(d.target_us), figures(d.nu.value));
        let _ = writeln!(
            out,
            "#   {target} uS: nu {nu} ({}), its spread {sigma}, {} cells",
            interval(&d.nu),
            d.cells
        );
    }
}

fn read_noise(out: &mut String, fit: &Fit) {
    let Some(noise) = &fit.read_noise else {
        return;
    };
    *out += "\n[chip.read]\n";
    match noise.form {
        Form::Proportional => field(out, "proportional", noise.proportional),
        Form::Fixed => field(out, "fixed", noise.fixed),
        Form::Table => {
            let _ = writeln!(out, "sigma = {}", table(fit, noise));
        }
    }
}
