// How input codes drive the rows: src/effects/drive. The codes of four images are a word, eight bits each; with
// SIGNED (sign and magnitude) they are magnitudes, and the next word holds 1 for each negative one.
// No number is converted to a float: GPUs do that at a fraction of the rate of everything else here.
// Constants: SIGNED, TWOS (the codes are two's complements), DAC_BITS, DAC_TABLE, ANALOG_SUM, and
// DAC_STEPS, the steps of a code. Bound by the kernel's file: `codes`, `table`.

fn code_bytes(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u);
}

// The sign bit of a float where a code is negative.
fn code_signs(at: u32) -> vec4<u32> {
    if SIGNED {
        return (vec4<u32>(codes[at + 1u]) << vec4<u32>(31u, 23u, 15u, 7u)) & vec4<u32>(0x80000000u);
    }
    return vec4<u32>(0u);
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
        return select(v, -v, code_signs(at) != vec4<u32>(0u));
    }
    if TWOS {
        return v - ((v >> vec4<u32>(input_bits - 1u)) << vec4<u32>(input_bits));
    }
    return v;
}

// The codes from step `t` on: their digits begin at the first bit. Where digits do not fill a code, the bits
// of the next code go.
fn from_step(word: u32, t: u32) -> u32 {
    let left = word >> (t * DAC_BITS);
    if 8u % DAC_BITS == 0u {
        return left;
    }
    return left & (0x01010101u * (255u >> (t * DAC_BITS)));
}

// Digit `t` of four codes, the last one with the bits that are left.
fn digits(word: u32, t: u32) -> vec4<u32> {
    let first = t * DAC_BITS;
    let mask = (1u << min(DAC_BITS, 8u - first)) - 1u;
    return (vec4<u32>(word) >> (vec4<u32>(0u, 8u, 16u, 24u) + vec4<u32>(first))) & vec4<u32>(mask);
}

// Bits of a float: 0 where a bit of the word is 0, else 1.
fn bit_drive(word: u32, bit: u32) -> u32 {
    return bitcast<u32>(extractBits(bitcast<i32>(word), bit, 1u)) & 0x3f800000u;
}

// Drive of digit `t` of four codes.
fn digit_drive(word: u32, t: u32, table_at: u32) -> vec4<f32> {
    if DAC_TABLE {
        let digit = digits(word, t) + vec4<u32>(table_at);
        return vec4<f32>(
            bitcast<f32>(table[digit.x]),
            bitcast<f32>(table[digit.y]),
            bitcast<f32>(table[digit.z]),
            bitcast<f32>(table[digit.w]),
        );
    }
    if DAC_BITS == 1u {
        return bitcast<vec4<f32>>(vec4<u32>(
            bit_drive(word, t), bit_drive(word, 8u + t), bit_drive(word, 16u + t), bit_drive(word, 24u + t),
        ));
    }
    // Digits are the last bits of 2^23 + digit.
    return bitcast<vec4<f32>>(digits(word, t) | vec4<u32>(0x4b000000u)) - vec4<f32>(8388608.0);
}

// Drive of step `t` of four codes.
fn step_drive(word: u32, signs: vec4<u32>, t: u32, table_at: u32) -> vec4<f32> {
    let d = digit_drive(word, t, table_at);
    if SIGNED {
        return bitcast<vec4<f32>>(bitcast<vec4<u32>>(d) ^ signs);
    }
    return d;
}

// The square of a drive.
fn square(d: vec4<f32>) -> vec4<f32> {
    if DAC_BITS == 1u && !DAC_TABLE {
        return abs(d);
    }
    return d * d;
}

// All steps at once, weighted by place: their sum, and the sum of their squares for read noise, which is
// another one in every step.
struct Summed {
    drive: vec4<f32>,
    square: vec4<f32>,
}

fn summed_drive(word: u32, signs: vec4<u32>, table_at: u32) -> Summed {
    var s = Summed(vec4<f32>(0.0), vec4<f32>(0.0));
    for (var t = 0u; t < DAC_STEPS; t++) {
        let d = f32(step_place(t)) * step_drive(word, signs, t, table_at);
        s.drive += d;
        s.square += d * d;
    }
    return s;
}
