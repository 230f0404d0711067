//! Which axes of a sweep vary, what each point is called, and how points make up the lines and
//! panels of a plot. Tables and plots share the answers, so a point has one name everywhere.

mod axis;

use super::combine::AXIS;
use crate::config::field_path;
use crate::sweep::result::PointSummary;
use axis::{axes, distinct, follows, join, keys, named, phrases};

pub(super) use axis::{Axis, value_name};

/// Most lines in one panel; with more, another axis becomes a panel axis.
const MAX_LINES: usize = 6;

/// Name of a series that no axis tells from others: what the plots show.
pub(super) const UNNAMED: &str = "accuracy";

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

/// Which axis a user wants where.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// The abscissa, by its index among the axes.
    pub x: Option<usize>,
    /// Axes with a panel for every value.
    pub panels: Vec<usize>,
}

impl Layout {
    /// Arranges the points.
    pub fn new(points: &[PointSummary]) -> Layout {
        Layout::with(points, &Wishes::default())
    }

    /// Arranges the points as a user wishes.
    pub fn with(points: &[PointSummary], wishes: &Wishes) -> Layout {
        let axes = axes(points);
        let varying = varying(&axes);
        let x = wishes.x.or_else(|| abscissa(&axes, &varying));
        let roles = Roles::new(&axes, &varying, x, wishes, points.len());
        let names: Vec<String> = (0..points.len())
            .map(|p| series_name(&axes, &roles.line, p))
            .collect();
        let labels = distinct(names.iter().cloned());
        let style = names.iter().map(|n| labels.iter().position(|l| l == n));
        let style = style.map(|s| s.unwrap_or(0)).collect();
        let mut layout = Layout {
            axes,
            varying,
            x,
            panels: vec![],
            labels,
            style,
            with_x: roles.with_x,
            panel_axes: roles.panel,
        };
        layout.panels = layout.panels_of(points.len());
        layout
    }

    /// The panels: one for every combination of values of the panel axes.
    fn panels_of(&self, points: usize) -> Vec<Panel> {
        let titles: Vec<String> = (0..points)
            .map(|p| phrases(&self.axes, self.panel_axes.iter(), p))
            .collect();
        let panel = |title: String| {
            let inside: Vec<usize> = (0..points).filter(|&p| titles[p] == title).collect();
            let xs = inside.iter().filter_map(|&p| self.axes[self.x?].number(p));
            let x = (
                xs.clone().fold(f64::NAN, f64::min),
                xs.fold(f64::NAN, f64::max),
            );
            let series = (0..self.labels.len()).map(|style| self.series(style, &inside));
            Panel {
                title,
                x,
                series: series.filter(|s| !s.points.is_empty()).collect(),
            }
        };
        let titles = distinct(titles.iter().cloned());
        titles.into_iter().map(panel).collect()
    }

    /// A series with its points of a panel.
    fn series(&self, style: usize, panel: &[usize]) -> Series {
        let own = panel.iter().copied().filter(|&p| self.style[p] == style);
        let mut points: Vec<usize> = own.collect();
        if self.x.is_some() {
            points.sort_by(|&a, &b| self.x_of(a).total_cmp(&self.x_of(b)));
        }
        Series {
            label: self.labels[style].clone(),
            style,
            points,
        }
    }

    /// The varying axis of a name: as in `summary.json`, short, or the path of a field.
    pub fn axis_named(&self, name: &str) -> Option<usize> {
        let path = field_path(name);
        let mut varying = self.varying.iter().copied();
        varying.find(|&a| field_path(&self.axes[a].name) == path)
    }

    /// What some axes say of a point, as one line.
    pub fn phrase_of(&self, on: &[usize], point: usize) -> String {
        phrases(&self.axes, on.iter(), point)
    }

    /// Varying axes whose values do not follow from those of the axes `given`.
    pub fn beside(&self, given: &[usize]) -> Vec<usize> {
        let mut others: Vec<usize> = Vec::new();
        for &a in self.varying.iter().filter(|a| !given.contains(a)) {
            let known: Vec<usize> = given.iter().chain(&others).copied().collect();
            if !follows(&self.axes, a, &known) {
                others.push(a);
            }
        }
        others
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

    /// The point's name on one line, without [`UNNAMED`]; empty where nothing tells points apart.
    pub fn settings(&self, point: usize) -> String {
        match self.series_label(point) {
            UNNAMED => self.detail(point),
            _ => self.name(point),
        }
    }

    /// What all varying axes but one say of a point.
    pub fn settings_without(&self, point: usize, name: &str) -> String {
        let others = self.varying.iter().filter(|&&a| self.axes[a].name != name);
        phrases(&self.axes, others, point)
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
            .map(|a| (self.axes[a].heading(), self.axes[a].value(0)))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// About `most` points that stand for all, more only where one level has more: whole levels, first that of the largest abscissa,
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
            // A level is shown whole or not at all.
            if chosen.len() + level.len() > most && !chosen.is_empty() {
                break;
            }
            chosen.extend(level);
        }
        chosen.sort_unstable();
        chosen
    }
}

/// What tells apart the points of which part of a plot: axes by their indices.
struct Roles {
    /// Panels.
    panel: Vec<usize>,
    /// Lines of a panel.
    line: Vec<usize>,
    /// Points of a line, together with the abscissa.
    with_x: Vec<usize>,
}

impl Roles {
    /// Distributes the varying axes but the abscissa `x`.
    fn new(
        axes: &[Axis],
        varying: &[usize],
        x: Option<usize>,
        wishes: &Wishes,
        points: usize,
    ) -> Roles {
        let rest = varying.iter().copied().filter(|&a| Some(a) != x);
        let (mut panel, mut line): (Vec<usize>, Vec<usize>) =
            rest.partition(|a| axes[*a].name == "law" || wishes.panels.contains(a));
        // What the panel or the abscissa already decides needs no line of its own. Recipe and
        // tuning always have theirs: they are what is compared.
        let compared = named(axes, &["recipe", "tuning"]);
        let settled = |a, by: &[usize]| !compared.contains(&a) && follows(axes, a, by);
        let law = panel.clone();
        panel.extend(line.extract_if(.., |&mut a| settled(a, &law)));
        let known: Vec<usize> = panel.iter().copied().chain(x).collect();
        let with_x = line
            .extract_if(.., |&mut a| x.is_some() && settled(a, &known))
            .collect();
        while most_lines(axes, &panel, &line, points) > MAX_LINES {
            let Some(a) = next_panel_axis(axes, &line) else {
                break;
            };
            line.retain(|&l| l != a);
            panel.push(a);
        }
        Roles {
            panel,
            line,
            with_x,
        }
    }
}

/// The axes with more than one value.
fn varying(axes: &[Axis]) -> Vec<usize> {
    let several = (0..axes.len()).filter(|&a| axes[a].n_distinct() > 1);
    let mut varying: Vec<usize> = several.collect();
    // Where every run has one seed of its trainings, the run says it all.
    let runs = named(axes, &[AXIS]);
    let seeds = named(axes, &["train_seed"]);
    varying.retain(|a| !seeds.contains(a) || runs.is_empty() || !follows(axes, *a, &runs));
    varying
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
        UNNAMED.into()
    } else {
        name
    }
}
