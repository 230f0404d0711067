//! How many chips, and over what.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::Experiment;
use super::choice::{Choice, choices};
use super::network::WIDTH;
use super::quantize::BITS;
use super::reader::{self, Entries, Section};
use super::train::{Recipe, SEED, TrainVariation};
use super::tuning::{Estimator, REFERENCE_COLUMNS, TEST_CELLS, TuningMethod};
use super::variation::{Distribution, Law, Mapping, SIGMA};

choices! {
    /// What a sweep can vary. The name is the key in `[[sweep.grid]]`.
    pub enum Axis {
        /// `train.recipe`.
        Recipe = "recipe",
        /// `variation.law`.
        Law = "law",
        /// `variation.mapping`.
        Mapping = "mapping",
        /// `variation.distribution`.
        Distribution = "distribution",
        /// `variation.sigma_w`.
        SigmaW = "sigma_w",
        /// `variation.sigma_b`.
        SigmaB = "sigma_b",
        /// `quantize.weight_bits`.
        WeightBits = "weight_bits",
        /// `quantize.activation_bits`.
        ActivationBits = "activation_bits",
        /// `tuning.method`.
        Tuning = "tuning",
        /// `tuning.test_cells`.
        TestCells = "test_cells",
        /// `tuning.estimator`.
        Estimator = "estimator",
        /// `tuning.reference_columns`.
        ReferenceColumns = "reference_columns",
        /// `train.variation`.
        TrainVariation = "train_variation",
        /// `train.seed`.
        TrainSeed = "train_seed",
        /// `train.epochs`.
        Epochs = "epochs",
        /// `network.width`.
        NetworkWidth = "network_width",
        /// `train.sigma_w`.
        TrainSigmaW = "train_sigma_w",
    }
}

/// Value of an axis at a point.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum AxisValue {
    /// A name.
    Text(&'static str),
    /// A count, bits or a seed.
    Integer(u64),
    /// A number.
    Real(f64),
}

impl std::fmt::Display for AxisValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AxisValue::Text(s) => f.pad(s),
            AxisValue::Integer(i) => f.pad(&i.to_string()),
            AxisValue::Real(x) => f.pad(&x.to_string()),
        }
    }
}

impl Axis {
    /// The field it overrides.
    pub fn path(self) -> &'static str {
        match self {
            Axis::Recipe => "train.recipe",
            Axis::Law => "variation.law",
            Axis::Mapping => "variation.mapping",
            Axis::Distribution => "variation.distribution",
            Axis::SigmaW => "variation.sigma_w",
            Axis::SigmaB => "variation.sigma_b",
            Axis::WeightBits => "quantize.weight_bits",
            Axis::ActivationBits => "quantize.activation_bits",
            Axis::Tuning => "tuning.method",
            Axis::TestCells => "tuning.test_cells",
            Axis::Estimator => "tuning.estimator",
            Axis::ReferenceColumns => "tuning.reference_columns",
            Axis::TrainVariation => "train.variation",
            Axis::TrainSeed => "train.seed",
            Axis::Epochs => "train.epochs",
            Axis::NetworkWidth => "network.width",
            Axis::TrainSigmaW => "train.sigma_w",
        }
    }

    /// Reads one value, with the limits of the field it overrides.
    fn read(self, v: &DeValue) -> Result<AxisValue, String> {
        fn name<T: Choice>(v: &DeValue) -> Result<AxisValue, String> {
            reader::choice::<T>(v).map(|c| AxisValue::Text(c.name()))
        }
        let integer =
            |range: RangeInclusive<u64>| reader::integer(v, &range).map(AxisValue::Integer);
        let real = |range: &RangeInclusive<f64>| reader::real(v, range).map(AxisValue::Real);
        match self {
            Axis::Recipe => name::<Recipe>(v),
            Axis::Law => name::<Law>(v),
            Axis::Mapping => name::<Mapping>(v),
            Axis::Distribution => name::<Distribution>(v),
            Axis::Tuning => name::<TuningMethod>(v),
            Axis::Estimator => name::<Estimator>(v),
            Axis::TrainVariation => name::<TrainVariation>(v),
            Axis::SigmaW | Axis::SigmaB | Axis::TrainSigmaW => real(&SIGMA),
            Axis::NetworkWidth => real(&WIDTH),
            Axis::WeightBits | Axis::ActivationBits => integer(0..=BITS.into()),
            Axis::TestCells => integer(*TEST_CELLS.start() as u64..=*TEST_CELLS.end() as u64),
            Axis::ReferenceColumns => {
                integer((*REFERENCE_COLUMNS.start()).into()..=(*REFERENCE_COLUMNS.end()).into())
            }
            Axis::TrainSeed => integer(SEED),
            Axis::Epochs => integer(1..=100_000),
        }
    }

    /// Overrides the field of an experiment.
    pub(super) fn apply(self, value: &AxisValue, e: &mut Experiment) {
        fn set<T: Choice>(field: &mut T, value: &AxisValue) {
            if let AxisValue::Text(name) = value {
                // `read` made the name from a value of this type.
                *field = T::from_name(name).unwrap_or(*field);
            }
        }
        let integer = match value {
            AxisValue::Integer(i) => *i,
            _ => 0,
        };
        let real = match value {
            AxisValue::Real(x) => *x,
            _ => 0.0,
        };
        match self {
            Axis::Recipe => set(&mut e.train.recipe, value),
            Axis::Law => set(&mut e.variation.law, value),
            Axis::Mapping => set(&mut e.variation.mapping, value),
            Axis::Distribution => set(&mut e.variation.distribution, value),
            Axis::Tuning => set(&mut e.tuning.method, value),
            Axis::Estimator => set(&mut e.tuning.estimator, value),
            Axis::TrainVariation => set(&mut e.train.variation, value),
            Axis::SigmaW => e.variation.sigma_w = real,
            Axis::SigmaB => e.variation.sigma_b = real,
            Axis::TrainSigmaW => e.train.sigma_w = Some(real),
            Axis::NetworkWidth => e.network.width = real,
            Axis::WeightBits => e.quantize.weight_bits = integer as u32,
            Axis::ActivationBits => e.quantize.activation_bits = integer as u32,
            Axis::TestCells => e.tuning.test_cells = integer as usize,
            Axis::ReferenceColumns => e.tuning.reference_columns = integer as u32,
            Axis::TrainSeed => e.train.seed = Some(integer),
            Axis::Epochs => e.train.epochs = integer as usize,
        }
    }
}

/// One `[[sweep.grid]]` table: every combination of its axes' values, the last axis fastest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grid {
    /// Axes in the order of the file, each with at least one value.
    pub axes: Vec<(Axis, Vec<AxisValue>)>,
}

impl serde::Serialize for Grid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(
            self.axes
                .iter()
                .map(|(axis, values)| (axis.as_str(), values)),
        )
    }
}

impl Grid {
    /// Number of combinations.
    pub fn n_points(&self) -> usize {
        let counts = self.axes.iter().map(|(_, values)| values.len());
        counts.fold(1, usize::saturating_mul)
    }

    fn read(table: &Entries, s: &Section) -> Self {
        let reader = s.reader();
        let names: Vec<&str> = Axis::ALL.iter().map(|a| a.as_str()).collect();
        let mut axes = Vec::new();
        for (key, value) in &table.entries {
            let path = format!("{}.{key}", table.path);
            let line = reader.line_of(&path);
            let Some(axis) = Axis::from_name(key) else {
                reader.error(line, reader::unknown("axis", &path, key, &names));
                continue;
            };
            let scalar = std::slice::from_ref(*value);
            let list = value.get_ref().as_array().map_or(scalar, |a| a);
            if list.is_empty() {
                reader.error(
                    line,
                    format!(
                        "field `{path}`: an empty list has no points; allowed: one value or more"
                    ),
                );
            }
            let mut values = Vec::new();
            for item in list {
                let line = reader.line_at(item.span().start);
                match axis.read(item.get_ref()) {
                    Ok(v) if values.contains(&v) => {
                        reader.error(line, format!("field `{path}`: value {v} is there twice"));
                    }
                    Ok(v) => values.push(v),
                    Err(m) => reader.error(line, format!("field `{path}`: {m}")),
                }
            }
            if !values.is_empty() {
                axes.push((axis, values));
            }
        }
        Grid { axes }
    }
}

/// Section `[sweep]`: every point of the grids is one experiment on the same chips.
///
/// Chip `k` is the same chip at every point, as far as the point's sigmas let it: differences
/// between points are paired.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Sweep {
    /// Chips per point.
    pub chips: usize,
    /// Test images per chip, from the first; 0 for all.
    pub images: usize,
    /// A chip yields when its accuracy (a fraction) is at least this.
    pub yield_limit: f64,
    /// The union of these grids; none: one point.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<Grid>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            chips: 100,
            images: 0,
            yield_limit: 0.8,
            grid: Vec::new(),
        }
    }
}

/// Most chips of a point; a chip's index is a 32-bit word of the generator's counter, and its
/// result is kept in memory.
pub const MAX_CHIPS: usize = 10_000_000;

/// Most points of a sweep.
pub const MAX_POINTS: usize = 10_000;

impl Sweep {
    /// Number of points.
    pub fn n_points(&self) -> usize {
        let grids = self.grid.iter().map(Grid::n_points);
        match self.grid.is_empty() {
            true => 1,
            false => grids.fold(0, usize::saturating_add),
        }
    }

    pub(super) fn read(mut s: Section) -> Self {
        let d = Self::default();
        let sweep = Self {
            chips: s.count("chips", d.chips, 1..=MAX_CHIPS),
            images: s.count("images", d.images, 0..=100_000_000),
            yield_limit: s.real("yield_limit", d.yield_limit, 0.0..=1.0),
            grid: {
                let tables = s.tables("grid");
                tables.iter().map(|t| Grid::read(t, &s)).collect()
            },
        };
        if sweep.n_points() > MAX_POINTS {
            let n = sweep.n_points();
            s.refuse(
                "grid",
                format!("{n} points are not allowed; allowed: 1 to {MAX_POINTS}"),
            );
        }
        s.finish();
        sweep
    }
}
