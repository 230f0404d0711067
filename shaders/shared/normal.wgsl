// Normal, truncated normal and lognormal deviates from one word each, four at a time: the twin of
// src/random/normal.rs, which has the theory and the errors. Same operations in the same order,
// and no library function, so that every device agrees with the host to a few ulp.

const MAGNITUDE: u32 = 0x7fffffffu;
const TWO_POW_MINUS_31: f32 = 4.656613e-10;
// Bits of sqrt(1/2): subtracting them makes the exponent field that of the nearest power of two.
const SQRT_HALF: i32 = 0x3f3504f3;
const LOG2_E: f32 = 1.442695;
// ln 2 in two parts, the first exact in 12 bits.
const LN2_HIGH: f32 = 0.6933594;
const LN2_LOW: f32 = -2.1219444e-4;

// log2 of positive normal numbers.
fn log2_4(p: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<i32>>(p);
    let exponent = (bits - vec4<i32>(SQRT_HALF)) >> vec4<u32>(23u);
    let f = bitcast<vec4<f32>>(bits - (exponent << vec4<u32>(23u))) - vec4<f32>(1.0);
    var s = vec4<f32>(-0.14574444);
    s = s * f + 0.23689045;
    s = s * f + -0.25006908;
    s = s * f + 0.28670746;
    s = s * f + -0.36008722;
    s = s * f + 0.48093945;
    s = s * f + -0.72135717;
    s = s * f + 1.4426948;
    return vec4<f32>(exponent) + s * f;
}

// Normal deviates, the uniform squeezed by 1 - squeeze: 0 for a standard normal, 2 Phi(-at) for
// one truncated at |z| <= at.
fn normal4(words: vec4<u32>, squeeze: f32) -> vec4<f32> {
    let m = words & vec4<u32>(MAGNITUDE);
    let full = (vec4<f32>(vec4<i32>(m ^ vec4<u32>(MAGNITUDE))) + 0.5) * TWO_POW_MINUS_31;
    let cut = full * squeeze;
    let x = full - cut;
    let tail = (vec4<f32>(vec4<i32>(m)) + 0.5) * TWO_POW_MINUS_31 + cut;
    let w = -log2_4(tail * (1.0 + x));
    var p = vec4<f32>(2.1642675e-8);
    p = p * w + 9.589134e-6;
    p = p * w + 0.00026278748;
    p = p * w + 0.0041695866;
    p = p * w + 0.043693386;
    p = p * w + 0.3098995;
    p = p * w + 1.253314;
    var q = vec4<f32>(6.072376e-7);
    q = q * w + 5.7677797e-5;
    q = q * w + 0.00076772226;
    q = q * w + 0.016661968;
    q = q * w + 0.065798074;
    q = q * w + 1.0;
    let z = x * (p / q);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(z) ^ (words & vec4<u32>(~MAGNITUDE)));
}

// exp(u) - 1, u limited to [-80, 80].
fn exp_m1_4(limited: vec4<f32>) -> vec4<f32> {
    let u = clamp(limited, vec4<f32>(-80.0), vec4<f32>(80.0));
    let k = round(u * LOG2_E);
    let r = (u - k * LN2_HIGH) - k * LN2_LOW;
    var s = vec4<f32>(0.0013882522);
    s = s * r + 0.008366514;
    s = s * r + 0.0416672;
    s = s * r + 0.16666543;
    s = s * r + 0.49999997;
    let f = r + r * r * s;
    let power = bitcast<vec4<f32>>((vec4<i32>(k) + vec4<i32>(127)) << vec4<u32>(23u));
    return power * f + (power - 1.0);
}

// Relative deviations of lognormal factors of mean 1; shape = (t, t^2/2), t^2 = ln(1 + sigma^2).
fn lognormal4(z: vec4<f32>, shape: vec2<f32>) -> vec4<f32> {
    return exp_m1_4(shape.x * z - shape.y);
}
