// The inner loop of convolutions: 8 channels x 2 quads of images at one pixel, 16 accumulators in
// named registers: plain variables, so that no driver has a reason to keep an array or a structure
// in memory. Weights come packed by conv2d_pack.wgsl, 8 channels side by side, so that one step
// reads two vec4 of weights (the same for all pixels) and two of the map for 64 multiply-adds:
// on lavapipe the loads are what costs. The kernel's file binds the map as `x` and the packed
// weights as `w`.

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

// Channels, kernel rows, kernel columns, outermost first.
fn tile_sum(x0: u32, w0: u32, channels: Walk, rows: Walk, columns: Walk) -> Tile {
    var a0 = vec4<f32>(0.0);
    var a1 = vec4<f32>(0.0);
    var a2 = vec4<f32>(0.0);
    var a3 = vec4<f32>(0.0);
    var a4 = vec4<f32>(0.0);
    var a5 = vec4<f32>(0.0);
    var a6 = vec4<f32>(0.0);
    var a7 = vec4<f32>(0.0);
    var b0 = vec4<f32>(0.0);
    var b1 = vec4<f32>(0.0);
    var b2 = vec4<f32>(0.0);
    var b3 = vec4<f32>(0.0);
    var b4 = vec4<f32>(0.0);
    var b5 = vec4<f32>(0.0);
    var b6 = vec4<f32>(0.0);
    var b7 = vec4<f32>(0.0);
    var xc = x0;
    var wc = w0;
    if ONE_TAP {
        // A 1x1 kernel or a linear layer: one loop, two steps at a time.
        for (var c = 1u; c < channels.count; c += 2u) {
            {
                let p = x[xc];
                let q = x[xc + 1u];
                let u = w[wc];
                let v = w[wc + 1u];
                a0 = fma(vec4<f32>(u.x), p, a0);
                b0 = fma(vec4<f32>(u.x), q, b0);
                a1 = fma(vec4<f32>(u.y), p, a1);
                b1 = fma(vec4<f32>(u.y), q, b1);
                a2 = fma(vec4<f32>(u.z), p, a2);
                b2 = fma(vec4<f32>(u.z), q, b2);
                a3 = fma(vec4<f32>(u.w), p, a3);
                b3 = fma(vec4<f32>(u.w), q, b3);
                a4 = fma(vec4<f32>(v.x), p, a4);
                b4 = fma(vec4<f32>(v.x), q, b4);
                a5 = fma(vec4<f32>(v.y), p, a5);
                b5 = fma(vec4<f32>(v.y), q, b5);
                a6 = fma(vec4<f32>(v.z), p, a6);
                b6 = fma(vec4<f32>(v.z), q, b6);
                a7 = fma(vec4<f32>(v.w), p, a7);
                b7 = fma(vec4<f32>(v.w), q, b7);
            }
            xc += channels.x;
            wc += channels.w;
            {
                let p = x[xc];
                let q = x[xc + 1u];
                let u = w[wc];
                let v = w[wc + 1u];
                a0 = fma(vec4<f32>(u.x), p, a0);
                b0 = fma(vec4<f32>(u.x), q, b0);
                a1 = fma(vec4<f32>(u.y), p, a1);
                b1 = fma(vec4<f32>(u.y), q, b1);
                a2 = fma(vec4<f32>(u.z), p, a2);
                b2 = fma(vec4<f32>(u.z), q, b2);
                a3 = fma(vec4<f32>(u.w), p, a3);
                b3 = fma(vec4<f32>(u.w), q, b3);
                a4 = fma(vec4<f32>(v.x), p, a4);
                b4 = fma(vec4<f32>(v.x), q, b4);
                a5 = fma(vec4<f32>(v.y), p, a5);
                b5 = fma(vec4<f32>(v.y), q, b5);
                a6 = fma(vec4<f32>(v.z), p, a6);
                b6 = fma(vec4<f32>(v.z), q, b6);
                a7 = fma(vec4<f32>(v.w), p, a7);
                b7 = fma(vec4<f32>(v.w), q, b7);
            }
            xc += channels.x;
            wc += channels.w;
        }
        if channels.count % 2u == 1u {
            let p = x[xc];
            let q = x[xc + 1u];
            let u = w[wc];
            let v = w[wc + 1u];
            a0 = fma(vec4<f32>(u.x), p, a0);
            b0 = fma(vec4<f32>(u.x), q, b0);
            a1 = fma(vec4<f32>(u.y), p, a1);
            b1 = fma(vec4<f32>(u.y), q, b1);
            a2 = fma(vec4<f32>(u.z), p, a2);
            b2 = fma(vec4<f32>(u.z), q, b2);
            a3 = fma(vec4<f32>(u.w), p, a3);
            b3 = fma(vec4<f32>(u.w), q, b3);
            a4 = fma(vec4<f32>(v.x), p, a4);
            b4 = fma(vec4<f32>(v.x), q, b4);
            a5 = fma(vec4<f32>(v.y), p, a5);
            b5 = fma(vec4<f32>(v.y), q, b5);
            a6 = fma(vec4<f32>(v.z), p, a6);
            b6 = fma(vec4<f32>(v.z), q, b6);
            a7 = fma(vec4<f32>(v.w), p, a7);
            b7 = fma(vec4<f32>(v.w), q, b7);
        }
    } else {
        for (var c = 0u; c < channels.count; c++) {
            var xr = xc;
            var wr = wc;
            for (var r = 0u; r < rows.count; r++) {
                var xi = xr;
                var wi = wr;
                for (var k = 0u; k < columns.count; k++) {
                    let p = x[xi];
                    let q = x[xi + 1u];
                    let u = w[wi];
                    let v = w[wi + 1u];
                    a0 = fma(vec4<f32>(u.x), p, a0);
                    b0 = fma(vec4<f32>(u.x), q, b0);
                    a1 = fma(vec4<f32>(u.y), p, a1);
                    b1 = fma(vec4<f32>(u.y), q, b1);
                    a2 = fma(vec4<f32>(u.z), p, a2);
                    b2 = fma(vec4<f32>(u.z), q, b2);
                    a3 = fma(vec4<f32>(u.w), p, a3);
                    b3 = fma(vec4<f32>(u.w), q, b3);
                    a4 = fma(vec4<f32>(v.x), p, a4);
                    b4 = fma(vec4<f32>(v.x), q, b4);
                    a5 = fma(vec4<f32>(v.y), p, a5);
                    b5 = fma(vec4<f32>(v.y), q, b5);
                    a6 = fma(vec4<f32>(v.z), p, a6);
                    b6 = fma(vec4<f32>(v.z), q, b6);
                    a7 = fma(vec4<f32>(v.w), p, a7);
                    b7 = fma(vec4<f32>(v.w), q, b7);
                    xi += columns.x;
                    wi += columns.w;
                }
                xr += rows.x;
                wr += rows.w;
            }
            xc += channels.x;
            wc += channels.w;
        }
    }
    return Tile(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7);
}
