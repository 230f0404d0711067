//!include shared/run.wgsl
//!include shared/cell.wgsl
//!include shared/profile.wgsl
// dw = sum over chips of gain * dout * s, with s = 1 + e + scaled deviate of the cell that carries
// the weight (proportional law), or 1 (fixed law); with a profile 1 + e or 1, and the slope of the profile there times
// that deviate. One invocation sums four weights over the
// wave, chip after chip, and draws the forward operator's deviates again.

struct Params {
    dout: View,
    shape: vec2<f32>,
    sigma: f32,
    layer: u32,
    rows: u32,
    cols: u32,
    // 1 where every column has its own full scale, else 0.
    per_column: u32,
    g_min: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
// Where PROFILE.
@group(0) @binding(3) var<storage, read> full_scale: array<f32>;
// Common deviation, gain, offset of every chip.
@group(0) @binding(4) var<storage, read> chips: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> dout: array<vec4<f32>>;
// Start and rise of the PROFILE pieces, where there are any.
@group(0) @binding(6) var<storage, read> profile: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> dw: array<vec4<f32>>;

// Slope of the profile at the cells that carry the weights of a block.
fn slopes(block: u32) -> vec4<f32> {
    var full = vec4<f32>(full_scale[0]);
    if params.per_column == 1u {
        // The last block may reach beyond the last cell.
        let cells = vec4<u32>(4u * block) + vec4<u32>(0u, 1u, 2u, 3u);
        let o = min(cells / params.rows, vec4<u32>(params.cols - 1u));
        full = vec4<f32>(full_scale[o.x], full_scale[o.y], full_scale[o.z], full_scale[o.w]);
    }
    let part = select(vec4<f32>(0.0), w[block] / full, full > vec4<f32>(0.0));
    let span = 1.0 - params.g_min;
    if MAPPING == MAPPING_IDEAL {
        let slope = profile_slope4(abs(part));
        return select(slope, -slope, w[block] < vec4<f32>(0.0));
    }
    if MAPPING == MAPPING_DIFFERENTIAL {
        return profile_slope4(params.g_min + span * abs(part));
    }
    return profile_slope4(params.g_min + span * ((part + 1.0) * 0.5));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = flat_group(id, grid) * 64u + lane;
    if 4u * block >= params.dout.len {
        return;
    }
    let negative = w[block] < vec4<f32>(0.0);
    var slope = vec4<f32>(0.0);
    if PROFILE > 0u {
        slope = slopes(block);
    }
    var sum = vec4<f32>(0.0);
    for (var position = 0u; position < run.chips; position++) {
        let chip = chips[position];
        var s = vec4<f32>(1.0);
        if LAW == LAW_PROPORTIONAL || PROFILE > 0u {
            let words = cell_words(block, params.layer, position, PURPOSE_CELL);
            var z = deviate4(words, params.sigma, params.shape);
            if MAPPING == MAPPING_DIFFERENTIAL {
                let others = cell_words(block, params.layer, position, PURPOSE_CELL_NEGATIVE);
                z = select(z, deviate4(others, params.sigma, params.shape), negative);
            }
            if PROFILE > 0u {
                s = 1.0 + select(0.0, chip.x, LAW == LAW_PROPORTIONAL) + slope * z;
            } else {
                s = 1.0 + chip.x + z;
            }
        }
        sum += chip.y * dout[chip_base(params.dout, position) / 4u + block] * s;
    }
    dw[block] = sum;
}
