// Target conductance of a digit, relative to G_max: where every effect on a cell begins. Constants:
// TWO_SIDED, OFFSET (else differential), HAS_LEVELS, EQUAL_SLICES (of every place value).

// Digit of the cells that hold a code, in half levels where both cells move.
fn digits(p: Programming, code: vec4<i32>, slice: vec4<u32>, positive: vec4<bool>) -> vec4<f32> {
    let shift = slice_field(p, slice, 0u);
    let top = slice_field(p, slice, 1u);
    if OFFSET {
        return vec4<f32>(((vec4<u32>(code + p.offset_code) / EQUAL_SLICES) >> shift) & top);
    }
    let v = vec4<f32>(((vec4<u32>(abs(code)) / EQUAL_SLICES) >> shift) & top);
    let side = select(-sign(vec4<f32>(code)), sign(vec4<f32>(code)), positive);
    if TWO_SIDED {
        return 0.5 * (vec4<f32>(top) + side * v);
    }
    return select(vec4<f32>(0.0), v, side > vec4<f32>(0.0));
}

// By equal steps (C1).
fn evenly(p: Programming, digit: vec4<f32>, slice: vec4<u32>) -> vec4<f32> {
    return p.g_min + ((1.0 - p.g_min) / vec4<f32>(slice_field(p, slice, 1u))) * digit;
}

// By the table, where there is one.
fn nominal(p: Programming, digit: vec4<f32>, slice: vec4<u32>) -> vec4<f32> {
    if HAS_LEVELS {
        let top = slice_field(p, slice, 1u);
        let below = vec4<u32>(p.levels_at) + vec4<u32>(digit);
        let above = min(below + 1u, vec4<u32>(p.levels_at) + top);
        let a = float4(below);
        return a + (float4(above) - a) * fract(digit);
    }
    return evenly(p, digit, slice);
}
