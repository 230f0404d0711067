// Non-linearities. Twin: src/backend/cpu/math.rs.

const ACT_IDENTITY: u32 = 0u;
const ACT_RELU: u32 = 1u;
const ACT_TANH: u32 = 2u;

// Beyond this magnitude tanh is 1 in f32.
const TANH_LIMIT: f32 = 9.0;

// tanh(x) = x P(x^2) / Q(x^2), the same coefficients as on the CPU: positive, so that nothing
// cancels, and the same on every device up to the rounding of fused multiplications.
fn tanh_own(x: vec4<f32>) -> vec4<f32> {
    let v = clamp(x, vec4<f32>(-TANH_LIMIT), vec4<f32>(TANH_LIMIT));
    let u = v * v;
    var n = vec4<f32>(1.33548995344e-8);
    n = fma(n, u, vec4<f32>(2.06092718568e-5));
    n = fma(n, u, vec4<f32>(3.49560045027e-3));
    n = fma(n, u, vec4<f32>(0.133810363027));
    n = fma(n, u, vec4<f32>(0.999999979544));
    var d = vec4<f32>(7.776660918e-7);
    d = fma(d, u, vec4<f32>(3.28565439684e-4));
    d = fma(d, u, vec4<f32>(2.58770299528e-2));
    d = fma(d, u, vec4<f32>(0.467143519183));
    d = fma(d, u, vec4<f32>(1.0));
    return clamp(v * n / d, vec4<f32>(-1.0), vec4<f32>(1.0));
}

fn activate(v: vec4<f32>, act: u32) -> vec4<f32> {
    if act == ACT_RELU {
        return max(v, vec4<f32>(0.0));
    }
    if act == ACT_TANH {
        return tanh_own(v);
    }
    return v;
}

// Derivative from the output of the activation.
fn activation_slope(y: vec4<f32>, act: u32) -> vec4<f32> {
    if act == ACT_RELU {
        return select(vec4<f32>(0.0), vec4<f32>(1.0), y > vec4<f32>(0.0));
    }
    if act == ACT_TANH {
        return vec4<f32>(1.0) - y * y;
    }
    return vec4<f32>(1.0);
}
