//!include shared/coop8.wgsl
//!include shared/crossbar_coop.wgsl
// Crossbar arrays by cooperative matrices of 8 x 8.
