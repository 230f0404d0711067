//! The program as a whole on the native backend: gradients of whole networks, training that
//! resumes to the same bits, the laws of self-tuning, chips that are the same in every wave.

mod cells;
mod chips;
mod gradients;
mod graphs;
mod growing;
mod identity;
mod laws;
mod pictures;
mod quantizers;
mod refused;
mod sweeps;
mod training;
mod tuned;
mod worst;

use pimento::config::Experiment;
use pimento::data::Split;

/// An experiment from TOML text.
pub fn experiment(text: &str) -> Experiment {
    Experiment::parse(text, "test").unwrap_or_else(|e| panic!("{e}"))
}

/// The embedded 8x8 digits.
pub fn digits() -> Split {
    pimento::data::embedded::Embedded::Digits8x8
        .load()
        .expect("the embedded set is readable")
}
