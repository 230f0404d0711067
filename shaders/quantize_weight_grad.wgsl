//!include shared/run.wgsl
//!include shared/reduce.wgsl
//!include shared/quantize.wgsl
// dw = dq * mask, and for LSQ (Esser et al., arXiv 1902.08153) the partial sums of the gradient
// of the step, dq * (round(w/d) - w/d inside, +-Q outside; one bit: the sign). Workgroup f works on chunk f % chunks
// of group f / chunks.

// Weights of a workgroup; twin of CHUNK in src/backend/wgpu/quantize_weight.rs.
const CHUNK: u32 = 4096u;

struct Params {
    // Weights that share a step, chunks of them, groups.
    size: u32,
    chunks: u32,
    groups: u32,
    bits: u32,
    // 1: the gradient passes inside the range only; 0: everywhere.
    clip: u32,
    // 1: the gradient of the step is wanted.
    learned: u32,
    // Highest code.
    q: f32,
    // Consecutive weights that share a step; runs take the steps in turn.
    run: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> dq: array<f32>;
@group(0) @binding(5) var<storage, read_write> dw: array<f32>;
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let group = flat / params.chunks;
    let chunk = flat % params.chunks;
    if group >= params.groups {
        return;
    }
    let d = scale[group];
    let safe = select(1.0, d, d > 0.0);
    let limit = upper_end(params.q, d);
    var total = 0.0;
    let end = min((chunk + 1u) * CHUNK, params.size);
    for (var k = chunk * CHUNK + lane; k < end; k += REDUCE_SIZE) {
        let i = (k / params.run * params.groups + group) * params.run + k % params.run;
        let v = w[i];
        let g = dq[i];
        let r = v / safe;
        let inside = abs(v) <= limit;
        let in_range = select(inside, abs(v) <= 1.0, params.bits == 1u);
        dw[i] = select(0.0, g, in_range || params.clip == 0u || params.bits == 0u);
        var slope = select(sign(v) * params.q, round(r) - r, inside);
        if params.bits < 2u {
            slope = select(0.0, select(-1.0, 1.0, v >= 0.0), params.bits == 1u);
        }
        total += g * slope;
    }
    if params.learned == 1u {
        total = workgroup_sum(lane, vec4<f32>(total, 0.0, 0.0, 0.0)).x;
        if lane == 0u {
            partial[flat] = total;
        }
    }
}
