//! The cell level as a whole: closed form, CPU operators and shaders against the answers of another
//! simulator (assets/golden/crosssim.json) and against each other.

mod chips;
mod fill;
mod golden;
mod many_chips;
mod mvm;
mod noisy_wires;
mod operators;
mod read_noise;
mod wires;
