// The inner loop of convolutions: 8 channels x 2 quads of images at one pixel, 16 accumulators in
// named registers. Weights come packed by conv2d_pack.wgsl, 8 channels side by side, so that one
// step reads two vec4 of weights (the same for all pixels) and two of the map for 64
// multiply-adds. The kernel's file binds the map as `x` and the packed weights as `w`.

struct Tile {
    a0: vec4<f32>,
    a1: vec4<f32>,
    a2: vec4<f32>,
    a3: vec4<f32>,
    a4: vec4<f32>,
    a5: vec4<f32>,
    a6: vec4<f32>,
    a7: vec4<f32>,
    b0: vec4<f32>,
    b1: vec4<f32>,
    b2: vec4<f32>,
    b3: vec4<f32>,
    b4: vec4<f32>,
    b5: vec4<f32>,
    b6: vec4<f32>,
    b7: vec4<f32>,
}

// Steps of one loop in the map and in the packed weights; both may run backwards (wrapping u32).
struct Walk {
    count: u32,
    x: u32,
    w: u32,
}

fn tile_step(t: ptr<function, Tile>, xi: u32, wi: u32) {
    let p = x[xi];
    let q = x[xi + 1u];
    let u = w[wi];
    let v = w[wi + 1u];
    (*t).a0 = fma(vec4<f32>(u.x), p, (*t).a0);
    (*t).b0 = fma(vec4<f32>(u.x), q, (*t).b0);
    (*t).a1 = fma(vec4<f32>(u.y), p, (*t).a1);
    (*t).b1 = fma(vec4<f32>(u.y), q, (*t).b1);
    (*t).a2 = fma(vec4<f32>(u.z), p, (*t).a2);
    (*t).b2 = fma(vec4<f32>(u.z), q, (*t).b2);
    (*t).a3 = fma(vec4<f32>(u.w), p, (*t).a3);
    (*t).b3 = fma(vec4<f32>(u.w), q, (*t).b3);
    (*t).a4 = fma(vec4<f32>(v.x), p, (*t).a4);
    (*t).b4 = fma(vec4<f32>(v.x), q, (*t).b4);
    (*t).a5 = fma(vec4<f32>(v.y), p, (*t).a5);
    (*t).b5 = fma(vec4<f32>(v.y), q, (*t).b5);
    (*t).a6 = fma(vec4<f32>(v.z), p, (*t).a6);
    (*t).b6 = fma(vec4<f32>(v.z), q, (*t).b6);
    (*t).a7 = fma(vec4<f32>(v.w), p, (*t).a7);
    (*t).b7 = fma(vec4<f32>(v.w), q, (*t).b7);
}

// Channels, kernel rows, kernel columns, outermost first.
fn tile_sum(x0: u32, w0: u32, channels: Walk, rows: Walk, columns: Walk) -> Tile {
    var t: Tile;
    var xc = x0;
    var wc = w0;
    if ONE_TAP {
        // A 1x1 kernel or a linear layer: one loop, unrolled.
        var c = 0u;
        for (; c + 4u <= channels.count; c += 4u) {
            tile_step(&t, xc, wc);
            tile_step(&t, xc + channels.x, wc + channels.w);
            tile_step(&t, xc + 2u * channels.x, wc + 2u * channels.w);
            tile_step(&t, xc + 3u * channels.x, wc + 3u * channels.w);
            xc += 4u * channels.x;
            wc += 4u * channels.w;
        }
        for (; c < channels.count; c++) {
            tile_step(&t, xc, wc);
            xc += channels.x;
            wc += channels.w;
        }
        return t;
    }
    for (var c = 0u; c < channels.count; c++) {
        var xr = xc;
        var wr = wc;
        for (var r = 0u; r < rows.count; r++) {
            var xi = xr;
            var wi = wr;
            for (var k = 0u; k < columns.count; k++) {
                tile_step(&t, xi, wi);
                xi += columns.x;
                wi += columns.w;
            }
            xr += rows.x;
            wr += rows.w;
        }
        xc += channels.x;
        wc += channels.w;
    }
    return t;
}
