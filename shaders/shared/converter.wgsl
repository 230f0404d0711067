//!include effects/$name.wgsl for converter
// Inside a converter, between the scaled sum of a column and the value of its code: the effects of
// src/effects/converter.rs around a rounding. Constants are those of the effects. Bound by the kernel's
// file: `table` and `p`, whose `conversion` has the numbers of the effects.

// Codes of a converter.
struct Codes {
    lo: f32,
    hi: f32,
}

// A conversion of four columns for four images, among those of a thread.
struct Event {
    r: Reading,
    s: Site,
    tile: u32,
    plane: u32,
    t: u32,
    // Factors of the four columns' converters, and with NOISE_JOINED the variances of their sums.
    factors: vec4<f32>,
    variance: mat4x4<f32>,
}

// Standard normal deviates of a conversion.
fn event_deviates(e: Event, purpose: u32) -> mat4x4<f32> {
    return deviates(e.r, e.s, event_of(e.r, e.s, e.tile, e.plane, e.t), purpose);
}

// The code nearest to a scaled sum.
fn limited(c: Codes, scaled: vec4<f32>) -> vec4<f32> {
    return clamp(round(scaled), vec4<f32>(c.lo), vec4<f32>(c.hi));
}

// What the digital side takes a code for: the effects from the last to the first.
fn value_of(c: Codes, code: vec4<f32>) -> vec4<f32> {
    var v = code;
    v = value_$name(c, v); // for converter, last first
    return v;
}

// 1 where the input was more than half a code beyond the range.
fn beyond(c: Codes, scaled: vec4<f32>) -> vec4<f32> {
    let is = (scaled < vec4<f32>(c.lo - 0.5)) | (scaled > vec4<f32>(c.hi + 0.5));
    return select(vec4<f32>(0.0), vec4<f32>(1.0), is);
}

// What a code has of its range beside what the scaled sum without its offset, `own`, has where it is not clipped.
fn slope_of(c: Codes, scaled: vec4<f32>, own: vec4<f32>) -> vec4<f32> {
    return value_of(c, limited(c, scaled)) - select(own, vec4<f32>(0.0), beyond(c, scaled) > vec4<f32>(0.5));
}

// The same of four columns, `own` with its offset, by the logarithm of the range: times the step, and its low end added.
fn slopes_of(
    c: Codes, scaled: mat4x4<f32>, own: mat4x4<f32>, offset: vec4<f32>, lsb: vec4<f32>, low: vec4<f32>,
) -> mat4x4<f32> {
    return mat4x4<f32>(
        lsb.x * slope_of(c, scaled[0], own[0] - offset.x) + low.x,
        lsb.y * slope_of(c, scaled[1], own[1] - offset.y) + low.y,
        lsb.z * slope_of(c, scaled[2], own[2] - offset.z) + low.z,
        lsb.w * slope_of(c, scaled[3], own[3] - offset.w) + low.w,
    );
}
