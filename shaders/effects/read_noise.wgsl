// Noise of reading a cell: src/effects/read_noise. Constants: HAS_NOISE_CURVE, HAS_ONE_OVER_F.

struct ReadNoise {
    proportional: f32,
    fixed: f32,
    curve_at: u32,
    curve_len: u32,
    // Standard deviation of 1/f noise by the conductance as programmed.
    one_over_f_at: u32,
    one_over_f_len: u32,
    // Where that curve's quotient by the conductance begins to be constant.
    one_over_f_least: f32,
}

// Variance of a read, relative to G_max squared; what is open does not conduct and is quiet.
fn read_variance(p: Programming, c: State) -> vec4<f32> {
    let n = p.read_noise;
    let g = c.g;
    let a = n.proportional * g;
    var v = a * a + vec4<f32>(n.fixed * n.fixed);
    if HAS_NOISE_CURVE {
        let s = curve(n.curve_at, n.curve_len, g);
        v += s * s;
    }
    if HAS_ONE_OVER_F {
        let x = clamp(c.programmed, vec4<f32>(n.one_over_f_least), vec4<f32>(1.0));
        let s = g * curve(n.one_over_f_at, n.one_over_f_len, x) / x;
        v += s * s;
    }
    return c.closed * v;
}
