// Values as halves for cooperative matrices, `value = (high + low) / up`.

// The power of two that brings the largest magnitude to [2^13, 2^14), and its inverse: halves of such
// values are not subnormal where it matters. What is below 2^-100 is not scaled up further; what is infinite
// is none that halves could hold: the inverse is infinite then, and with it the results.
fn scaling(top: f32) -> vec2<f32> {
    // Exponents with their bias of 127.
    let exponent = max(bitcast<u32>(top) >> 23u, 27u);
    let down = select(exponent - 13u, 255u, exponent == 255u);
    return vec2<f32>(bitcast<f32>((267u - exponent) << 23u), bitcast<f32>(down << 23u));
}
