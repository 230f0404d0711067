//!include shared/activation.wgsl
//!include shared/quantize.wgsl
//!include shared/run.wgsl
// Epilogue of a pre-activation value, in this order, each part switched by a constant:
// v = scale * v + shift, v = v + residual, v = act(v), v = d * clamp(round(v / d), lo, hi).
// Constants from the prelude: HAS_SCALE, HAS_SHIFT, HAS_RESIDUAL, ACT, HAS_QUANT, QUANT_FLOOR.
// Twin: PostParams in src/backend/wgpu/post.rs.

struct Post {
    scale: View,
    shift: View,
    residual: View,
    lo: f32,
    hi: f32,
    // Constants of the activation.
    act: vec2<f32>,
}

fn post_value(
    value: vec4<f32>,
    scale: f32,
    shift: f32,
    residual: vec4<f32>,
    step: f32,
    post: Post,
) -> vec4<f32> {
    var v = value;
    if HAS_SCALE {
        v = v * scale;
    }
    if HAS_SHIFT {
        v = v + shift;
    }
    if HAS_RESIDUAL {
        v = v + residual;
    }
    v = activate(v, ACT, post.act);
    if HAS_QUANT {
        v = quantize(v, step, post.lo, post.hi, QUANT_FLOOR);
    }
    return v;
}
