//!include shared/run.wgsl
//!include shared/cell.wgsl
// Mean deviates of the columns that fabricate refers to: per chip and row the mean over `copies`
// cells of an offset mapping's reference column (x) and over the self-tuning reference columns
// (y; of z+ - z- where cells come in pairs), times sigma. One invocation a row.

struct Params {
    rows: u32,
    // Cells averaged in the offset mapping's reference column, 0 for none.
    copies: u32,
    // Self-tuning reference columns, 0 for none.
    columns: u32,
    layer: u32,
    shape: vec2<f32>,
    sigma: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> reference: array<vec2<f32>>;

fn mean_deviate(position: u32, row: u32, count: u32, purpose: u32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < count; j++) {
        let address = j * params.rows + row;
        let words = cell_words(address / 4u, params.layer, position, purpose);
        // All four at once costs nothing on vector hardware.
        sum += deviate4(words, params.sigma, params.shape)[address % 4u];
    }
    return sum / f32(max(count, 1u));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(id, grid) * 64u + lane;
    let position = chip_of(id);
    if row >= params.rows || position >= run.chips {
        return;
    }
    let offset = mean_deviate(position, row, params.copies, PURPOSE_OFFSET_REFERENCE);
    var columns = mean_deviate(position, row, params.columns, PURPOSE_REFERENCE_COLUMN);
    if MAPPING == MAPPING_DIFFERENTIAL {
        columns -=
            mean_deviate(position, row, params.columns, PURPOSE_REFERENCE_COLUMN_NEGATIVE);
    }
    reference[position * params.rows + row] = vec2<f32>(offset, columns);
}
