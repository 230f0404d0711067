// Sums and maxima over a workgroup of 256 as a fixed tree, so that every run adds in the same
// order (float atomics would not). Call from uniform control flow with every invocation.

const REDUCE_SIZE: u32 = 256u;

var<workgroup> reduce_lanes: array<vec4<f32>, REDUCE_SIZE>;

// Component-wise sum over the workgroup; every invocation gets it.
fn workgroup_sum(lane: u32, value: vec4<f32>) -> vec4<f32> {
    workgroupBarrier();
    reduce_lanes[lane] = value;
    workgroupBarrier();
    for (var half = REDUCE_SIZE / 2u; half > 0u; half = half / 2u) {
        if lane < half {
            reduce_lanes[lane] = reduce_lanes[lane] + reduce_lanes[lane + half];
        }
        workgroupBarrier();
    }
    return reduce_lanes[0];
}

// Component-wise maximum over the workgroup; every invocation gets it.
fn workgroup_max(lane: u32, value: vec4<f32>) -> vec4<f32> {
    workgroupBarrier();
    reduce_lanes[lane] = value;
    workgroupBarrier();
    for (var half = REDUCE_SIZE / 2u; half > 0u; half = half / 2u) {
        if lane < half {
            reduce_lanes[lane] = max(reduce_lanes[lane], reduce_lanes[lane + half]);
        }
        workgroupBarrier();
    }
    return reduce_lanes[0];
}

fn across(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn largest(v: vec4<f32>) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}
