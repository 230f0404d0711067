//!include shared/reading.wgsl
//!include effects/drive.wgsl
//!include shared/conversion.wgsl
//!include shared/passes.wgsl
// crossbar.wgsl with eight columns in a thread, at one pixel for four images: a drive that was made of a
// code's bits is multiplied more often. All threads of a workgroup have the same columns, so that
// conductances need no registers where a compiler sees it. The same sums in the same order.
// Of the included files' constants, STEPS is 1 or 2; INTEGER, COUNT_CLIPPED and DISTURBED are false.

struct Params {
    reading: Reading,
    conversion: Conversion,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> packed: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> adc: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> range: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read> correct: array<vec2<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;

// There is none: where clipped conversions are counted, crossbar.wgsl is taken.
var<private> clipped: array<vec4<f32>, 1>;

fn correction(i: u32) -> vec2<f32> {
    return correct[i];
}

// A term of the sums of four columns: d of every image, g of every column.
fn outer(s: mat4x4<f32>, d: vec4<f32>, g: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(g.x), d, s[0]),
        fma(vec4<f32>(g.y), d, s[1]),
        fma(vec4<f32>(g.z), d, s[2]),
        fma(vec4<f32>(g.w), d, s[3]),
    );
}

// Of two fours of columns a and b, at two steps.
struct Sums {
    a0: mat4x4<f32>,
    b0: mat4x4<f32>,
    a1: mat4x4<f32>,
    b1: mat4x4<f32>,
}

// Row `k` of those in `packed`, whose two fours of columns begin at `g`, at the steps from t0 on.
fn add_row(r: Reading, codes_at: u32, g: vec2<u32>, k: u32, t0: u32, t: ptr<function, Sums>) {
    let at = codes_at + table[r.rows_at + k];
    let word = from_step(codes[at], t0);
    let signs = code_signs(at);
    var d = vec4<f32>(0.0);
    if ANALOG_SUM {
        d = summed_drive(word, signs, r.dac_at).drive;
    } else {
        d = step_drive(word, signs, 0u, r.dac_at);
    }
    let ga = packed[g.x + k];
    let gb = packed[g.y + k];
    (*t).a0 = outer((*t).a0, d, ga);
    (*t).b0 = outer((*t).b0, d, gb);
    if STEPS > 1u {
        let e = step_drive(word, signs, 1u, r.dac_at);
        (*t).a1 = outer((*t).a1, e, ga);
        (*t).b1 = outer((*t).b1, e, gb);
    }
}

// What the converters of a row tile see at the steps t0 .. t0 + STEPS. Where there is no second four, the
// first one's sums are made twice and looked at once.
fn wide_sums(r: Reading, s: Site, fours: u32, tile: u32, plane: u32, t0: u32) -> Sums {
    var t: Sums;
    let first = s.chip * r.g_chip + s.tile * r.g_tile + plane * r.g_plane;
    let g = vec2<u32>(first, first + (fours - 1u) * r.g_tile);
    let tiles_at = r.rows_at + r.g_plane;
    let end = table[tiles_at + tile + 1u];
    for (var k = table[tiles_at + tile]; k < end; k += 4u) {
        add_row(r, s.codes, g, k, t0, &t);
        add_row(r, s.codes, g, k + 1u, t0, &t);
        add_row(r, s.codes, g, k + 2u, t0, &t);
        add_row(r, s.codes, g, k + 3u, t0, &t);
    }
    return t;
}

// A pass of four columns, with their sums at one or two steps.
fn pass_of(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v0: mat4x4<f32>, v1: mat4x4<f32>, before: Total,
    here: vec4<i32>, input: vec4<i32>,
) -> Total {
    let k = converters(r, s, tile, plane);
    var n = convert_step(r, s, tile, plane, t, 0u, v0, k, before);
    if STEPS > 1u {
        n = convert_step(r, s, tile, plane, t, 1u, v1, k, n);
    }
    if STEPS < CONVERSIONS && t + STEPS < CONVERSIONS {
        return n;
    }
    return end_plane_of(r, s, tile, plane, n, here, input);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let r = p.reading;
    let flat = flat_group(group, groups);
    // Eights of columns of a group, and of all.
    let eights = (r.tiles + 1u) / 2u;
    let all = eights * r.groups;
    let first = flat % all % eights * 2u;
    let fours = min(2u, r.tiles - first);
    let slot = flat / all * 64u + local;
    let a = site_at(r, slot, flat % all / eights * r.tiles + first, chip_of(group));
    if !a.valid {
        return;
    }
    var b = a;
    b.tile = a.tile + 1u;
    b.column = a.column + 4u;
    b.columns = min(4u, r.group_out - min((first + 1u) * 4u, r.group_out));
    var total_a = zero_total();
    var total_b = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        var here = vec4<i32>(0);
        if SUM_CODES {
            here = tile_codes(r, a, tile);
            input += here;
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                let v = wide_sums(r, a, fours, tile, plane, t);
                total_a = pass_of(r, a, tile, plane, t, v.a0, v.a1, total_a, here, input);
                if fours > 1u {
                    total_b = pass_of(r, b, tile, plane, t, v.b0, v.b1, total_b, here, input);
                }
            }
        }
    }
}
