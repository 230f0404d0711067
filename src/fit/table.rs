//! The conductances of measured cells, target by target, as cells are drawn from.

use super::Measurements;
use super::cells::{self, Cell};

impl Measurements {
    /// Targets, the lowest first, with a conductance of every cell: the mean of its reads at its first time. Nothing is taken out;
    /// all in microsiemens.
    ///
    /// # Examples
    /// ```
    /// use pimento::fit::Measurements;
    ///
    /// let text = "cell,target_us,value_us,time_s\n1,10,10.5,1\n1,10,11.5,1\n1,10,9,50\n2,10,8,1\n1,20,21,1\n";
    /// let found = Measurements::from_reader(text.as_bytes(), "cells.csv")?;
    /// assert_eq!(found.by_target(), [(10.0, vec![11.0, 8.0]), (20.0, vec![21.0])]);
    /// # Ok::<(), pimento::Error>(())
    /// ```
    pub fn by_target(&self) -> Vec<(f64, Vec<f64>)> {
        let levels = cells::levels(self).into_iter();
        levels
            .map(|level| {
                let values = level.cells.iter().map(Cell::first).collect();
                (level.target_us, values)
            })
            .collect()
    }
}
