//!include shared/reading.wgsl
//!include effects/sum_noise.wgsl
// The inner loop of crossbars: four columns x four images x up to eight steps in registers, one
// load of the codes and one of the conductances for all of them. The accumulators are named: no
// driver has a reason to keep them in memory. Bound by the kernel's file: `codes`, `table`, `packed`.
// Constants: STEPS, the steps of one pass, at most 8 (4 with NOISE_SUM); CONVERSIONS, the conversions of an input.

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
        let word = from_step(codes[at], t0);
        let signs = code_signs(at);
        c.g = packed[g_at + k];
        c.row = k;
        var v = vec4<f32>(0.0);
        if NOISE_SUM || NOISE_CELL {
            v = packed[r.variance_at + g_at + k];
            c.deviation = sqrt(v);
        }
        if ANALOG_SUM {
            let d = summed_drive(word, signs, r.dac_at);
            s0 = cell_steps(r, s0, c, d);
            if NOISE_SUM {
                s4 = outer(s4, d.square, v);
            }
            continue;
        }
        let d0 = step_drive(word, signs, 0u, r.dac_at);
        s0 = cell_step(r, s0, c, d0, 0u);
        if NOISE_SUM {
            s4 = outer(s4, square(d0), v);
        }
        if STEPS > 1u {
            let d = step_drive(word, signs, 1u, r.dac_at);
            s1 = cell_step(r, s1, c, d, 1u);
            if NOISE_SUM {
                s5 = outer(s5, square(d), v);
            }
        }
        if STEPS > 2u {
            let d = step_drive(word, signs, 2u, r.dac_at);
            s2 = cell_step(r, s2, c, d, 2u);
            if NOISE_SUM {
                s6 = outer(s6, square(d), v);
            }
        }
        if STEPS > 3u {
            let d = step_drive(word, signs, 3u, r.dac_at);
            s3 = cell_step(r, s3, c, d, 3u);
            if NOISE_SUM {
                s7 = outer(s7, square(d), v);
            }
        }
        if STEPS > 4u {
            s4 = cell_step(r, s4, c, step_drive(word, signs, 4u, r.dac_at), 4u);
        }
        if STEPS > 5u {
            s5 = cell_step(r, s5, c, step_drive(word, signs, 5u, r.dac_at), 5u);
        }
        if STEPS > 6u {
            s6 = cell_step(r, s6, c, step_drive(word, signs, 6u, r.dac_at), 6u);
        }
        if STEPS > 7u {
            s7 = cell_step(r, s7, c, step_drive(word, signs, 7u, r.dac_at), 7u);
        }
    }
    return Sums(s0, s1, s2, s3, s4, s5, s6, s7);
}
