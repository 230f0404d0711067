//!include shared/run.wgsl
//!include shared/cell.wgsl
// dw = sum over chips of gain * dout * s, with s = 1 + e + scaled deviate of the cell that carries
// the weight (proportional law), or 1 (fixed law). One invocation sums four weights over the
// wave, chip after chip, and draws the forward operator's deviates again.

struct Params {
    dout: View,
    shape: vec2<f32>,
    sigma: f32,
    layer: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
// Common deviation, gain, offset of every chip.
@group(0) @binding(3) var<storage, read> chips: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dout: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;

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
    var sum = vec4<f32>(0.0);
    for (var position = 0u; position < run.chips; position++) {
        let chip = chips[position];
        var s = vec4<f32>(1.0);
        if LAW == LAW_PROPORTIONAL {
            let words = cell_words(block, params.layer, position, PURPOSE_CELL);
            var z = deviate4(words, params.sigma, params.shape);
            if MAPPING == MAPPING_DIFFERENTIAL {
                let others = cell_words(block, params.layer, position, PURPOSE_CELL_NEGATIVE);
                z = select(z, deviate4(others, params.sigma, params.shape), negative);
            }
            s = 1.0 + chip.x + z;
        }
        sum += chip.y * dout[chip_base(params.dout, position) / 4u + block] * s;
    }
    dw[block] = sum;
}
