// Conductances in half precision. Twin: src/backend/storage.rs. Made of integers: pack2x16float may
// round towards zero, flush what is small, or give infinities, as a driver likes, and neither it nor
// unpack2x16float is there on every adapter (wgpu's SHADER_F16_IN_F32).

// The nearest halves, ties to even; beyond the largest half, the largest; what is no number stays none.
fn half_bits(v: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(v);
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    // From 2^-14 on: 13 bits of the fraction go, the exponent's bias falls from 127 to 15. A carry out
    // of the fraction raises the exponent, as it should.
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let up = (magnitude + vec4<u32>(0xfffu) + odd) >> vec4<u32>(13u);
    let normal = min(up - vec4<u32>(112u << 10u), vec4<u32>(0x7bffu));
    // Below, a half is an integer in units of 2^-24: the fraction with its leading bit, shifted. From
    // 25 places on nothing is left.
    let exponent = magnitude >> vec4<u32>(23u);
    let shift = min(vec4<u32>(126u) - min(exponent, vec4<u32>(112u)), vec4<u32>(25u));
    let fraction = (magnitude & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
    let even = (fraction >> shift) & vec4<u32>(1u);
    let half_way = (vec4<u32>(1u) << (shift - vec4<u32>(1u))) - vec4<u32>(1u);
    let small = (fraction + half_way + even) >> shift;
    var h = select(normal, small, magnitude < vec4<u32>(0x38800000u));
    h = select(h, vec4<u32>(0x7e00u), magnitude > vec4<u32>(0x7f800000u));
    return h | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
}

// Four halves in two words, the first one lowest.
fn pack_halves(v: vec4<f32>) -> vec2<u32> {
    let h = half_bits(v);
    return vec2<u32>(h.x | (h.y << 16u), h.z | (h.w << 16u));
}

// The values of halves, exactly.
fn half_values(h: vec4<u32>) -> vec4<f32> {
    let magnitude = h & vec4<u32>(0x7fffu);
    let wide = magnitude << vec4<u32>(13u);
    let normal = wide + vec4<u32>(112u << 23u);
    // Below 2^-14 there is no leading bit: one is put there and taken off again, which is exact.
    let small = bitcast<vec4<f32>>(wide + vec4<u32>(113u << 23u)) - vec4<f32>(0.00006103515625);
    var bits = select(normal, bitcast<vec4<u32>>(small), magnitude < vec4<u32>(0x400u));
    bits = select(bits, wide | vec4<u32>(0x7f800000u), magnitude >= vec4<u32>(0x7c00u));
    return bitcast<vec4<f32>>(bits | ((h & vec4<u32>(0x8000u)) << vec4<u32>(16u)));
}

// The values of four halves in two words.
fn unpack_halves(words: vec2<u32>) -> vec4<f32> {
    return half_values((vec4<u32>(words.xx, words.yy) >> vec4<u32>(0u, 16u, 0u, 16u)) & vec4<u32>(0xffffu));
}

// The bits of half `i` of a tensor, from its word `i / 2`.
fn half_of(word: u32, i: u32) -> u32 {
    return (word >> (16u * (i & 1u))) & 0xffffu;
}
