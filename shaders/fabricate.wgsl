//!include shared/run.wgsl
//!include shared/cell.wgsl
//!include shared/profile.wgsl
// Effective weights of every chip of the wave, out = gain * (w' - offset * full - ref[row]), with
// w' by the variance model LAW and the MAPPING (enums Law and Mapping of program.rs; the letters
// are theirs). One invocation makes four neighbouring weights of a chip from one Philox block.

struct Params {
    out: View,
    // Cells of a column, and columns.
    rows: u32,
    cols: u32,
    // 1 where every column has its own full scale, else 0.
    per_column: u32,
    layer: u32,
    shape: vec2<f32>,
    sigma: f32,
    g_min: f32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> full_scale: array<f32>;
// Common deviation, gain, offset of every chip.
@group(0) @binding(4) var<storage, read> chips: array<vec4<f32>>;
// From fabricate_reference, where COPIES or COLUMNS.
@group(0) @binding(5) var<storage, read> reference: array<vec2<f32>>;
// Start and rise of the PROFILE pieces, where there are any.
@group(0) @binding(6) var<storage, read> profile: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;

// w' of weights, of the part of the full scale that they are, with a profile: the law with the common deviation alone,
// and deviates of the cell and of the negative or reference cell times what the profile says.
fn profiled(
    v: vec4<f32>, part: vec4<f32>, full: vec4<f32>, e: f32, z: vec4<f32>, other: vec4<f32>,
) -> vec4<f32> {
    let span = 1.0 - params.g_min;
    let zero = vec4<f32>(0.0);
    if MAPPING == MAPPING_IDEAL {
        let together = select(full, v, LAW == LAW_PROPORTIONAL) * e;
        return v + together + full * (profile4(abs(part)) * z);
    }
    if MAPPING == MAPPING_DIFFERENTIAL {
        let positive = profile4(params.g_min + span * max(part, zero)) * z;
        let negative = profile4(params.g_min + span * max(-part, zero)) * other;
        let together = select(zero, v * e, LAW == LAW_PROPORTIONAL);
        return v + together + full / span * (positive - negative);
    }
    let g = params.g_min + span * ((part + 1.0) * 0.5);
    let centre = 0.5 * (1.0 + params.g_min);
    let subtracted = select(zero, profile4(vec4<f32>(centre)) * other, COPIES);
    var together = select(vec4<f32>(span * e), zero, COPIES);
    if LAW == LAW_PROPORTIONAL {
        together = (g - select(0.0, centre, COPIES)) * e;
    }
    return v + 2.0 * full / span * (together + (profile4(g) * z - subtracted));
}

// w' of weights with scaled deviates zp and zn (the negative cell's) on a chip with common
// deviation e; r is the scaled mean deviate of the offset mapping's reference column.
fn varied(
    v: vec4<f32>, full: vec4<f32>, e: f32, zp: vec4<f32>, zn: vec4<f32>, r: vec4<f32>,
) -> vec4<f32> {
    if MAPPING == MAPPING_IDEAL && PROFILE == 0u {
        if LAW == LAW_PROPORTIONAL {
            return v * (1.0 + e + zp);
        }
        return v + full * (e + zp);
    }
    // Weights relative to the largest.
    let part = select(vec4<f32>(0.0), v / full, full > vec4<f32>(0.0));
    let span = 1.0 - params.g_min;
    if PROFILE > 0u {
        return profiled(v, part, full, e, zp, select(zn, r, MAPPING == MAPPING_OFFSET));
    }
    if MAPPING == MAPPING_DIFFERENTIAL {
        if LAW == LAW_PROPORTIONAL {
            let gp = params.g_min + span * max(part, vec4<f32>(0.0));
            let gn = params.g_min + span * max(-part, vec4<f32>(0.0));
            return v * (1.0 + e) + full / span * (gp * zp - gn * zn);
        }
        return v + full * (zp - zn);
    }
    // Offset mapping: what is subtracted is exact unless it comes from a real column.
    let subtracted = select(vec4<f32>(0.0), e + r, COPIES);
    if LAW == LAW_PROPORTIONAL {
        let g = params.g_min + span * ((part + 1.0) * 0.5);
        let g_ref = 0.5 * (1.0 + params.g_min);
        return v + 2.0 * full / span * (g * (e + zp) - g_ref * subtracted);
    }
    return v + 2.0 * full * ((e + zp) - subtracted);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = flat_group(id, grid) * 64u + lane;
    let position = chip_of(id);
    if 4u * block >= params.out.len || position >= run.chips {
        return;
    }
    let cells = vec4<u32>(4u * block) + vec4<u32>(0u, 1u, 2u, 3u);
    var full = vec4<f32>(full_scale[0]);
    if params.per_column == 1u {
        // The last block may reach beyond the last cell.
        let o = min(cells / params.rows, vec4<u32>(params.cols - 1u));
        full = vec4<f32>(full_scale[o.x], full_scale[o.y], full_scale[o.z], full_scale[o.w]);
    }
    let chip = chips[position];
    let e = chip.x;

    let words = cell_words(block, params.layer, position, PURPOSE_CELL);
    let zp = deviate4(words, params.sigma, params.shape);
    var zn = vec4<f32>(0.0);
    if MAPPING == MAPPING_DIFFERENTIAL {
        let others = cell_words(block, params.layer, position, PURPOSE_CELL_NEGATIVE);
        zn = deviate4(others, params.sigma, params.shape);
    }
    var offset_mean = vec4<f32>(0.0);
    var column_mean = vec4<f32>(0.0);
    if COPIES || COLUMNS {
        let k = vec4<u32>(position * params.rows) + cells % params.rows;
        let a = reference[k.x];
        let b = reference[k.y];
        let c = reference[k.z];
        let d = reference[k.w];
        offset_mean = vec4<f32>(a.x, b.x, c.x, d.x);
        column_mean = vec4<f32>(a.y, b.y, c.y, d.y);
    }
    var value = varied(w[block], full, e, zp, zn, offset_mean);
    if COLUMNS {
        // What a weight of zero becomes there; the negative cell is already inside the mean.
        let zero = vec4<f32>(0.0);
        value -= varied(zero, full, e, column_mean, zero, offset_mean);
    }
    out[chip_base(params.out, position) / 4u + block] = chip.y * (value - chip.z * full);
}
