//! Every operator of the native backend against a closed form or an `f64` loop, every backward
//! against finite differences (straight-through gradients: against the formula they state).

mod adam;
mod arrays;
mod batch_norm;
mod binarize_act;
mod bits;
mod case;
mod collapse_planes;
mod conv2d;
mod converter_fold;
mod crossbar;
mod elementwise;
mod fabricate;
mod harness;
mod histogram;
mod ir_drop;
mod lerp;
mod max_abs;
mod multiply;
mod partial_sums;
mod pools;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod rearrange;
mod reference;
mod sgd;
mod softmax;
mod softmax_xent;
mod storage;
mod variance_ratio;
mod weight_scale;
