//!include shared/half.wgsl
// A value as the sum of two halves, neither of them subnormal: hardware may see such ones as 0.

fn normal_halves(v: vec4<f32>) -> vec4<u32> {
    let h = half_bits(v);
    return select(h, vec4<u32>(0u), (h & vec4<u32>(0x7c00u)) == vec4<u32>(0u));
}

// Two pairs of halves in words.
struct TwoHalves {
    high: u32,
    low: u32,
}

// The halves nearest to two values, and those nearest to what is left of them, which is exact: the
// nearest half is within a unit in its last place.
fn two_halves(v: vec2<f32>) -> TwoHalves {
    let high = normal_halves(vec4<f32>(v, v));
    let left = v - half_values(high).xy;
    let low = normal_halves(vec4<f32>(left, left));
    return TwoHalves(high.x | (high.y << 16u), low.x | (low.y << 16u));
}
