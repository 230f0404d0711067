//! The generator and the deviates of the shaders against their host twins, word by word, on a
//! device.

use super::device;
use crate::backend::wgpu::constant::Const;
use crate::backend::wgpu::context::Context;
use crate::backend::wgpu::shader;
use crate::random::{
    ABOVE, lognormal, lognormal_shape, normal, philox, repeated, squeeze, truncated,
};

const KEY: [u32; 2] = [0x0123_4567, 0xfedc_ba98];
const TRUNCATED_AT: f32 = 2.5;
const SIGMA: f32 = 0.5;

/// Bound on `|shader - host|` of a deviate in ulp of the larger of 1 and its magnitude: what Vulkan
/// and WebGPU allow a division (2.5), and contracted products and sums in the logarithm and the last
/// steps of the two polynomials (half an ulp each). Equal on Mesa's lavapipe.
const DEVIATE_ULP: f32 = 8.0;

/// Four words a thread; as counters they are 2^16 blocks of the generator.
const BLOCKS: usize = 1 << 16;

/// Both ends of the distribution and its centre, then words of a linear congruential generator.
fn inputs() -> Vec<u32> {
    let mut words = Vec::with_capacity(4 * BLOCKS);
    for k in 0..256 {
        for anchor in [0, 1 << 20, 1 << 30, 0x7fff_ff00, 1 << 31, 0xffff_ff00] {
            words.push(u32::wrapping_add(anchor, k));
        }
    }
    let mut state = 1u64;
    words.resize_with(4 * BLOCKS, || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    });
    words
}

/// Runs the test kernel: blocks, normals, truncated normals, lognormal deviations, as words.
fn run(context: &Context, inputs: &[u32]) -> [Vec<u32>; 4] {
    let [t, half_t2] = lognormal_shape(SIGMA);
    let prelude = shader::prelude(&[
        ("KEY_LOW", Const::U32(KEY[0])),
        ("KEY_HIGH", Const::U32(KEY[1])),
        ("SQUEEZE", Const::F32(squeeze(TRUNCATED_AT))),
        ("SHAPE_T", Const::F32(t)),
        ("SHAPE_HALF_T2", Const::F32(half_t2)),
    ]);
    let mut text = prelude;
    for piece in ["shared/random", "shared/normal"] {
        text += &shader::compose(piece, "").expect(piece).text;
    }
    text += include_str!("random.wgsl");

    device::launch(context, &text, inputs, BLOCKS / 64)
}

/// Largest errors, absolute and in ulp of the larger of 1 and the magnitude.
fn worst(words: &[u32], bits: &[u32], host: impl Fn(u32) -> f32) -> (f32, f32) {
    let mut worst = (0f32, 0f32);
    for (&word, &bits) in words.iter().zip(bits) {
        let (got, want) = (f32::from_bits(bits), host(word));
        let error = (got - want).abs();
        let ulp = error / (want.abs().max(1.0) * f32::EPSILON);
        assert!(
            ulp <= DEVIATE_ULP,
            "word {word:#x}: host {want}, shader {got}"
        );
        worst = (worst.0.max(error), worst.1.max(ulp));
    }
    worst
}

#[test]
fn words_equal_and_deviates_close_to_the_host() {
    let Some(context) = device::open("random numbers") else {
        return;
    };
    let inputs = inputs();
    let [blocks, normals, cut, lognormals] = run(&context, &inputs);
    for (counter, block) in inputs.chunks_exact(4).zip(blocks.chunks_exact(4)) {
        let counter = [counter[0], counter[1], counter[2], counter[3]];
        assert_eq!(block, philox::block(KEY, counter), "counter {counter:x?}");
        // The kernel puts a layer and a repeat together.
        let layer = repeated(counter[1] % ABOVE, counter[1] / ABOVE);
        assert_eq!(layer, counter[1]);
    }
    let squeezed = squeeze(TRUNCATED_AT);
    let shape = lognormal_shape(SIGMA);
    let errors = [
        ("normal", worst(&inputs, &normals, normal)),
        (
            "truncated",
            worst(&inputs, &cut, |w| truncated(w, squeezed)),
        ),
        (
            "lognormal",
            worst(&inputs, &lognormals, |w| lognormal(normal(w), shape)),
        ),
    ];
    for (name, (absolute, ulp)) in errors {
        println!("{name}: |shader - host| <= {absolute:e} = {ulp} ulp of max(1, |z|)");
    }
    let limit = TRUNCATED_AT * (1.0 + 1e-6);
    assert!(cut.iter().all(|&b| f32::from_bits(b).abs() <= limit));
}
