//!include shared/run.wgsl
//!include shared/weight_scale.wgsl
// After a histogram of weight_scale: finds the bin that holds the wanted rank, appends its digit
// to the prefix, and clears the histogram for the next digit. One workgroup a group; lane l owns
// the bins 8l .. 8l+7.

const BINS_PER_LANE: u32 = BINS / 256u;

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read_write> state: array<SelectState>;
@group(0) @binding(3) var<storage, read_write> histogram: array<u32>;

var<workgroup> running: array<u32, 256>;
// Prefix and rank before this pass: copied because one lane overwrites them below.
var<workgroup> before: vec2<u32>;

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
    let first = group * BINS + lane * BINS_PER_LANE;
    var own = 0u;
    for (var b = 0u; b < BINS_PER_LANE; b++) {
        own += histogram[first + b];
    }
    running[lane] = own;
    if lane == 0u {
        before = vec2<u32>(state[group].prefix, state[group].rank);
    }
    workgroupBarrier();
    // Inclusive prefix sum over the lanes.
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        var left = 0u;
        if lane >= reach {
            left = running[lane - reach];
        }
        workgroupBarrier();
        running[lane] += left;
        workgroupBarrier();
    }
    if params.digit == 0u && lane == 0u {
        let counted = running[255];
        let between = u32(position_of(params, counted).x);
        before = vec2<u32>(0u, select(params.rank, between, counted < params.size));
        state[group].counted = counted;
    }
    workgroupBarrier();
    let rank = before.y;
    var below = running[lane] - own;
    for (var b = 0u; b < BINS_PER_LANE; b++) {
        let count = histogram[first + b];
        histogram[first + b] = 0u;
        if rank >= below && rank < below + count {
            let shift = select(10u, 11u, params.digit == 0u);
            let prefix = (before.x << shift) | (lane * BINS_PER_LANE + b);
            state[group].prefix = prefix;
            state[group].rank = rank - below;
            // Whether the next order statistic is the same value; else weight_scale_next finds it.
            let repeated = rank + 1u < below + count;
            atomicStore(&state[group].next_bits, select(NO_NEXT, prefix, repeated));
        }
        below += count;
    }
}
