pub mod backend;
pub mod bench;
pub mod chip;
pub mod config;
pub mod data;
pub mod error;
pub mod files;
pub mod network;
pub mod progress;
pub mod quantize;
pub mod random;
pub mod report;
pub mod sweep;
pub mod train;
pub mod tuning;
mod vector;

pub use error::{Error, Result};
