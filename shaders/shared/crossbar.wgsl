//!include shared/reading.wgsl
//!include shared/half.wgsl
// The inner loop of crossbars: four columns x four images x up to eight steps in registers, one
// load of the codes and one of the conductances for all of them. The accumulators are named: no
// driver has a reason to keep them in memory. Bound by the kernel's file: `codes`, `table`, `packed`.
// Constants: STEPS, the steps of one pass, at most 8 (4 with NOISE_SUM); CONVERSIONS, those of an
// input; NOISE_SUM, read noise with the variance of the whole sum; NOISE_CELL, cell by cell; HALF,
// conductances are halves.

// Where the variances of the sums are among the accumulators.
const NOISE_AT: u32 = select(0u, 4u, NOISE_SUM);

// Conductances of four columns side by side. A vec4 holds those of one row, or of two in halves.
fn conductances(i: u32) -> vec4<f32> {
    if HALF {
        let rows = packed[i / 2u];
        return unpack_halves(select(rows.xy, rows.zw, (i & 1u) == 1u));
    }
    return bitcast<vec4<f32>>(packed[i]);
}

struct Sums {
    s0: mat4x4<f32>,
    s1: mat4x4<f32>,
    s2: mat4x4<f32>,
    s3: mat4x4<f32>,
    // Of further steps; with NOISE_SUM the variances of the first four.
    s4: mat4x4<f32>,
    s5: mat4x4<f32>,
    s6: mat4x4<f32>,
    s7: mat4x4<f32>,
}

// s + g d: d of every image, g of every column.
fn outer(s: mat4x4<f32>, d: vec4<f32>, g: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(g.x), d, s[0]),
        fma(vec4<f32>(g.y), d, s[1]),
        fma(vec4<f32>(g.z), d, s[2]),
        fma(vec4<f32>(g.w), d, s[3]),
    );
}

struct Cell {
    s: Site,
    // Event of step 0, and from step to step.
    event: u32,
    stride: u32,
    g: vec4<f32>,
    deviation: vec4<f32>,
    row: u32,
}

// One step of one row.
fn cell_step(r: Reading, sum: mat4x4<f32>, c: Cell, d: vec4<f32>, t: u32) -> mat4x4<f32> {
    if NOISE_CELL {
        let purpose = PURPOSE_READ_CELL | (c.row * 4096u);
        let z = deviates(r, c.s, c.event + t * c.stride, purpose);
        return mat4x4<f32>(
            fma(fma(vec4<f32>(c.deviation.x), z[0], vec4<f32>(c.g.x)), d, sum[0]),
            fma(fma(vec4<f32>(c.deviation.y), z[1], vec4<f32>(c.g.y)), d, sum[1]),
            fma(fma(vec4<f32>(c.deviation.z), z[2], vec4<f32>(c.g.z)), d, sum[2]),
            fma(fma(vec4<f32>(c.deviation.w), z[3], vec4<f32>(c.g.w)), d, sum[3]),
        );
    }
    return outer(sum, d, c.g);
}

// All steps of one row, added up: one deviate has the law of a sum of independent ones.
fn cell_steps(r: Reading, sum: mat4x4<f32>, c: Cell, d: Summed) -> mat4x4<f32> {
    if !NOISE_CELL || DAC_STEPS == 1u {
        return cell_step(r, sum, c, d.drive, 0u);
    }
    let z = deviates(r, c.s, c.event, PURPOSE_READ_CELL | (c.row * 4096u));
    let a = sqrt(d.square);
    let m = outer(sum, d.drive, c.g);
    return mat4x4<f32>(
        fma(c.deviation.x * z[0], a, m[0]),
        fma(c.deviation.y * z[1], a, m[1]),
        fma(c.deviation.z * z[2], a, m[2]),
        fma(c.deviation.w * z[3], a, m[3]),
    );
}

// What the converters of a row tile see at the steps t0 .. t0 + STEPS.
fn crossbar_sums(r: Reading, s: Site, tile: u32, plane: u32, t0: u32) -> Sums {
    let zero = vec4<f32>(0.0);
    var s0 = mat4x4<f32>(zero, zero, zero, zero);
    var s1 = s0;
    var s2 = s0;
    var s3 = s0;
    var s4 = s0;
    var s5 = s0;
    var s6 = s0;
    var s7 = s0;
    let g_at = s.chip * r.g_chip + s.tile * r.g_tile + plane * r.g_plane;
    var c: Cell;
    c.s = s;
    c.event = event_of(r, s, tile, plane, t0);
    c.stride = r.pixels * ((r.cols + 3u) / 4u);
    let end = table[r.tile_at + tile + 1u];
    for (var k = table[r.tile_at + tile]; k < end; k++) {
        let at = s.codes + table[k];
        let bytes = code_bytes(codes[at]) >> vec4<u32>(t0 * DAC_BITS);
        let signs = code_signs(at);
        c.g = conductances(g_at + k);
        c.row = k;
        var v = vec4<f32>(0.0);
        if NOISE_SUM || NOISE_CELL {
            v = bitcast<vec4<f32>>(packed[r.variance_at + g_at + k]);
            c.deviation = sqrt(v);
        }
        if ANALOG_SUM {
            let d = summed_drive(bytes, signs, r.dac_at);
            s0 = cell_steps(r, s0, c, d);
            if NOISE_SUM {
                s4 = outer(s4, d.square, v);
            }
            continue;
        }
        let d0 = step_drive(bytes, signs, 0u, r.dac_at);
        s0 = cell_step(r, s0, c, d0, 0u);
        if NOISE_SUM {
            s4 = outer(s4, d0 * d0, v);
        }
        if STEPS > 1u {
            let d = step_drive(bytes, signs, 1u, r.dac_at);
            s1 = cell_step(r, s1, c, d, 1u);
            if NOISE_SUM {
                s5 = outer(s5, d * d, v);
            }
        }
        if STEPS > 2u {
            let d = step_drive(bytes, signs, 2u, r.dac_at);
            s2 = cell_step(r, s2, c, d, 2u);
            if NOISE_SUM {
                s6 = outer(s6, d * d, v);
            }
        }
        if STEPS > 3u {
            let d = step_drive(bytes, signs, 3u, r.dac_at);
            s3 = cell_step(r, s3, c, d, 3u);
            if NOISE_SUM {
                s7 = outer(s7, d * d, v);
            }
        }
        if STEPS > 4u {
            s4 = cell_step(r, s4, c, step_drive(bytes, signs, 4u, r.dac_at), 4u);
        }
        if STEPS > 5u {
            s5 = cell_step(r, s5, c, step_drive(bytes, signs, 5u, r.dac_at), 5u);
        }
        if STEPS > 6u {
            s6 = cell_step(r, s6, c, step_drive(bytes, signs, 6u, r.dac_at), 6u);
        }
        if STEPS > 7u {
            s7 = cell_step(r, s7, c, step_drive(bytes, signs, 7u, r.dac_at), 7u);
        }
    }
    return Sums(s0, s1, s2, s3, s4, s5, s6, s7);
}

// Read noise of a conversion, where it is drawn once for the sum.
fn with_noise(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: mat4x4<f32>, variance: mat4x4<f32>,
) -> mat4x4<f32> {
    if NOISE_SUM {
        let z = deviates(r, s, event_of(r, s, tile, plane, t), PURPOSE_READ_NOISE);
        return mat4x4<f32>(
            fma(sqrt(variance[0]), z[0], v[0]),
            fma(sqrt(variance[1]), z[1], v[1]),
            fma(sqrt(variance[2]), z[2], v[2]),
            fma(sqrt(variance[3]), z[3], v[3]),
        );
    }
    return v;
}
