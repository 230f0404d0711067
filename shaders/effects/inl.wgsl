// Integral non-linearity of a converter: src/effects/inl. Constant: HAS_INL.

struct Inl {
    // One value a code in the table.
    by_code_at: u32,
    by_code_len: u32,
}

fn bent(c: Codes, scaled: vec4<f32>) -> vec4<f32> {
    let i = vec4<u32>(p.conversion.inl.by_code_at) + vec4<u32>(limited(c, scaled) - vec4<f32>(c.lo));
    return scaled + vec4<f32>(
        bitcast<f32>(table[i.x]),
        bitcast<f32>(table[i.y]),
        bitcast<f32>(table[i.z]),
        bitcast<f32>(table[i.w]),
    );
}

fn before_inl(c: Codes, e: Event, scaled: mat4x4<f32>) -> mat4x4<f32> {
    if HAS_INL {
        return mat4x4<f32>(
            bent(c, scaled[0]), bent(c, scaled[1]), bent(c, scaled[2]), bent(c, scaled[3]),
        );
    }
    return scaled;
}

fn value_inl(c: Codes, code: vec4<f32>) -> vec4<f32> {
    return code;
}
