// How input codes drive the rows: src/effects/drive. The codes of four images are a word, eight bits each; with
// SIGNED (sign and magnitude) they are magnitudes, and the next word holds 1 for each negative one.
// Constants: SIGNED, TWOS (the codes are two's complements), DAC_BITS, DAC_TABLE, ANALOG_SUM, and
// DAC_STEPS, the steps of a code. Bound by the kernel's file: `codes`, `table`.

fn code_bytes(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u);
}

// -1 where a code is negative, else 1.
fn code_signs(at: u32) -> vec4<f32> {
    if SIGNED {
        return vec4<f32>(1.0) - 2.0 * vec4<f32>(code_bytes(codes[at + 1u]));
    }
    return vec4<f32>(1.0);
}

// Place value of a step, with its sign.
fn step_place(t: u32) -> i32 {
    let value = 1i << (t * DAC_BITS);
    return select(value, -value, TWOS && t + 1u == DAC_STEPS);
}

// The codes as numbers.
fn code_values(at: u32, input_bits: u32) -> vec4<i32> {
    let v = vec4<i32>(code_bytes(codes[at]));
    if SIGNED {
        return v * vec4<i32>(code_signs(at));
    }
    if TWOS {
        return v - ((v >> vec4<u32>(input_bits - 1u)) << vec4<u32>(input_bits));
    }
    return v;
}

fn digit_drive(digit: vec4<u32>, table_at: u32) -> vec4<f32> {
    if DAC_TABLE {
        return vec4<f32>(
            bitcast<f32>(table[table_at + digit.x]),
            bitcast<f32>(table[table_at + digit.y]),
            bitcast<f32>(table[table_at + digit.z]),
            bitcast<f32>(table[table_at + digit.w]),
        );
    }
    return vec4<f32>(digit);
}

// Drive of step `t` of four codes.
fn step_drive(bytes: vec4<u32>, signs: vec4<f32>, t: u32, table_at: u32) -> vec4<f32> {
    let mask = (1u << DAC_BITS) - 1u;
    let d = digit_drive((bytes >> vec4<u32>(t * DAC_BITS)) & vec4<u32>(mask), table_at);
    if SIGNED {
        return signs * d;
    }
    return d;
}

// All steps at once, weighted by place: their sum, and the sum of their squares for read noise, which is
// another one in every step.
struct Summed {
    drive: vec4<f32>,
    square: vec4<f32>,
}

fn summed_drive(bytes: vec4<u32>, signs: vec4<f32>, table_at: u32) -> Summed {
    var s = Summed(vec4<f32>(0.0), vec4<f32>(0.0));
    for (var t = 0u; t < DAC_STEPS; t++) {
        let d = f32(step_place(t)) * step_drive(bytes, signs, t, table_at);
        s.drive += d;
        s.square += d * d;
    }
    return s;
}
