// What follows a pass over the rows in crossbar.wgsl and crossbar_wide.wgsl: conversions of some steps,
// and after the last pass of a plane its part of the output, which is in `y` from plane to plane. Constants:
// STEPS, the steps of a pass, and CONVERSIONS, the conversions of an input. In the kernel's file: what
// shared/conversion.wgsl needs, which it includes.

// Adds four columns' part of a plane to what is in `y`, or begins it. With the last one goes what the
// digital side subtracts for the codes of all row tiles, `input`.
fn add_part(
    r: Reading, s: Site, tile: u32, plane: u32, n: Total, here: vec4<i32>, input: vec4<i32>,
) {
    let first = output_at(r, p.conversion.y, s, 0u);
    let at = vec4<u32>(first) + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(s.columns - 1u)) * (r.pixels * QUADS);
    var sum = zero4();
    if tile + plane > 0u {
        sum = mat4x4<f32>(y[at.x], y[at.y], y[at.z], y[at.w]);
    }
    sum += plane_part(r, s, tile, plane, n, here);
    if SUM_CODES && tile + 1u == r.row_tiles && plane + 1u == r.planes {
        let base = p.conversion.base * vec4<f32>(input);
        sum -= mat4x4<f32>(base, base, base, base);
    }
    y[at.x] = sum[0];
    if s.columns > 1u {
        y[at.y] = sum[1];
    }
    if s.columns > 2u {
        y[at.z] = sum[2];
    }
    if s.columns > 3u {
        y[at.w] = sum[3];
    }
}

// Converts the step `step` of a pass that begins with `t`.
fn convert_step(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, step: u32, v: mat4x4<f32>, k: Pair4, n: Total,
) -> Total {
    if CONVERSIONS % STEPS != 0u && t + step >= CONVERSIONS {
        return n;
    }
    return convert(r, s, tile, plane, t + step, v, k, n);
}

// Ends a plane: its part of the output where codes are not added as integers.
fn end_plane_of(
    r: Reading, s: Site, tile: u32, plane: u32, n: Total, here: vec4<i32>, input: vec4<i32>,
) -> Total {
    if !INTEGER {
        add_part(r, s, tile, plane, n, here, input);
    }
    return end_plane(r, plane, n);
}
