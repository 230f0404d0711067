//! Every kernel of the WGSL backend against the CPU backend: the same program, the same data, both
//! results compared with a tolerance that the operator's arithmetic explains.
//!
//! Runs on any adapter, a software one too. Without one each test prints `SKIPPED`, and fails where
//! `PIMENTO_REQUIRE_GPU=1`.
#![cfg(feature = "gpu")]

#[path = "../cases/parts.rs"]
mod all_parts;
mod arrays;
#[path = "../cases/mod.rs"]
#[macro_use]
mod cases;
mod cooperative;
mod crossbar;
mod device;
mod fabricate;
mod harness;
mod ir_drop;
mod parts;
mod program_cells;
mod quantize_weight;
mod rounds;
mod slices;
mod snr;
mod storage;
mod submissions;
mod sweep;
mod training;
mod weight_scale;

/// A test of every list of cases.
mod walk {
    macro_rules! tests {
        ($($file:ident: $($list:ident),+;)+) => {
            $(mod $file {
                $(#[test]
                fn $list() {
                    let test = concat!(stringify!($file), "::", stringify!($list));
                    crate::harness::walk(test, crate::cases::$file::$list());
                })+
            })+
        };
    }
    lists!(tests);
}
