//!include shared/run.wgsl
//!include shared/weight_scale.wgsl
// Last pass of weight_scale: writes the step and the largest representable magnitude of each
// group. One workgroup a group; lane l adds up the errors of candidate l, chunk after chunk
// (or, for the mean, every 128th sum).

// How the step follows from what the passes before found.
const METHOD_UNQUANTIZED: u32 = 0u;
const METHOD_MEAN: u32 = 1u;
const METHOD_MAX: u32 = 2u;
const METHOD_PERCENTILE: u32 = 3u;
const METHOD_SEARCH: u32 = 4u;
const METHOD_KEEP: u32 = 5u;

@group(0) @binding(1) var<uniform> params: ScaleParams;
@group(0) @binding(2) var<storage, read_write> state: array<SelectState>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read> errors: array<f32>;
@group(0) @binding(5) var<storage, read_write> scale: array<f32>;
@group(0) @binding(6) var<storage, read_write> full_scale: array<f32>;

var<workgroup> totals: array<f32, 128>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(id, grid);
    if group >= params.groups {
        return;
    }
    var total = 0.0;
    if params.method == METHOD_SEARCH && lane < params.candidates {
        let first = (group * params.candidates + lane) * params.chunks;
        for (var chunk = 0u; chunk < params.chunks; chunk++) {
            total += errors[first + chunk];
        }
    }
    if params.method == METHOD_MEAN {
        for (var chunk = lane; chunk < params.chunks; chunk += 128u) {
            total += sums[group * params.chunks + chunk];
        }
    }
    totals[lane] = total;
    workgroupBarrier();
    if lane > 0u {
        return;
    }
    let most = bitcast<f32>(atomicLoad(&state[group].max_bits));
    let found = bitcast<f32>(state[group].prefix);
    var step = scale[group];
    switch params.method {
        case METHOD_UNQUANTIZED: {
            step = 1.0;
        }
        case METHOD_MEAN: {
            var sum = 0.0;
            for (var i = 0u; i < 128u; i++) {
                sum += totals[i];
            }
            step = sum / f32(params.size);
        }
        case METHOD_MAX: {
            step = most / params.q;
        }
        case METHOD_PERCENTILE: {
            let bits = atomicLoad(&state[group].next_bits);
            let next = select(found, bitcast<f32>(bits), bits < NO_NEXT);
            let counted = state[group].counted;
            let between = select(params.fraction, position_of(params, counted).y, counted < params.size);
            step = (found + between * (next - found)) / params.q;
        }
        case METHOD_SEARCH: {
            var best = 0u;
            for (var i = 1u; i < params.candidates; i++) {
                if totals[i] < totals[best] {
                    best = i;
                }
            }
            step = candidate(best, params.candidates, params.line_search, found, most, params.q);
        }
        default: {}
    }
    scale[group] = step;
    full_scale[group] = select(params.q * max(step, 0.0), most, params.method == METHOD_UNQUANTIZED);
}
