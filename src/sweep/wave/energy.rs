//! Energy of every chip: its arrays as they were measured on its images, and the parts beside them.

use crate::column::Column;
use crate::energy::Interval;
use crate::error::Result;
use crate::network::lower::inference::Inference;
use crate::setup::Point;
use crate::sweep::columns::{self, Values};

/// What makes energies of the sums of a chip.
pub(super) struct Meter {
    columns: Vec<&'static Column>,
    /// Energy of a unit of each sum.
    units_pj: Vec<f64>,
    periphery_pj: Interval,
}

impl Meter {
    /// For the chips of a point, where its program adds up energies.
    ///
    /// # Errors
    /// A technology that cannot be read.
    pub fn new(point: &Point, inference: &Inference) -> Result<Option<Self>> {
        let (Some(energy), Some(chip)) = (&inference.energy, point.energy()?) else {
            return Ok(None);
        };
        let units = energy
            .layers
            .iter()
            .map(|&index| chip.layers[index].unit_pj);
        Ok(Some(Self {
            columns: columns::named(columns::ENERGY),
            units_pj: units.collect(),
            periphery_pj: chip.periphery_pj(),
        }))
    }

    /// Adds the energies for one image of the `i`-th chip of a wave; `sums` are those of all its chips over `images` images.
    pub fn add(&self, values: &mut Values, i: usize, sums: &[f32], images: usize) {
        let own = sums.chunks(self.units_pj.len()).nth(i).unwrap_or_default();
        let energies = own.iter().zip(&self.units_pj);
        let arrays = energies.map(|(sum, unit)| f64::from(*sum) * unit);
        let arrays = arrays.sum::<f64>() / images as f64;
        let Interval { low, high } = self.periphery_pj;
        for (column, value) in self
            .columns
            .iter()
            .zip([arrays, arrays + low, arrays + high])
        {
            values.push(column, value);
        }
    }
}
