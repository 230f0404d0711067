// Non-linearities. Twin: src/backend/cpu/math.rs.

const ACT_IDENTITY: u32 = 0u;
const ACT_RELU: u32 = 1u;
const ACT_TANH: u32 = 2u;

// tanh by a rational minimax approximation of degree 13/6 on [-7.9, 7.9] (the coefficients of
// Eigen's generic_fast_tanh_float); an odd function, exact to a few ulp, the same on every device
// up to the rounding of fused multiplications.
fn tanh_own(x: vec4<f32>) -> vec4<f32> {
    let v = clamp(x, vec4<f32>(-7.90531110763549805), vec4<f32>(7.90531110763549805));
    let s = v * v;
    var n = vec4<f32>(-2.76076847742355e-16);
    n = fma(n, s, vec4<f32>(2.00018790482477e-13));
    n = fma(n, s, vec4<f32>(-8.60467152213735e-11));
    n = fma(n, s, vec4<f32>(5.12229709037114e-08));
    n = fma(n, s, vec4<f32>(1.48572235717979e-05));
    n = fma(n, s, vec4<f32>(6.37261928875436e-04));
    n = fma(n, s, vec4<f32>(4.89352455891786e-03));
    var d = vec4<f32>(1.19825839466702e-06);
    d = fma(d, s, vec4<f32>(1.18534705686654e-04));
    d = fma(d, s, vec4<f32>(2.26843463243900e-03));
    d = fma(d, s, vec4<f32>(4.89352518554385e-03));
    return v * n / d;
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
