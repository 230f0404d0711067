//! What a chip does about its own deviation.

use super::section::section;
use crate::choice::choices;

choices! {
    /// Correction applied on every chip before it is used.
    pub enum TuningMethod {
        /// None.
        None = "none",
        /// Estimate eps_B from [`Tuning::test_cells`] and correct every layer digitally.
        SelfTuning = "self-tuning",
        /// Subtract the mean of [`Tuning::reference_columns`] columns per array (layer at weight level) that
        /// hold the weight 0. It needs no estimate. Such columns show what is added to every weight, not what
        /// multiplies it: a gain, which is what the weight-proportional law makes of a common deviation, stays.
        ReferenceColumns = "reference-columns",
        /// Read [`Tuning::reference_columns`] columns per array (layer at weight level) at a known level
        /// ([`Tuning::level`]) once, all rows driven alike, and correct the array by what they
        /// show. Under either law: the mean of `K` columns of `R` rows shows the array's common deviation
        /// with the variance `sigma_w^2/(R K)`, whatever [`Tuning::scope`] says.
        LevelColumns = "level-columns",
        /// Corrections from the true deviations of all arrays: no gain and offset of an array leave less of
        /// what is common to its cells.
        Oracle = "oracle",
        /// Collect the batch norm statistics anew on every chip, from training images.
        BnRecalibration = "bn-recalibration",
        /// Train gain and offset of every batch norm on every chip by stochastic gradient descent on labelled
        /// training images, its weights as they are, then collect the statistics anew. On the images of
        /// [`Tuning::recalibration_batches`], batch after batch, again and again.
        BnTraining = "bn-training",
    }
}

impl TuningMethod {
    /// Whether batch norm of every chip is its own.
    pub fn adapts_norms(self) -> bool {
        match self {
            TuningMethod::BnRecalibration | TuningMethod::BnTraining => true,
            TuningMethod::None
            | TuningMethod::SelfTuning
            | TuningMethod::ReferenceColumns
            | TuningMethod::LevelColumns
            | TuningMethod::Oracle => false,
        }
    }
}

choices! {
    /// Which weights the gradient of a training on a chip goes back through.
    pub enum BackwardWeights {
        /// Those that the chip's cells hold: its arrays are read in the other direction.
        Chip = "chip",
        /// The nominal ones, by a digital unit that does not know the cells.
        Nominal = "nominal",
    }
}

choices! {
    /// Estimator of eps_B from the readings of test cells or of columns at a known level, whose mean is `m`.
    pub enum Estimator {
        /// `m`; where cells drift, are limited or may be stuck, on the line that nominal cells are known
        /// to follow.
        Mean = "mean",
        /// Least mean squared error: `m S^2 / (S^2 + Var m)`, with drift the same towards what a nominal
        /// chip of that age shows. Coarse reads ([`Tuning::read_lsb`]) count with the error that they have. `S^2` is the variance of what the test cells have in common: eps_B and
        /// the wafer's parts, with [`TuningScope::Array`] also those of a layer and of an array.
        Mmse = "mmse",
        /// The middle one of the readings (of two the lower), on the line that chips show on average. Stuck
        /// cells hardly move it. Where none are it varies `pi/2` times as much as the mean of many normal cells.
        Median = "median",
    }
}

choices! {
    /// Where a correction acts. Cell level only; at weight level all arithmetic is digital.
    pub enum TuningPlace {
        /// On every converter's result, before results are added.
        Digital = "digital",
        /// On the converters' reference, which is divided by the gain: nothing clips that would
        /// not clip on a nominal chip. Only where there are converters; an offset is no factor, so under the
        /// fixed law the reference follows the mean drift alone, and is refused without drift.
        AdcReference = "adc-reference",
    }
}

choices! {
    /// What has an estimate of its own. Cell level only.
    pub enum TuningScope {
        /// The chip: [`Tuning::test_cells`] cells in all.
        Chip = "chip",
        /// Every array: as many cells in each.
        Array = "array",
    }
}

section! {
    /// Section `[tuning]`: the correction and its price.
    ///
    /// The mean of N test cells has `Var m = sigma_w^2/N` plus read noise. At weight level the proportional law is
    /// corrected by the gain `1/max(1 + eps_hat, gain_floor)`, the fixed one by subtracting
    /// `eps_hat w_max S`, `S` the sum of an output's inputs; at cell level every array has the gain and the offset
    /// that leave the least (docs/cells.md 7).
    pub struct Tuning {
        /// Correction.
        method: TuningMethod = TuningMethod::None;
        /// Where the correction acts.
        [quiet] place: TuningPlace = TuningPlace::Digital;
        /// Whether a chip or every array has an estimate of its own.
        [quiet] scope: TuningScope = TuningScope::Chip;
        /// Test cells per chip (or array, see `scope`).
        test_cells: usize = 256, 1..=1_000_000, "cells";
        /// Estimator of eps_B.
        estimator: Estimator = Estimator::Mean;
        /// Conductance that test cells and columns at a known level are programmed to, not below the lowest;
        /// cell level only. Cells that are limited at `G_max` need a lower one to show that they conduct too
        /// much.
        [quiet] level: f64 = 1.0, 1e-3..=1.0, "G_max";
        /// Standard deviation of the noise of one read, in the unit of deviations: the conductance aimed at
        /// (weight-proportional law), the range of conductances (layer-fixed). A read is of one test cell, or of
        /// one column relative to its rows.
        read_noise: f64 = 0.0, 0.0..=10.0;
        /// Resolution of a read, in the unit of `read_noise`; 0: exact. Adds `lsb^2/12` where reads spread over
        /// some steps, else an error that no number of reads averages away.
        read_lsb: f64 = 0.0, 0.0..=1.0;
        /// Smallest `1 + eps_hat` that is divided by.
        gain_floor: f64 = 0.1, 1e-3..=1.0;
        /// Columns per array of methods "reference-columns" and "level-columns".
        reference_columns: u32 = 4, 1..=1_024, "columns";
        /// Batches per chip of batch norm recalibration and training.
        recalibration_batches: usize = 4, 1..=10_000, "batches";
        /// Images per batch of recalibration and training.
        recalibration_batch: usize = 128, 2..=65_536, "images";
        /// Steps per chip of batch norm training, a batch each.
        [quiet] training_steps: usize = 64, 1..=100_000, "steps";
        /// Learning rate of batch norm training.
        [quiet] training_rate: f64 = 0.01, 0.0..=10.0;
        /// Momentum of batch norm training.
        [quiet] training_momentum: f64 = 0.9, 0.0..=0.999;
        /// Weights that its gradient goes back through.
        [quiet] training_backward: BackwardWeights = BackwardWeights::Chip;
    }
}
