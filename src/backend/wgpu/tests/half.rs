//! Half precision of the shaders against the host's, case by case, on a device.

use super::device;
use crate::backend::storage;
use crate::backend::wgpu::shader;

/// Every float that is a half, what lies in the middle of two halves, and the neighbours of the
/// middle; then bits at random, of all floats and of those with exponents around a half's.
fn inputs() -> Vec<u32> {
    let halves: Vec<u16> = (0..=u16::MAX).collect();
    let mut exact = vec![0.0; halves.len()];
    storage::expand(&halves, &mut exact);
    // A half has 10 bits of fraction where a float has 23: the middle is the 11th bit. Below 2^-14 the
    // place of that bit falls with the exponent.
    let middles = exact.iter().flat_map(|v| {
        let exponent = (v.to_bits() >> 23 & 255).clamp(103, 127 + 16);
        let below = 12 + 113u32.saturating_sub(exponent);
        let middle = v.to_bits() + (1u32 << below);
        [v.to_bits(), middle - 1, middle, middle + 1]
    });
    let mut words: Vec<u32> = middles.collect();
    // Around half of the smallest half.
    words.extend((0..256).map(|k| 0x3300_0000 - 128 + k));
    words.extend([f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN].map(f32::to_bits));
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    for _ in 0..1 << 17 {
        words.push(random());
        let bits = random();
        words.push(bits & 0x807f_ffff | (97 + (bits >> 23 & 63).min(50)) << 23);
    }
    words.resize(words.len().next_multiple_of(256), 0);
    words
}

#[test]
fn halves_of_the_shaders_are_those_of_the_host() {
    let Some(context) = device::open("halves") else {
        return;
    };
    let mut text = shader::compose("shared/half", "")
        .expect("shared/half")
        .text;
    text += include_str!("half.wgsl");
    let inputs = inputs();
    let [rounded, back] = device::launch(&context, &text, &inputs, inputs.len() / 256);
    let values: Vec<f32> = inputs.iter().map(|&w| f32::from_bits(w)).collect();
    let mut halves = vec![0; values.len()];
    storage::round(&values, &mut halves);
    let mut want = vec![0.0f32; values.len()];
    storage::expand(&halves, &mut want);
    let mut finite = 0;
    for (i, v) in values.iter().enumerate() {
        if v.is_nan() {
            assert!(
                rounded[i] & 0x7fff > 0x7c00,
                "{:#x}: {:#x}",
                inputs[i],
                rounded[i]
            );
            continue;
        }
        finite += 1;
        assert_eq!(rounded[i], u32::from(halves[i]), "{v:e}, {:#x}", inputs[i]);
        assert_eq!(back[i], want[i].to_bits(), "{v:e} as {:#x}", halves[i]);
    }
    println!("{finite} floats rounded and read back as on the host");
}
