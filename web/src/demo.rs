//! The demo: chips of one point, a wave at a time.

use std::io::BufReader;

use js_sys::Float64Array;
use pimento::Error;
use pimento::backend::Backend;
use pimento::config::Experiment;
use pimento::data::{Dataset, Split, idx};
use pimento::setup::{self, Images, Point};
use pimento::sweep::census::Basis;
use pimento::sweep::result::{ChipRow, PointInputs};
use pimento::sweep::summarise;
use pimento::sweep::wave::Simulator;
use pimento::train::{self, Model};
use wasm_bindgen::prelude::*;

use crate::fault::{Fault, to_json};
use crate::wait;

/// The test images that come with the page.
pub struct Shipped(Split);

/// Classes of Fashion-MNIST.
const CLASSES: usize = 10;

impl Shipped {
    /// Reads IDX files, gzip or not.
    ///
    /// # Errors
    /// Damaged files.
    pub fn read(images: &[u8], labels: &[u8]) -> Result<Self, Error> {
        let [pixels, classes] = [("images", images, 3), ("labels", labels, 1)]
            .map(|(name, bytes, rank)| idx::parse_idx(name, BufReader::new(bytes), rank..=rank));
        let (pixels, classes) = (pixels?, classes?);
        let labels = classes.values.iter().map(|&label| label.into()).collect();
        let shape = (1, pixels.dims[1], pixels.dims[2]);
        let test = Dataset::new("test images", pixels.values, labels, shape, CLASSES, 255)?;
        // Nothing is trained or calibrated here, and the experiment says the normalisation, so the training images are
        // not needed: the test images stand in their place.
        Ok(Self(Split::new(test.clone(), test)?))
    }
}

/// A point with its network, ready for chips.
#[wasm_bindgen]
pub struct Demo {
    point: Point<'static>,
    simulator: Simulator,
    ideal: Simulator,
}

/// Numbers of a chip's row: chip, accuracy, loss, correct images, images, eps_B, eps_common and the chip's estimate.
const ROW: usize = 8;

impl Demo {
    /// Prepares everything.
    ///
    /// # Errors
    /// Mistakes in the experiment; a network of another point.
    pub fn open(
        backend: &dyn Backend,
        experiment: &str,
        network: &[u8],
        shipped: &'static Shipped,
    ) -> Result<Self, Fault> {
        let experiment = Experiment::parse(experiment, "experiment")?;
        let given = |of: &pimento::config::Constants| of.given().is_some();
        if !(given(&experiment.data.mean) && given(&experiment.data.std)) {
            return Err(Error::input(
                "data.mean and data.std: there are no training images here to measure them on; allowed: numbers",
            )
            .into());
        }
        let point = setup::point(&experiment, &shipped.0, 0)?;
        let model: Model = train::model_from_bytes(network, "network", &point)?;
        let images: Images = point.test_images()?;
        Ok(Self {
            simulator: Simulator::new(backend, &point, &model, &images)?,
            ideal: Simulator::ideal(backend, &point, &model, &images)?,
            point,
        })
    }
}

#[wasm_bindgen]
impl Demo {
    /// Most chips of a wave.
    #[wasm_bindgen(js_name = waveSize)]
    pub fn wave_size(&self) -> usize {
        self.simulator.wave_size()
    }

    /// Accuracy of the quantized network without any variation.
    ///
    /// # Errors
    /// The device.
    #[wasm_bindgen(js_name = idealAccuracy)]
    pub async fn ideal_accuracy(&mut self) -> Result<f64, Fault> {
        let rows = chips(&mut self.ideal, 0, 1).await?;
        Ok(rows.first().map_or(f64::NAN, |row| row.accuracy))
    }

    /// Simulates the chips of one wave: the numbers of each, one chip after the other.
    ///
    /// # Errors
    /// The device.
    pub async fn chips(&mut self, first: u32, count: u32) -> Result<Float64Array, Fault> {
        let rows = chips(&mut self.simulator, first, count).await?;
        let numbers = |r: &ChipRow| {
            [
                r.chip.into(),
                r.accuracy,
                r.loss,
                r.correct.into(),
                r.images.into(),
                r.eps_b,
                r.eps_common,
                r.eps_hat,
            ]
        };
        let all: Vec<f64> = rows.iter().flat_map(numbers).collect();
        Ok(Float64Array::from(&all[..]))
    }

    /// Statistics over chips, whoever simulated them, as in `summary.json`.
    ///
    /// # Errors
    /// Numbers that are no rows.
    pub fn summary(&self, rows: &[f64], ideal: f64) -> Result<String, Fault> {
        if !rows.len().is_multiple_of(ROW) {
            return Err(Error::Internal(format!("{} numbers of chips", rows.len())).into());
        }
        let row = |r: &[f64]| ChipRow {
            chip: r[0] as u32,
            accuracy: r[1],
            loss: r[2],
            correct: r[3] as u32,
            images: r[4] as u32,
            eps_b: r[5],
            eps_common: r[6],
            eps_hat: r[7],
            ..ChipRow::blank()
        };
        let rows: Vec<ChipRow> = rows.chunks_exact(ROW).map(row).collect();
        let experiment = self.point.experiment();
        let inputs = PointInputs {
            ideal,
            ideal_metrics: Default::default(),
            yield_limit: experiment.sweep.yield_limit,
            tuning_cost: self.simulator.cost(),
            costs: Default::default(),
            energy: None,
            basis: Basis::new(experiment, CLASSES),
            predicted_variance: self.simulator.predicted_variance(),
            elapsed_s: 0.0,
        };
        to_json(&summarise(&self.point, &rows, &inputs))
    }
}

async fn chips(simulator: &mut Simulator, first: u32, count: u32) -> Result<Vec<ChipRow>, Error> {
    let end = first.saturating_add(count);
    let mut flight = simulator.submit(0, first..end, &())?;
    wait::until(|| flight.is_ready()).await?;
    simulator.finish(flight)
}
