//! `pimento._native`: what the Python package `pimento` calls.
//!
//! Nothing here is for users: names, defaults, docstrings and the forms of arguments are in `pimento/*.py`, this
//! module takes plain texts and arrays and does the work. Long work runs on a thread of its own (`watch.rs`), so
//! that signals and progress reach Python.

mod arrays;
mod chip;
mod data;
mod designs;
mod error;
mod experiment;
mod machine;
mod network;
mod runs;
mod table;
mod watch;

#[pyo3::pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use super::arrays::mvm;
    #[pymodule_export]
    use super::chip::Chip;
    #[pymodule_export]
    use super::data::{Data, image_shape};
    #[pymodule_export]
    use super::designs::design;
    #[pymodule_export]
    use super::experiment::Experiment;
    #[pymodule_export]
    use super::machine::Machine;
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::runs::{check, command_line, read_run, report, sweep, train};
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
