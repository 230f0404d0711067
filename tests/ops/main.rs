//! Every operator of the native backend against a closed form or an `f64` loop, every backward
//! against finite differences (straight-through gradients: against the formula they state).

mod bits;
mod case;
#[path = "../cases/mod.rs"]
#[macro_use]
mod cases;
mod collapse_planes;
mod conv2d;
mod conv2d_pool;
mod converter_fold;
mod crossbar;
mod fabricate;
mod multiply;
mod partial_sums;
mod pointwise;
mod quantize_weight;
mod rearrange;
mod storage;
mod weight_scale;
mod winograd;

/// A test of every list of cases.
mod walk {
    macro_rules! tests {
        ($($file:ident: $($list:ident),+;)+) => {
            $(mod $file {
                $(#[test]
                fn $list() {
                    crate::case::walk(crate::cases::$file::$list());
                })+
            })+
        };
    }
    lists!(tests);
}
