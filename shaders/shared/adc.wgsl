// Converters: from a scaled input `a v + b` to a code. Constant HAS_INL. Bound by the kernel's file:
// `table`.

struct Adc {
    // Lowest and highest code.
    lo: f32,
    hi: f32,
    // Standard deviation of thermal noise, codes.
    noise: f32,
    // Start of the non-linearity in the table, one value a code.
    inl_at: u32,
}

fn adc_limited(s: vec4<f32>, c: Adc) -> vec4<f32> {
    return clamp(round(s), vec4<f32>(c.lo), vec4<f32>(c.hi));
}

// Adds the non-linearity of the nearest code.
fn adc_bent(s: vec4<f32>, c: Adc) -> vec4<f32> {
    if HAS_INL {
        let i = vec4<u32>(c.inl_at) + vec4<u32>(adc_limited(s, c) - vec4<f32>(c.lo));
        return s + vec4<f32>(
            bitcast<f32>(table[i.x]),
            bitcast<f32>(table[i.y]),
            bitcast<f32>(table[i.z]),
            bitcast<f32>(table[i.w]),
        );
    }
    return s;
}

// 1 where the input was more than half a code beyond the range.
fn adc_clipped(s: vec4<f32>, c: Adc) -> vec4<f32> {
    let beyond = (s < vec4<f32>(c.lo - 0.5)) | (s > vec4<f32>(c.hi + 0.5));
    return select(vec4<f32>(0.0), vec4<f32>(1.0), beyond);
}
