//!include shared/run.wgsl
//!include shared/reduce.wgsl
// dw = dy where |w| <= c, else 0; where the bound follows the spread of its group, also
// s times^2 (w - mean) / (run c), s the sum of dy sign(w) over the clipped weights. One workgroup a group.

struct Params {
    groups: u32,
    // Weights of a group.
    run: u32,
    // 1: the bound follows the spread.
    follows: u32,
    times: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bound: array<f32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(id, grid);
    if group >= params.groups {
        return;
    }
    let first = group * params.run;
    let c = bound[group];
    var clipped = 0.0;
    for (var i = lane; i < params.run; i += REDUCE_SIZE) {
        let v = w[first + i];
        clipped += select(sign(v) * dy[first + i], 0.0, abs(v) <= c);
    }
    var slope = 0.0;
    var center = 0.0;
    if params.follows == 1u {
        let s = workgroup_sum(lane, vec4<f32>(clipped, 0.0, 0.0, 0.0)).x;
        if c > 0.0 {
            slope = s * params.times * params.times / (f32(params.run) * c);
        }
        center = mean[group];
    }
    for (var i = lane; i < params.run; i += REDUCE_SIZE) {
        let v = w[first + i];
        dw[first + i] = select(0.0, dy[first + i], abs(v) <= c) + slope * (v - center);
    }
}
