// Non-linearities. Twin: src/backend/cpu/math.rs.

const ACT_IDENTITY: u32 = 0u;
const ACT_RELU: u32 = 1u;
const ACT_TANH: u32 = 2u;
const ACT_LEAKY_RELU: u32 = 3u;
const ACT_CLIP: u32 = 4u;
const ACT_SIGMOID: u32 = 5u;
const ACT_HARD_SIGMOID: u32 = 6u;
const ACT_HARD_SWISH: u32 = 7u;
const ACT_ABS: u32 = 8u;
const ACT_SIGN: u32 = 9u;
const ACT_FLOOR: u32 = 10u;

// Beyond this magnitude tanh is 1 in f32.
const TANH_LIMIT: f32 = 9.0;

// min(max(v, lo), hi) that keeps NaN, which the functions of WGSL need not.
fn limited(v: vec4<f32>, lo: f32, hi: f32) -> vec4<f32> {
    let raised = select(v, vec4<f32>(lo), v < vec4<f32>(lo));
    return select(raised, vec4<f32>(hi), raised > vec4<f32>(hi));
}

// tanh(x) = x P(x^2) / Q(x^2), the same coefficients as on the CPU: positive, so that nothing
// cancels, and the same on every device up to the rounding of fused multiplications.
fn tanh_own(x: vec4<f32>) -> vec4<f32> {
    let v = limited(x, -TANH_LIMIT, TANH_LIMIT);
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
    return limited(v * n / d, -1.0, 1.0);
}

// Below this e^x is no normal f32, and 0 here.
const EXP_LIMIT: f32 = -87.33;

// e^x for x <= 0: x = n ln 2 + r, Taylor's series of degree 7 for e^r, as on the CPU.
fn exp_negative(x: vec4<f32>) -> vec4<f32> {
    let tiny = x < vec4<f32>(EXP_LIMIT);
    let v = select(x, vec4<f32>(EXP_LIMIT), tiny);
    let n = vec4<i32>(round(v * 1.442695040889));
    // ln 2 = 355/512 - 2.1219444e-4: the product with the first part is exact, and made of integers
    // because compilers join the two factors of n, which costs 20 units in the last place.
    let high = v - vec4<f32>(n * 355) * (1.0 / 512.0);
    let r = fma(vec4<f32>(n), vec4<f32>(2.1219444e-4), high);
    var e = vec4<f32>(1.0 / 5040.0);
    e = fma(e, r, vec4<f32>(1.0 / 720.0));
    e = fma(e, r, vec4<f32>(1.0 / 120.0));
    e = fma(e, r, vec4<f32>(1.0 / 24.0));
    e = fma(e, r, vec4<f32>(1.0 / 6.0));
    e = fma(e, r, vec4<f32>(0.5));
    e = fma(e, r, vec4<f32>(1.0));
    e = fma(e, r, vec4<f32>(1.0));
    // 127 is the bias of an exponent.
    let two_n = bitcast<vec4<f32>>((n + vec4<i32>(127)) << vec4<u32>(23u));
    return select(e * two_n, vec4<f32>(0.0), tiny);
}

// 1 / (1 + e^-x), as accurate near 0 as near 1.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    let t = exp_negative(-abs(x));
    return select(vec4<f32>(1.0), t, x < vec4<f32>(0.0)) / (vec4<f32>(1.0) + t);
}

// `a` are the activation's constants: slope; limits; slope and offset.
fn activate(v: vec4<f32>, act: u32, a: vec2<f32>) -> vec4<f32> {
    switch act {
        case ACT_RELU: {
            return select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
        }
        case ACT_TANH: {
            return tanh_own(v);
        }
        case ACT_LEAKY_RELU: {
            return select(a.x * v, v, v > vec4<f32>(0.0));
        }
        case ACT_CLIP: {
            return limited(v, a.x, a.y);
        }
        case ACT_SIGMOID: {
            return sigmoid(v);
        }
        case ACT_HARD_SIGMOID: {
            return limited(fma(vec4<f32>(a.x), v, vec4<f32>(a.y)), 0.0, 1.0);
        }
        case ACT_HARD_SWISH: {
            return v * limited(fma(v, vec4<f32>(1.0 / 6.0), vec4<f32>(0.5)), 0.0, 1.0);
        }
        case ACT_ABS: {
            return abs(v);
        }
        case ACT_SIGN: {
            // Keeps NaN, which the function of WGSL need not.
            let below = select(v, vec4<f32>(-1.0), v < vec4<f32>(0.0));
            return select(below, vec4<f32>(1.0), v > vec4<f32>(0.0));
        }
        case ACT_FLOOR: {
            return floor(v);
        }
        default: {
            return v;
        }
    }
}

// Derivative from the output of the activation (hard swish, magnitude: from its input).
fn activation_slope(y: vec4<f32>, act: u32, a: vec2<f32>) -> vec4<f32> {
    let zero = vec4<f32>(0.0);
    let one = vec4<f32>(1.0);
    switch act {
        case ACT_RELU: {
            return select(zero, one, y > zero);
        }
        case ACT_TANH: {
            return one - y * y;
        }
        case ACT_LEAKY_RELU: {
            return select(vec4<f32>(a.x), one, y > zero);
        }
        case ACT_CLIP: {
            return select(zero, one, (y > vec4<f32>(a.x)) & (y < vec4<f32>(a.y)));
        }
        case ACT_SIGMOID: {
            return y * (one - y);
        }
        case ACT_HARD_SIGMOID: {
            return select(zero, vec4<f32>(a.x), (y > zero) & (y < one));
        }
        case ACT_HARD_SWISH: {
            let above = select(y * (1.0 / 3.0) + vec4<f32>(0.5), one, y >= vec4<f32>(3.0));
            return select(above, zero, y <= vec4<f32>(-3.0));
        }
        case ACT_ABS: {
            return select(select(zero, -one, y < zero), one, y > zero);
        }
        case ACT_SIGN, ACT_FLOOR: {
            return zero;
        }
        default: {
            return one;
        }
    }
}
