//!include shared/run.wgsl
// state += rate (times value - state). One invocation four values of a chip.

// Values of `kind` beside 0, a fixed rate: the value replaces the state at step 0; the running
// mean of all values; a sum instead of an average.
const RATE_FIXED_FROM_FIRST: u32 = 1u;
const RATE_CUMULATIVE: u32 = 2u;
const RATE_SUM: u32 = 3u;

struct Params {
    state: View,
    value: View,
    kind: u32,
    rate: f32,
    times: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> value: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(id, grid) * 64u + lane;
    let chip = chip_of(id);
    if 4u * i >= params.state.len || chip >= run.chips {
        return;
    }
    let at = chip_base(params.state, chip) / 4u + i;
    let old = state[at];
    let goal = params.times * value[chip_base(params.value, chip) / 4u + i];
    if params.kind == RATE_SUM {
        state[at] = old + goal;
        return;
    }
    var rate = params.rate;
    if params.kind == RATE_CUMULATIVE {
        rate = 1.0 / f32(run.step + 1u);
    }
    if params.kind == RATE_FIXED_FROM_FIRST && run.step == 0u {
        rate = 1.0;
    }
    // A rate of 1 replaces the state, whatever it was.
    state[at] = select(old + rate * (goal - old), goal, rate == 1.0);
}
