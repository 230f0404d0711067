//! From an experiment to the points of its sweep.

use super::Experiment;
use super::sweep::{Axis, AxisValue, Grid};
use super::train::{Recipe, TrainVariation};

/// One point of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Position in the sweep, from 0.
    pub index: usize,
    /// What the grid set at this point, in the order of the file.
    pub axes: Vec<(Axis, AxisValue)>,
    /// The experiment with these values in place and no grid of its own.
    pub experiment: Experiment,
}

impl Point {
    /// `recipe = qat, sigma_w = 0.2`; empty where there is no grid.
    pub fn label(&self) -> String {
        let parts = self.axes.iter().map(|(axis, v)| format!("{axis} = {v}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl Experiment {
    /// All points of the sweep: the grids one after another, in each the last axis fastest.
    pub fn points(&self) -> Vec<Point> {
        let mut base = self.clone();
        let grids = std::mem::take(&mut base.sweep.grid);
        let one = [Grid::default()];
        let grids = if grids.is_empty() { &one[..] } else { &grids };
        let combinations = grids
            .iter()
            .flat_map(|grid| (0..grid.n_points()).map(move |i| (grid, i)));
        let points = combinations.enumerate().map(|(index, (grid, i))| {
            let mut experiment = base.clone();
            let mut axes = Vec::with_capacity(grid.axes.len());
            let mut rest = i;
            for (axis, values) in grid.axes.iter().rev() {
                axes.push((*axis, values[rest % values.len()].clone()));
                rest /= values.len();
            }
            axes.reverse();
            for (axis, value) in &axes {
                axis.apply(value, &mut experiment);
            }
            Point {
                index,
                axes,
                experiment,
            }
        });
        points.collect()
    }

    /// sigma_W of the training noise.
    pub fn training_sigma_w(&self) -> f64 {
        self.train.sigma_w.unwrap_or(self.variation.sigma_w)
    }

    /// sigma_B of the training noise: 0 when training sees eps_W only.
    pub fn training_sigma_b(&self) -> f64 {
        match self.train.variation {
            TrainVariation::Within => 0.0,
            TrainVariation::Both => self.variation.sigma_b,
        }
    }

    /// Seed of initialisation, shuffling and training chips.
    pub fn training_seed(&self) -> u64 {
        self.train.seed.unwrap_or(self.seed)
    }

    /// A copy in which everything that does not influence training has its default, and what
    /// training derives from the rest of the file is written out. Points with equal values share
    /// one trained network; its JSON is the training part of a checkpoint's provenance.
    pub fn training(&self) -> Experiment {
        let mut e = Experiment {
            seed: self.training_seed(),
            data: self.data.clone(),
            network: self.network.clone(),
            train: self.train.clone(),
            ..Experiment::default()
        };
        e.data.test_limit = 0;
        // Its digest says which file; where it lies does not matter.
        e.network.file = None;
        e.data.cache = true;
        e.train.seed = None;
        e.train.sigma_w = None;
        e.train.variation = TrainVariation::Within;
        if self.train.recipe != Recipe::Float {
            e.quantize = self.quantize.clone();
        }
        if self.train.recipe.sees_variation() {
            e.variation = super::Variation {
                sigma_w: self.training_sigma_w(),
                sigma_b: self.training_sigma_b(),
                sigma_layer: 0.0,
                sigma_array: 0.0,
                wafer: None,
                ..self.variation.clone()
            };
        } else {
            e.train.chips_per_batch = 1;
        }
        e
    }

    /// Number of different networks the sweep trains.
    pub fn n_trainings(&self) -> usize {
        let mut trainings: Vec<Experiment> = Vec::new();
        for point in self.points() {
            let training = point.experiment.training();
            if !trainings.contains(&training) {
                trainings.push(training);
            }
        }
        trainings.len()
    }
}
