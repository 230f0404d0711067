pub mod backend;
pub mod config;
pub mod data;
pub mod error;
pub mod quantize;
pub mod random;
pub mod report;
pub mod sweep;
mod vector;

pub use error::{Error, Result};
