//! Every kernel of the WGSL backend against the CPU backend: the same program, the same data, both
//! results compared with a tolerance that the operator's arithmetic explains.
//!
//! Runs on any adapter, a software one too. Without one each test prints `SKIPPED`, and fails where
//! `PIMENTO_REQUIRE_GPU=1`.
#![cfg(feature = "gpu")]

mod add;
mod batch_norm;
mod binarize_act;
mod conv2d;
mod device;
mod fabricate;
mod gradients;
mod harness;
mod loss;
mod multiply;
mod optimizers;
mod pointwise;
mod pool;
mod quantize_act;
mod quantize_weight;
mod rearrange;
mod softmax;
mod sweep;
mod training;
mod variance_ratio;
mod weight_scale;
