//!include shared/crossbar.wgsl
//!include shared/conversion.wgsl
//!include shared/passes.wgsl
// Crossbar arrays with converters as an implicit matrix product whose sum over rows is cut at row
// tiles: a thread makes all steps of four columns at one pixel for four images, some steps at a time, and
// converts them in registers. Where neither noise nor clipped conversions are asked for, GPUs have
// crossbar_wide.wgsl. Before: crossbar_codes.wgsl, crossbar_pack.wgsl; after: crossbar_post.wgsl.
// Constant besides those of the included files: SHARED, all threads of a workgroup have the same columns, which
// compilers see.

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
@group(0) @binding(9) var<storage, read_write> clipped: array<vec4<f32>>;

fn correction(i: u32) -> vec2<f32> {
    return correct[i];
}

// Converts a pass of one four of columns.
fn convert_pass(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: Sums, k: Pair4, before: Total,
) -> Total {
    var n = before;
    if DISTURBED {
        // Indexed, so that the deviates' text is there once and not for every step.
        var sums = array<mat4x4<f32>, 8>(v.s0, v.s1, v.s2, v.s3, v.s4, v.s5, v.s6, v.s7);
        for (var i = 0u; i < min(STEPS, CONVERSIONS - t); i++) {
            let variance = sums[i + NOISE_AT];
            var seen = sums[i];
            if !NOISE_JOINED {
                seen = with_noise(r, s, tile, plane, t + i, seen, variance);
            }
            n = convert_noisy(r, s, tile, plane, t + i, seen, variance, k, n);
        }
        return n;
    }
    n = convert_step(r, s, tile, plane, t, 0u, v.s0, k, n);
    if STEPS > 1u {
        n = convert_step(r, s, tile, plane, t, 1u, v.s1, k, n);
    }
    if STEPS > 2u {
        n = convert_step(r, s, tile, plane, t, 2u, v.s2, k, n);
    }
    if STEPS > 3u {
        n = convert_step(r, s, tile, plane, t, 3u, v.s3, k, n);
    }
    if STEPS > 4u {
        n = convert_step(r, s, tile, plane, t, 4u, v.s4, k, n);
    }
    if STEPS > 5u {
        n = convert_step(r, s, tile, plane, t, 5u, v.s5, k, n);
    }
    if STEPS > 6u {
        n = convert_step(r, s, tile, plane, t, 6u, v.s6, k, n);
    }
    if STEPS > 7u {
        n = convert_step(r, s, tile, plane, t, 7u, v.s7, k, n);
    }
    return n;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let r = p.reading;
    let flat = flat_group(group, groups);
    var tile_at = 0u;
    var slot = 0u;
    if SHARED {
        tile_at = flat % (r.tiles * r.groups);
        slot = flat / (r.tiles * r.groups) * 64u + local;
    } else {
        // Neighbours share the columns.
        let slots = run.blocks * r.pixels * QUADS;
        tile_at = (flat * 64u + local) / slots;
        slot = (flat * 64u + local) % slots;
    }
    let s = site_at(r, slot, tile_at, chip_of(group));
    if !s.valid {
        return;
    }
    var total = zero_total();
    var input = vec4<i32>(0);
    for (var tile = 0u; tile < r.row_tiles; tile++) {
        var here = vec4<i32>(0);
        if SUM_CODES {
            here = tile_codes(r, s, tile);
            input += here;
        }
        for (var plane = 0u; plane < r.planes; plane++) {
            let k = converters(r, s, tile, plane);
            for (var t = 0u; t < CONVERSIONS; t += STEPS) {
                let v = crossbar_sums(r, s, tile, plane, t);
                total = convert_pass(r, s, tile, plane, t, v, k, total);
            }
            total = end_plane_of(r, s, tile, plane, total, here, input);
        }
    }
    if INTEGER {
        store_output(r, s, zero4(), total, input);
    } else if COUNT_CLIPPED || SLOPES {
        store_clipped(r, s, total);
    }
}
