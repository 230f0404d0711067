//! Columns that only some experiments have: metrics that `sweep.metrics` asks for, energies with a section `[energy]`.
//!
//! Every chip has the columns of [`ChipRow::FIELDS`]. What else is measured is declared in [`all`] and kept
//! in [`ChipRow::values`] by name. The journal, `chips.csv`, `chips.parquet`, the statistics of a point, tables,
//! comparisons and docs/columns.md know these columns from the declaration alone.

use std::sync::LazyLock;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::cost::COSTS;
use super::result::{ChipRow, EpochRecord};
use super::slices;
use crate::choice::Choice;
use crate::column::{Better, Column, Kind, MARKDOWN_HEAD};
use crate::config::Experiment;
use crate::program::Metric;

/// Every column that an experiment may have besides [`ChipRow::FIELDS`], in the order of files and tables.
pub fn all() -> &'static [Column] {
    static ALL: LazyLock<Vec<Column>> = LazyLock::new(|| {
        let metrics = Metric::ALL.iter().map(|&metric| Column {
            name: metric.as_str(),
            title: metric.title(),
            unit: "",
            about: metric.about(),
            kind: Kind::Optional,
            better: Some(metric.better()),
        });
        metrics.chain(energies()).collect()
    });
    &ALL
}

/// Names of the columns that a section `[energy]` adds.
pub(super) const ENERGY: [&str; 3] = ["energy_array_pj", "energy_low_pj", "energy_high_pj"];

/// The columns of [`ENERGY`].
fn energies() -> impl Iterator<Item = Column> {
    let about = [
        "Energy of the chip's arrays for an image, from its conductances and the drives of its images (docs/energy.md). On ideal \
         wires: with wires that resist, an upper bound. Without reference columns.",
        "Energy of the chip for an image: its arrays, and the other parts by the model of converters that gives the least.",
        "The same by the model that gives the most.",
    ];
    let titles = [
        "energy of the arrays for an image",
        "energy for an image, lower end",
        "energy for an image, upper end",
    ];
    let declared = ENERGY.into_iter().zip(titles).zip(about);
    declared.map(|((name, title), about)| Column {
        name,
        title,
        unit: "pJ",
        about,
        kind: Kind::Optional,
        better: Some(Better::Lower),
    })
}

/// The column of a name.
pub fn find(name: &str) -> Option<&'static Column> {
    all().iter().find(|column| column.name == name)
}

/// The metrics that an experiment asks for, in the order of their columns.
pub fn metrics(experiment: &Experiment) -> Vec<Metric> {
    let is_asked = |metric: &Metric| experiment.sweep.metrics.contains(metric);
    Metric::ALL.iter().copied().filter(is_asked).collect()
}

/// The columns of [`metrics`], in order.
pub fn of_metrics(experiment: &Experiment) -> Vec<&'static Column> {
    named(metrics(experiment).iter().map(|metric| metric.as_str()))
}

/// The columns that the chips of an experiment have besides [`ChipRow::FIELDS`], in order.
pub fn of(experiment: &Experiment) -> Vec<&'static Column> {
    let mut columns = of_metrics(experiment);
    if experiment.energy.is_some() {
        columns.extend(named(ENERGY));
    }
    columns
}

/// The columns with any of these names, in order.
pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'static Column> {
    let names: Vec<&str> = names.into_iter().collect();
    let is_named = |column: &&Column| names.contains(&column.name);
    all().iter().filter(is_named).collect()
}

/// Values of a chip by column. A value that does not exist is not in it.
#[derive(Clone, PartialEq, Default)]
pub struct Values(Vec<(&'static Column, f64)>);

impl Values {
    /// Adds the value of a column that has none so far; `NaN` is no value.
    pub fn push(&mut self, column: &'static Column, value: f64) {
        if !value.is_nan() {
            self.0.push((column, value));
        }
    }

    /// The value of the column of that name, if the chip has one.
    pub fn get(&self, name: &str) -> Option<f64> {
        let found = self.0.iter().find(|(column, _)| column.name == name);
        found.map(|&(_, value)| value)
    }

    /// All values with their columns.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Column, f64)> + '_ {
        self.0.iter().copied()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.iter().map(|(column, value)| (column.name, value));
        f.debug_map().entries(entries).finish()
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (column, value) in self.iter() {
            map.serialize_entry(column.name, &value)?;
        }
        map.end()
    }
}

const HEAD: &str = "\
# Reference of result columns

Every column of `chips.csv` and `chips.parquet`, from the declarations in the sources; each row is one chip at one \
point. A number that does not exist is an empty field (null in Parquet). \"Better\" says which values are good: \
worst chips and comparisons follow it. The fields that a sweep varies stand after `point` and `chip`, one \
column each, named by their paths in the experiment file, such as `variation.sigma_w`; where a point's design \
does not have the axis, its value is that of the experiment. `summary.json` has the same values in `settings`.

## Every experiment

";

const SOME: &str = "
## Experiments that ask for them

`sweep.metrics` asks for metrics, a section `[energy]` for energies. These columns come last in `chips.csv`, in this order. `summary.json` has \
their statistics over the chips of each point in `columns` ([statistics.md](statistics.md#7-other-columns)), \
a key that runs without such columns do not have.

";

const POINTS: &str = "
## Costs of a point

`costs` of every point in `summary.json`: the same for all of its chips. The report sets them against accuracy.

";

const EPOCHS: &str = "
## Epochs of a training

`trainings` in `summary.json`, drawn in the report. Where images are held out there is `validation` too.

";

const SLICES: &str = "
## Digits and column sums

`pimento slices --json` ([slices.md](slices.md)) prints one document with lists of rows; they have these columns, and words \
beside them: `name` of a layer, `plane`, `converters`. `sums` and `currents` say how many test images were looked at, `total` \
adds up all layers, `digital_layers` lists what is on no arrays. A number that does not exist is `null`.
";

/// The text of docs/columns.md.
pub fn markdown() -> String {
    let mut text = HEAD.to_string() + MARKDOWN_HEAD;
    for field in ChipRow::FIELDS {
        text += &field.column.markdown();
    }
    text += SOME;
    text += MARKDOWN_HEAD;
    for column in all() {
        text += &column.markdown();
    }
    text += POINTS;
    text += MARKDOWN_HEAD;
    for column in &COSTS {
        text += &column.markdown();
    }
    text += EPOCHS;
    text += MARKDOWN_HEAD;
    for field in EpochRecord::FIELDS {
        text += &field.column.markdown();
    }
    text + SLICES + &slices::markdown()
}
