//! Every kernel of the WGSL backend against the CPU backend: the same program, the same data, both
//! results compared with a tolerance that the operator's arithmetic explains.
//!
//! Runs on any adapter, a software one too. Without one each test prints `SKIPPED`, and fails where
//! `PIMENTO_REQUIRE_GPU=1`.
#![cfg(feature = "gpu")]

mod add;
mod arrays;
mod batch_norm;
mod binarize_act;
mod collapse_planes;
mod conv2d;
mod converter_fold;
mod crossbar;
mod device;
mod fabricate;
mod gradients;
mod harness;
mod histogram;
mod ir_drop;
mod loss;
mod multiply;
mod optimizers;
mod partial_sums;
mod pointwise;
mod pool;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod rearrange;
mod rounds;
mod softmax;
mod storage;
mod sweep;
mod training;
mod variance_ratio;
mod weight_scale;
