//!include shared/coop8.wgsl
//!include shared/conv2d_coop.wgsl
// A convolution of codes by cooperative matrices of 8 x 8.
