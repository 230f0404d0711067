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
