//!include shared/coop16.wgsl
//!include shared/conv2d_coop.wgsl
// A convolution of codes by cooperative matrices of 16 x 16.
