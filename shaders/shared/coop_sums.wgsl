// What a thread of shared/crossbar_coop.wgsl finds in workgroup memory, and the factors of it. That file
// declares the parameters `p`, `factors`, `sums`, COLUMNS and the types of shared/reading.wgsl.

// The thread's sums of a conversion of the pass, divided by their power of two.
fn own_sums(local: u32, step: u32, down: vec4<f32>) -> mat4x4<f32> {
    let quad = local % (COLUMNS / 4u);
    let four = min(local / (COLUMNS / 4u), SIDE / 4u - 1u);
    var v: mat4x4<f32>;
    for (var j = 0u; j < 4u; j++) {
        let at = (step * SIDE + 4u * four + j) * COLUMNS + 4u * quad;
        v[j] = down[j] * vec4<f32>(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
    }
    return v;
}

// The inverse powers of two of the thread's columns in a plane.
fn own_factors(r: Reading, s: Site, plane: u32) -> vec4<f32> {
    let o = s.column + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(s.columns - 1u));
    let i = s.chip * p.matrices.factor_chip + plane * r.cols + min(o, vec4<u32>(r.cols - 1u));
    return vec4<f32>(factors[i.x].y, factors[i.y].y, factors[i.z].y, factors[i.w].y);
}
