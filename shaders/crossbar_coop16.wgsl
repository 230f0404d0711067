//!include shared/coop16.wgsl
//!include shared/crossbar_coop.wgsl
// Crossbar arrays by cooperative matrices of 16 x 16.
