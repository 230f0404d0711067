// Measured cells: src/effects/sampled. Constants: HAS_SAMPLES.

const PURPOSE_CELL_SAMPLE: u32 = 32u;

// Targets, where the deviations of each begin (whole numbers, one more than targets), and the deviations.
struct Sampled {
    targets_at: u32,
    targets_len: u32,
    starts_at: u32,
    starts_len: u32,
    deviations_at: u32,
    deviations_len: u32,
}

// Quantile of the deviations at targets.
fn sampled_quantile(v: Sampled, target_index: vec4<u32>, u: vec4<f32>) -> vec4<f32> {
    let start = vec4<u32>(v.starts_at) + target_index;
    let at = vec4<u32>(float4(start));
    let n = vec4<u32>(float4(start + 1u)) - at;
    let i = min(vec4<u32>(u * vec4<f32>(n)), n - 1u);
    return float4(vec4<u32>(v.deviations_at) + at + i);
}

fn apply_sampled(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    if HAS_SAMPLES {
        let v = p.sampled;
        let u = uniform4(own_words(p, c, PURPOSE_CELL_SAMPLE));
        var below = vec4<u32>(0u);
        for (var l = 1u; l + 1u < v.targets_len; l++) {
            let target_g = bitcast<f32>(table[v.targets_at + l]);
            below = select(below, vec4<u32>(l), vec4<f32>(target_g) <= s.g);
        }
        let above = min(below + 1u, vec4<u32>(v.targets_len - 1u));
        let low = float4(vec4<u32>(v.targets_at) + below);
        let high = float4(vec4<u32>(v.targets_at) + above);
        // A target alone is below and above.
        let span = select(vec4<f32>(1.0), high - low, high > low);
        let share = clamp((s.g - low) / span, vec4<f32>(0.0), vec4<f32>(1.0));
        let t = select(vec4<f32>(0.0), share, high > low);
        s.g += (1.0 - t) * sampled_quantile(v, below, u) + t * sampled_quantile(v, above, u);
    }
    return s;
}
