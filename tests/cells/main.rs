//! The cell level as a whole against the answers of another simulator (assets/golden/crosssim.json).

mod golden;
mod mvm;
