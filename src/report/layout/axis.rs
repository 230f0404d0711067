//! The axes of a sweep: what each is called, the values of the points, and which values follow from
//! others.

use serde_json::Value;

use crate::config::field_path;
use crate::report::label::{self, age};
use crate::report::plot::text_width;
use crate::report::text::{compact, key};
use crate::sweep::result::PointSummary;

/// One axis of the sweep with every point's value.
#[derive(Debug, Clone)]
pub(in crate::report) struct Axis {
    /// Name as in `summary.json`.
    pub name: String,
    /// Value of each point; `Null` where a point has none.
    pub values: Vec<Value>,
}

impl Axis {
    /// Distinct values.
    pub fn n_distinct(&self) -> usize {
        distinct(self.values.iter().map(key)).len()
    }

    /// The point's value as a number.
    pub fn number(&self, point: usize) -> Option<f64> {
        self.values[point].as_f64()
    }

    /// Whether a plot can have this axis as its abscissa.
    pub fn is_abscissa(&self) -> bool {
        // Numbers that only tell runs apart have no order worth a line.
        let label = matches!(self.name.as_str(), "train_seed" | "seed");
        !label && (0..self.values.len()).all(|p| self.number(p).is_some())
    }

    /// Title of the axis on a plot.
    pub fn title(&self) -> String {
        match self.name.as_str() {
            "sigma_w" => "within-chip standard deviation \u{3c3}_W (relative)".into(),
            "sigma_b" => "between-chip standard deviation \u{3c3}_B (relative)".into(),
            "weight_bits" => "weight bits".into(),
            "activation_bits" => "activation bits".into(),
            "test_cells" => "test cells per chip".into(),
            name => label::field(field_path(name)),
        }
    }

    /// The axis in a sentence: its sign, or its title without the unit.
    pub fn words(&self) -> String {
        let title = self.title();
        match (self.name.as_str(), title.rsplit_once(" (")) {
            ("sigma_w" | "sigma_b", _) => self.head(),
            (_, Some((words, _))) => words.to_string(),
            (_, None) => title,
        }
    }

    /// Title of the axis on a plot of this width, px: shorter where it would not fit.
    pub fn title_within(&self, width: f64) -> String {
        let title = self.title();
        match self.name.as_str() {
            "sigma_w" | "sigma_b" if text_width(&title, 13.0) > width => {
                format!("{} (relative)", self.head())
            }
            _ => title,
        }
    }

    /// Words for the head of a page's table.
    pub fn heading(&self) -> String {
        match self.name.as_str() {
            "sigma_w" | "sigma_b" | "train_variation" | "recipe" | "law" | "mapping"
            | "distribution" | "tuning" => self.head(),
            "train_seed" => "training seed".into(),
            _ => self.title(),
        }
    }

    /// Short name for the head of a terminal's table: the field's where it has no other.
    pub fn head(&self) -> String {
        match self.name.as_str() {
            "sigma_w" => "\u{3c3}_W".into(),
            "sigma_b" => "\u{3c3}_B".into(),
            "weight_bits" => "W bits".into(),
            "activation_bits" => "A bits".into(),
            "train_variation" => "trained on".into(),
            "recipe" | "law" | "mapping" | "distribution" | "tuning" => self.name.clone(),
            name => field_path(name).to_string(),
        }
    }

    /// The point's value as a person says it.
    pub fn value(&self, point: usize) -> String {
        match (self.name.as_str(), &self.values[point]) {
            (_, Value::Null) => String::new(),
            (name, Value::String(text)) => value_name(name, text),
            ("test_cells", v) if v.as_u64() == Some(0) => String::new(),
            ("weight_bits" | "activation_bits", v) if v.as_u64() == Some(32) => "float".into(),
            (name, v) if v.is_number() && label::unit(field_path(name)) == "s" => {
                v.as_f64().map_or_else(|| v.to_string(), age)
            }
            (_, v) => v.as_f64().map_or_else(|| v.to_string(), |x| compact(x, 6)),
        }
    }

    /// The point's value with as much of the name as it needs to be understood alone; empty where
    /// there is nothing to say.
    pub fn phrase(&self, point: usize) -> String {
        let value = self.value(point);
        match self.name.as_str() {
            _ if value.is_empty() => value,
            "recipe" | "tuning" | "distribution" => value,
            "law" => format!("{value} law"),
            "sigma_w" => format!("\u{3c3}_W = {value}"),
            "sigma_b" => format!("\u{3c3}_B = {value}"),
            "mapping" => format!("{value} mapping"),
            "train_variation" => format!("trained on {value}"),
            "weight_bits" => format!("{value}-bit weights"),
            "activation_bits" => format!("{value}-bit activations"),
            "train_seed" => format!("training seed {value}"),
            "test_cells" => format!("N = {value}"),
            name => label::valued(field_path(name), &value),
        }
    }
}

/// What a configuration's name is called in running text.
pub(in crate::report) fn value_name(axis: &str, value: &str) -> String {
    match (axis, value) {
        ("recipe", "qat") => "QAT".into(),
        ("recipe", "ptq-vat") => "PTQ-VAT".into(),
        ("recipe", "qavat") => "QAVAT".into(),
        ("tuning", "none") => "untuned".into(),
        ("tuning", "oracle") => "oracle tuning".into(),
        ("tuning", "reference-columns") => "reference columns".into(),
        ("tuning", "level-columns") => "columns at a known level".into(),
        ("tuning", "bn-recalibration") => "BN recalibration".into(),
        ("tuning", "bn-training") => "BN training".into(),
        _ => value.to_string(),
    }
}

/// All axes in the order in which a reader wants them.
pub(super) fn axes(points: &[PointSummary]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    let mut add = |name: &str, values: Vec<Value>| {
        axes.push(Axis {
            name: name.to_string(),
            values,
        });
    };
    macro_rules! field {
        ($($name:ident)*) => {
            $(add(stringify!($name), points.iter().map(|p| Value::from(p.axes.$name.clone())).collect());)*
        };
    }
    field!(recipe tuning test_cells train_variation law mapping distribution sigma_w sigma_b
        weight_bits activation_bits train_seed);
    let extra = distinct(points.iter().flat_map(|p| p.axes.extra.keys().cloned()));
    for name in extra {
        let value = |p: &PointSummary| p.axes.extra.get(&name).cloned().unwrap_or(Value::Null);
        add(&name, points.iter().map(value).collect());
    }
    axes
}

/// Indices of the axes with these names.
pub(super) fn named(axes: &[Axis], names: &[&str]) -> Vec<usize> {
    (0..axes.len())
        .filter(|&a| names.contains(&axes[a].name.as_str()))
        .collect()
}

/// Whether the value of axis `a` follows from those of the axes `given`, such as the 32 bits of
/// float from the recipe, or the test cells from the one tuned variant.
pub(super) fn follows(axes: &[Axis], a: usize, given: &[usize]) -> bool {
    let points = axes[a].values.len();
    let keys = |p: usize| keys(axes, given, p);
    let pairs = distinct((0..points).map(|p| (keys(p), key(&axes[a].values[p]))));
    pairs.len() == distinct((0..points).map(keys)).len()
}

/// The values of the axes `on` as one key.
pub(super) fn keys(axes: &[Axis], on: &[usize], point: usize) -> Vec<String> {
    on.iter().map(|&a| key(&axes[a].values[point])).collect()
}

/// The values of some axes as one line of text.
pub(super) fn phrases<'a>(
    axes: &[Axis],
    on: impl Iterator<Item = &'a usize>,
    point: usize,
) -> String {
    join(on.map(|&a| axes[a].phrase(point)))
}

/// Non-empty parts with commas between.
pub(super) fn join(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join(", ")
}

/// Distinct items in the order of their first appearance.
pub(super) fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen: Vec<T> = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}
