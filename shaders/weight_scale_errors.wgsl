//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/weight_scale.wgsl
// Squared quantization errors of the candidate steps of weight_scale, twelve a workgroup:
// partial sums errors[group][candidate][chunk].

// Candidates of a workgroup.
const BATCH: u32 = 12u;

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<SelectState>;
@group(0) @binding(4) var<storage, read_write> errors: array<f32>;

fn squared_errors(v: f32, steps: vec4<f32>) -> vec4<f32> {
    // A step of 0 quantizes everything to 0.
    let safe = select(vec4<f32>(1.0), steps, steps > vec4<f32>(0.0));
    let codes = clamp(round(vec4<f32>(v) / safe), vec4<f32>(-params.q), vec4<f32>(params.q));
    let rest = vec4<f32>(v) - steps * codes;
    return rest * rest;
}

fn steps_from(first: u32, median: f32, most: f32) -> vec4<f32> {
    let count = params.candidates;
    let kind = params.line_search;
    // Beyond the last candidate the sums are not stored; min keeps the steps finite.
    return vec4<f32>(
        candidate(min(first, count), count, kind, median, most, params.q),
        candidate(min(first + 1u, count), count, kind, median, most, params.q),
        candidate(min(first + 2u, count), count, kind, median, most, params.q),
        candidate(min(first + 3u, count), count, kind, median, most, params.q),
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Chunk fastest, then group, then batch of candidates.
    let flat = flat_group(id, grid);
    let chunk = flat % params.chunks;
    let group = (flat / params.chunks) % params.groups;
    let first = flat / (params.chunks * params.groups) * BATCH;
    if first >= params.candidates {
        return;
    }
    let median = bitcast<f32>(state[group].prefix);
    let most = bitcast<f32>(atomicLoad(&state[group].max_bits));
    let steps_a = steps_from(first, median, most);
    let steps_b = steps_from(first + 4u, median, most);
    let steps_c = steps_from(first + 8u, median, most);
    var sum_a = vec4<f32>(0.0);
    var sum_b = vec4<f32>(0.0);
    var sum_c = vec4<f32>(0.0);
    let end = min((chunk + 1u) * CHUNK, params.size);
    for (var i = chunk * CHUNK + lane; i < end; i += REDUCE_SIZE) {
        let v = w[place(params, group, i)];
        sum_a += squared_errors(v, steps_a);
        sum_b += squared_errors(v, steps_b);
        sum_c += squared_errors(v, steps_c);
    }
    sum_a = workgroup_sum(lane, sum_a);
    sum_b = workgroup_sum(lane, sum_b);
    sum_c = workgroup_sum(lane, sum_c);
    let index = first + lane;
    if lane < BATCH && index < params.candidates {
        let quad = select(select(sum_c, sum_b, lane < 8u), sum_a, lane < 4u);
        errors[(group * params.candidates + index) * params.chunks + chunk] = quad[lane % 4u];
    }
}
