// Uniform quantizer, the twin of src/quantize. WGSL's round takes ties to even.

// d clamp(round(v / d), lo, hi), or 0 where there is no step (nothing calibrated, an all-zero
// layer: d <= 0). `down` takes the floor instead of the nearest integer.
fn quantize(v: vec4<f32>, d: f32, lo: f32, hi: f32, down: bool) -> vec4<f32> {
    if d <= 0.0 {
        return vec4<f32>(0.0);
    }
    let q = v / d;
    let code = select(round(q), floor(q), down);
    return d * clamp(code, vec4<f32>(lo), vec4<f32>(hi));
}

// The largest value that counts as at or below the end code d of a range, and the smallest one that
// counts as at or above it: what sets a step is inside, however the quotient and the product round.
const SLACK: f32 = 9.5367431640625e-7;
const TINY: f32 = 1.1754944e-38;

fn upper_end(code: f32, d: f32) -> f32 {
    let end = code * max(d, 0.0);
    return end + (abs(end) * SLACK + TINY);
}

fn lower_end(code: f32, d: f32) -> f32 {
    return -upper_end(-code, d);
}
