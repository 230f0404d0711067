//! Which axes of a sweep vary, what each point is called, and how points make up the lines and
//! panels of a plot. Tables and plots share the answers, so a point has one name everywhere.

use serde_json::Value;

use super::combine::AXIS;
use super::text::compact;
use crate::config::field_path;
use crate::sweep::result::PointSummary;

/// Most lines in one panel; with more, another axis becomes a panel axis.
const MAX_LINES: usize = 6;

/// One axis of the sweep with every point's value.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Name as in `summary.json`.
    pub name: String,
    /// Value of each point; `Null` where a point has none.
    pub values: Vec<Value>,
}

impl Axis {
    /// Distinct values.
    fn n_distinct(&self) -> usize {
        distinct(self.values.iter().map(key)).len()
    }

    /// The point's value as a number.
    pub fn number(&self, point: usize) -> Option<f64> {
        self.values[point].as_f64()
    }

    /// Whether a plot can have this axis as its abscissa.
    fn is_abscissa(&self) -> bool {
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
            name => field_path(name).to_string(),
        }
    }

    /// Short name for a table's head.
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
            (_, v) => v.as_f64().map_or_else(|| v.to_string(), |x| compact(x, 6)),
        }
    }

    /// The point's value with as much of the name as it needs to be understood alone; empty where
    /// there is nothing to say.
    fn phrase(&self, point: usize) -> String {
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
            name => format!("{} {value}", field_path(name)),
        }
    }
}

/// What a configuration's name is called in running text.
pub(super) fn value_name(axis: &str, value: &str) -> String {
    match (axis, value) {
        ("recipe", "qat") => "QAT".into(),
        ("recipe", "ptq-vat") => "PTQ-VAT".into(),
        ("recipe", "qavat") => "QAVAT".into(),
        ("tuning", "none") => "untuned".into(),
        ("tuning", "oracle") => "oracle tuning".into(),
        ("tuning", "reference-columns") => "reference columns".into(),
        ("tuning", "level-columns") => "columns at a known level".into(),
        ("tuning", "bn-recalibration") => "BN recalibration".into(),
        _ => value.to_string(),
    }
}

/// Points of one line, in ascending order of the abscissa.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Name in the legend.
    pub label: String,
    /// Place among all series of the sweep: decides colour and marker in every plot.
    pub style: usize,
    /// Indices of the points.
    pub points: Vec<usize>,
}

/// One panel of a plot.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    /// What all its points share and other panels' do not; empty for a single panel.
    pub title: String,
    /// Smallest and largest abscissa.
    pub x: (f64, f64),
    /// Its lines.
    pub series: Vec<Series>,
}

/// The arrangement of a sweep's points.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// All axes; see [`Layout::varying`].
    pub axes: Vec<Axis>,
    /// Indices of the axes with more than one value.
    pub varying: Vec<usize>,
    /// The abscissa: the numeric axis with the most values, if any varies.
    pub x: Option<usize>,
    /// Panels with their lines.
    pub panels: Vec<Panel>,
    /// Labels of all series, by [`Series::style`].
    pub labels: Vec<String>,
    /// Style of the series each point belongs to.
    pub style: Vec<usize>,
    /// Axes whose value follows from the abscissa's.
    with_x: Vec<usize>,
    /// Axes whose values the panels' titles give.
    panel_axes: Vec<usize>,
}

impl Layout {
    /// Arranges the points.
    pub fn new(points: &[PointSummary]) -> Layout {
        let axes = axes(points);
        let mut varying: Vec<usize> = (0..axes.len())
            .filter(|&a| axes[a].n_distinct() > 1)
            .collect();
        // Where every run has one seed of its trainings, the run says it all.
        let runs = named(&axes, &[AXIS]);
        let seeds = named(&axes, &["train_seed"]);
        varying.retain(|a| !seeds.contains(a) || runs.is_empty() || !follows(&axes, *a, &runs));
        let x = abscissa(&axes, &varying);
        let rest = varying.iter().copied().filter(|&a| Some(a) != x);
        let (mut panel_axes, mut line_axes): (Vec<usize>, Vec<usize>) =
            rest.partition(|&a| axes[a].name == "law");
        // What the panel or the abscissa already decides needs no line of its own. Recipe and
        // tuning always have theirs: they are what is compared.
        let compared = named(&axes, &["recipe", "tuning"]);
        let settled = |a, by: &[usize]| !compared.contains(&a) && follows(&axes, a, by);
        let law = panel_axes.clone();
        panel_axes.extend(line_axes.extract_if(.., |&mut a| settled(a, &law)));
        let known: Vec<usize> = panel_axes.iter().copied().chain(x).collect();
        let with_x = line_axes
            .extract_if(.., |&mut a| x.is_some() && settled(a, &known))
            .collect();
        while most_lines(&axes, &panel_axes, &line_axes, points.len()) > MAX_LINES {
            let Some(a) = next_panel_axis(&axes, &line_axes) else {
                break;
            };
            line_axes.retain(|&l| l != a);
            panel_axes.push(a);
        }
        let names: Vec<String> = (0..points.len())
            .map(|p| series_name(&axes, &line_axes, p))
            .collect();
        let labels = distinct(names.iter().cloned());
        let style: Vec<usize> = names
            .iter()
            .map(|n| labels.iter().position(|l| l == n).unwrap_or(0))
            .collect();
        let titles: Vec<String> = (0..points.len())
            .map(|p| phrases(&axes, panel_axes.iter(), p))
            .collect();
        let panels = distinct(titles.iter().cloned())
            .into_iter()
            .map(|title| {
                let inside: Vec<usize> =
                    (0..points.len()).filter(|&p| titles[p] == title).collect();
                let series = (0..labels.len())
                    .map(|s| {
                        let mut own: Vec<usize> =
                            inside.iter().copied().filter(|&p| style[p] == s).collect();
                        if let Some(x) = x {
                            let at = |p: usize| axes[x].number(p).unwrap_or(f64::NAN);
                            own.sort_by(|&a, &b| at(a).total_cmp(&at(b)));
                        }
                        Series {
                            label: labels[s].clone(),
                            style: s,
                            points: own,
                        }
                    })
                    .filter(|s| !s.points.is_empty())
                    .collect();
                let xs = inside.iter().filter_map(|&p| axes[x?].number(p));
                let (lo, hi) = (
                    xs.clone().fold(f64::NAN, f64::min),
                    xs.fold(f64::NAN, f64::max),
                );
                Panel {
                    title,
                    x: (lo, hi),
                    series,
                }
            })
            .collect();
        Layout {
            axes,
            varying,
            x,
            panels,
            labels,
            style,
            with_x,
            panel_axes,
        }
    }

    /// The varying axes that tell the points of one panel apart.
    pub fn inner_axes(&self) -> Vec<usize> {
        let inner = |a: &usize| !self.panel_axes.contains(a);
        self.varying.iter().copied().filter(inner).collect()
    }

    /// The point's abscissa.
    pub fn x_of(&self, point: usize) -> f64 {
        self.x
            .and_then(|x| self.axes[x].number(point))
            .unwrap_or(f64::NAN)
    }

    /// Name of the point's series.
    pub fn series_label(&self, point: usize) -> &str {
        &self.labels[self.style[point]]
    }

    /// What tells the point from others of its series: its panel and its abscissa.
    pub fn detail(&self, point: usize) -> String {
        let inside = |p: &&Panel| p.series.iter().any(|s| s.points.contains(&point));
        let panel = self.panels.iter().find(inside);
        join([
            panel.map_or(String::new(), |p| p.title.clone()),
            self.abscissa_phrase(point),
        ])
    }

    /// What tells the point from others of its series in the same panel.
    pub fn abscissa_phrase(&self, point: usize) -> String {
        phrases(&self.axes, self.x.iter().chain(&self.with_x), point)
    }

    /// The point's name on one line.
    pub fn name(&self, point: usize) -> String {
        join([self.series_label(point).to_string(), self.detail(point)])
    }

    /// The sigmas that all points share, as one phrase.
    pub fn constant_sigmas(&self) -> Option<String> {
        let sigma = |a: &usize| self.axes[*a].name.starts_with("sigma_");
        let shared: Vec<usize> = (0..self.axes.len())
            .filter(|a| sigma(a) && !self.varying.contains(a))
            .collect();
        let some = !shared.is_empty() && !self.style.is_empty();
        some.then(|| phrases(&self.axes, shared.iter(), 0))
    }

    /// The points in levels: first those of the largest abscissa of each panel, then those of the
    /// second largest, and so on. By rank, because the laws' sigmas are of different magnitudes.
    pub fn levels(&self) -> Vec<Vec<usize>> {
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for panel in &self.panels {
            let points = || panel.series.iter().flat_map(|s| &s.points).copied();
            let mut xs: Vec<f64> = points().map(|p| self.x_of(p)).collect();
            xs.sort_by(|a, b| b.total_cmp(a));
            xs.dedup_by(|a, b| a.total_cmp(b).is_eq());
            for (rank, x) in xs.iter().enumerate() {
                if levels.len() == rank {
                    levels.push(Vec::new());
                }
                levels[rank].extend(points().filter(|&p| self.x_of(p).total_cmp(x).is_eq()));
            }
        }
        for level in &mut levels {
            level.sort_unstable();
        }
        levels
    }

    /// The last point of each of a panel's series: that of the largest abscissa; without abscissa
    /// all of them.
    pub fn hardest(&self, panel: &Panel) -> Vec<usize> {
        let points = panel.series.iter().flat_map(|s| &s.points).copied();
        if self.x.is_none() {
            return points.collect();
        }
        let last = points
            .clone()
            .map(|p| self.x_of(p))
            .fold(f64::NAN, f64::max);
        points.filter(|&p| self.x_of(p) == last).collect()
    }

    /// The settings all points share: name and value.
    pub fn constants(&self) -> Vec<(String, String)> {
        let constant = |a: &usize| self.axes[*a].n_distinct() == 1;
        (0..self.axes.len())
            .filter(constant)
            .filter(|&a| !self.axes[a].values.is_empty())
            .map(|a| (self.axes[a].head(), self.axes[a].value(0)))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// At most `most` points that stand for all: whole levels, first that of the largest abscissa,
    /// then that of the smallest, then those between; in the order of the sweep.
    pub fn representatives(&self, points: usize, most: usize) -> Vec<usize> {
        if points <= most {
            return (0..points).collect();
        }
        let mut levels = self.levels();
        if levels.len() > 2 {
            let last = levels.pop().unwrap_or_default();
            levels.insert(1, last);
        }
        let mut chosen: Vec<usize> = Vec::new();
        for level in levels {
            let room = most - chosen.len();
            if level.len() > room && !chosen.is_empty() {
                break;
            }
            chosen.extend(level.into_iter().take(room));
        }
        chosen.sort_unstable();
        chosen
    }
}

/// All axes in the order in which a reader wants them.
fn axes(points: &[PointSummary]) -> Vec<Axis> {
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

/// The varying numeric axis with the most values; the earlier one when two have as many.
fn abscissa(axes: &[Axis], varying: &[usize]) -> Option<usize> {
    // Sigmas first: they are what a sweep is about.
    let rank = |a: usize| match axes[a].name.as_str() {
        "sigma_w" => 2,
        "sigma_b" => 1,
        _ => 0,
    };
    let names = named(axes, &["recipe", "tuning", "law"]);
    varying
        .iter()
        .copied()
        .filter(|&a| axes[a].is_abscissa() && !follows(axes, a, &names))
        .max_by_key(|&a| (axes[a].n_distinct(), rank(a), usize::MAX - a))
}

/// Indices of the axes with these names.
fn named(axes: &[Axis], names: &[&str]) -> Vec<usize> {
    (0..axes.len())
        .filter(|&a| names.contains(&axes[a].name.as_str()))
        .collect()
}

/// Whether the value of axis `a` follows from those of the axes `given`, such as the 32 bits of
/// float from the recipe, or the test cells from the one tuned variant.
fn follows(axes: &[Axis], a: usize, given: &[usize]) -> bool {
    let points = axes[a].values.len();
    let keys = |p: usize| keys(axes, given, p);
    let pairs = distinct((0..points).map(|p| (keys(p), key(&axes[a].values[p]))));
    pairs.len() == distinct((0..points).map(keys)).len()
}

/// The values of the axes `on` as one key.
fn keys(axes: &[Axis], on: &[usize], point: usize) -> Vec<String> {
    on.iter().map(|&a| key(&axes[a].values[point])).collect()
}

/// The line axis that becomes a panel axis next: settings of the chip before settings of the
/// network; recipe and tuning stay, they are what a plot compares.
fn next_panel_axis(axes: &[Axis], line_axes: &[usize]) -> Option<usize> {
    let rank = |a: usize| match axes[a].name.as_str() {
        "recipe" | "tuning" | "test_cells" => None,
        "sigma_w" | "sigma_b" => Some(0),
        "mapping" | "distribution" => Some(1),
        "weight_bits" | "activation_bits" => Some(2),
        "train_variation" => Some(4),
        _ => Some(3),
    };
    line_axes
        .iter()
        .copied()
        .filter(|&a| rank(a).is_some())
        .min_by_key(|&a| rank(a))
}

/// Largest number of lines in one panel.
fn most_lines(axes: &[Axis], panel: &[usize], line: &[usize], points: usize) -> usize {
    let pairs = distinct((0..points).map(|p| (keys(axes, panel, p), keys(axes, line, p))));
    let panels = distinct(pairs.iter().map(|(panel, _)| panel.clone()));
    panels
        .iter()
        .map(|k| pairs.iter().filter(|(panel, _)| panel == k).count())
        .max()
        .unwrap_or(0)
}

/// Name of a point's series: `QAVAT + self-tuning, N = 256`. Axes that tell no further points
/// apart once the names are known are left out.
fn series_name(axes: &[Axis], line_axes: &[usize], point: usize) -> String {
    let names = named(axes, &["recipe", "tuning"]);
    let mut head: Vec<String> = Vec::new();
    let mut tail: Vec<String> = Vec::new();
    for &a in line_axes {
        match axes[a].name.as_str() {
            "recipe" => head.push(axes[a].phrase(point)),
            // "QAVAT" alone says that it is not tuned.
            "tuning" if axes[a].values[point] == "none" && !head.is_empty() => {}
            "tuning" => head.push(axes[a].phrase(point)),
            _ if follows(axes, a, &names) => {}
            _ => tail.push(axes[a].phrase(point)),
        }
    }
    let name = join([head.join(" + "), join(tail)]);
    if name.is_empty() {
        "accuracy".into()
    } else {
        name
    }
}

/// The values of some axes as one line of text.
fn phrases<'a>(axes: &[Axis], on: impl Iterator<Item = &'a usize>, point: usize) -> String {
    join(on.map(|&a| axes[a].phrase(point)))
}

/// Non-empty parts with commas between.
fn join(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join(", ")
}

/// A value as a key: equal numbers are equal whatever their type.
fn key(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| value.to_string(), |x| x.to_string())
}

/// Distinct items in the order of their first appearance.
fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen: Vec<T> = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}
