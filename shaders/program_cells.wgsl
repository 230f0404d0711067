//!include shared/run.wgsl
//!include shared/programming.wgsl
//!include shared/half.wgsl
// Cells of a layer on every chip: read planes in level units, or with RAW the cells relative to
// G_max. One thread four neighbouring values. Constants: PAIRS (a read is the difference of two
// cells), RAW, HAS_REFERENCE (program_cells_reference.wgsl came before), HAS_VARIANCE, HALF (what is
// written are halves).

struct Params {
    cells: Programming,
    out: View,
    variance: View,
    array: View,
    // 1 where every column has a step of its own.
    per_column: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> step: array<f32>;
@group(0) @binding(4) var<storage, read> array_part: array<f32>;
@group(0) @binding(5) var<storage, read> table: array<u32>;
// Mean deviation and variance, relative to G_max: [chip][read plane][column tile][row].
@group(0) @binding(6) var<storage, read> reference: array<vec2<f32>>;
// Two floats, or four halves.
@group(0) @binding(7) var<storage, read_write> out: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> variance: array<vec4<f32>>;

fn code_of(i: u32, column: u32) -> i32 {
    let d = step[column * p.per_column];
    if d <= 0.0 {
        return 0;
    }
    return i32(clamp(round(w[i] / d), p.cells.code_low, p.cells.code_high));
}

// Digits of cells, exact in level units, conductances, and their deviations from (C1).
struct Made {
    digit: vec4<f32>,
    cells: State,
    off: vec4<f32>,
}

fn common_of(array: vec4<u32>, chip: u32) -> vec4<f32> {
    let base = chip_base(p.array, chip);
    return vec4<f32>(
        array_part[base + array.x],
        array_part[base + array.y],
        array_part[base + array.z],
        array_part[base + array.w],
    );
}

fn made(
    plane: vec4<u32>, slice: vec4<u32>, at: vec4<u32>, code: vec4<i32>, positive: vec4<bool>, chip: u32,
) -> Made {
    let q = p.cells;
    let digit = fill(q, at, code, slice, positive, chip);
    let g = programmed(q, cells_of(q, plane, at, chip), nominal(q, digit, slice));
    return Made(digit, g, g.g - evenly(q, digit, slice));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let q = p.cells;
    let quad = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if 4u * quad >= p.out.len || chip >= run.chips {
        return;
    }
    let len = q.cols * q.rows;
    // The last four may reach beyond the last plane.
    let i = min(vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.out.len - 1u));
    let plane = i / len;
    let at = i % len;
    let column = at / q.rows;
    let code = vec4<i32>(
        code_of(at.x, column.x),
        code_of(at.y, column.y),
        code_of(at.z, column.z),
        code_of(at.w, column.w),
    );
    var slice = plane;
    if !OFFSET && !PAIRS {
        slice = plane / 2u;
    }
    let units = bitcast<vec4<f32>>(slice_field(q, slice, 2u));
    var g = vec4<f32>(0.0);
    var v = vec4<f32>(0.0);
    var digit = vec4<f32>(0.0);
    var off = vec4<f32>(0.0);
    if PAIRS {
        let a = made(2u * plane, slice, at, code, vec4<bool>(true), chip);
        let b = made(2u * plane + 1u, slice, at, code, vec4<bool>(false), chip);
        digit = a.digit - b.digit;
        off = a.off - b.off;
        v = read_variance(q, a.cells) + read_variance(q, b.cells);
    } else {
        let a = made(plane, slice, at, code, plane % 2u == vec4<u32>(0u), chip);
        g = a.cells.g;
        off = a.off;
        v = read_variance(q, a.cells);
        if REAL {
            digit = a.digit - digits(q, vec4<i32>(0), slice, vec4<bool>(true));
        } else {
            // Nothing takes what digit 0 conducts from a cell that is read alone.
            digit = a.digit + q.g_min * units;
        }
    }
    if !RAW {
        if HAS_REFERENCE {
            let tile = table4(vec4<u32>(q.col_tile_at) + column);
            let planes = q.slices * select(2u, 1u, OFFSET || PAIRS);
            let place = (vec4<u32>(chip * planes) + plane) * (q.col_tiles * q.rows)
                + tile * q.rows + at % q.rows;
            let r0 = reference[place.x];
            let r1 = reference[place.y];
            let r2 = reference[place.z];
            let r3 = reference[place.w];
            off -= vec4<f32>(r0.x, r1.x, r2.x, r3.x);
            v += vec4<f32>(r0.y, r1.y, r2.y, r3.y);
        }
        g = digit + units * off;
        v = v * units * units;
    }
    let to = chip_base(p.out, chip) / 2u;
    if HALF {
        out[to + quad] = pack_halves(g);
    } else {
        let words = bitcast<vec4<u32>>(g);
        out[to + 2u * quad] = words.xy;
        out[to + 2u * quad + 1u] = words.zw;
    }
    if HAS_VARIANCE {
        variance[chip_base(p.variance, chip) / 4u + quad] = v;
    }
}
