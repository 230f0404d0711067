//! Which products cooperative matrices make, without a device.

use super::*;

/// A convolution of codes (or of a real map) with so many channels, and the kernels that compute it.
fn kernels(channels: usize, codes: bool, kernels: Kernels, side: u32) -> Vec<&'static str> {
    let mut p = Program::default();
    let geo = ConvGeometry {
        h_in: 32,
        w_in: 32,
        kh: 3,
        kw: 3,
        pad: [1; 4],
        ..ConvGeometry::linear(channels, channels)
    };
    let map = Shape::Image {
        c: channels,
        h: 32,
        w: 32,
    };
    let x = p.tensor("x", map, Scope::Shared, Role::Input);
    let y = p.tensor("y", map, Scope::PerChip, Role::Output);
    let scale = p.tensor("step", Shape::Flat(1), Scope::Shared, Role::State);
    let w = p.tensor("w", Shape::Flat(geo.weights()), Scope::PerChip, Role::State);
    let codes = codes.then_some(ActQuant {
        scale,
        lo: 0,
        hi: 15,
        rounding: Rounding::Nearest,
    });
    let post = Post::NONE;
    let op = Conv2d {
        x,
        w,
        y,
        geo,
        post,
        codes,
    };
    let cx = LowerContext {
        matrices: Some(Matrices { side, threads: 32 }),
        ..context(&p, false, kernels)
    };
    let calls = op.lower(&cx).expect("lowered");
    calls.iter().map(|call| call.shader).collect()
}

#[test]
fn codes_of_whole_matrices_of_channels_are_multiplied_by_them() {
    let names = |last| {
        vec![
            "conv2d_coop_codes",
            "conv2d_coop_rows",
            "conv2d_coop_pack",
            last,
        ]
    };
    for (side, last) in [(8, "conv2d_coop8"), (16, "conv2d_coop16")] {
        for kind in [Kernels::Fitting, Kernels::Cooperative] {
            assert_eq!(kernels(32, true, kind, side), names(last), "{kind:?}");
            assert!(
                !kernels(32, false, kind, side).contains(&last),
                "real values"
            );
        }
        // Three channels would be mostly zeros.
        assert!(!kernels(3, true, Kernels::Fitting, side).contains(&last));
        assert_eq!(kernels(3, true, Kernels::Cooperative, side), names(last));
    }
}
