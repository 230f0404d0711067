// Programming error: src/effects/variation. Constants: LAW, LOGNORMAL, HAS_SIGMA_CURVE.

const PURPOSE_CELL_PROGRAM: u32 = 15u;

struct Variation {
    sigma: f32,
    // Of the lognormal, or the truncation's squeeze.
    shape_x: f32,
    shape_y: f32,
    curve_at: u32,
    curve_len: u32,
}

const LAW_PROPORTIONAL: u32 = 0u;

fn apply_variation(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    let v = p.variation;
    let words = own_words(p, c, PURPOSE_CELL_PROGRAM);
    let span = 1.0 - p.g_min;
    var z = vec4<f32>(0.0);
    if LOGNORMAL {
        z = lognormal4(normal4(words, 0.0), vec2<f32>(v.shape_x, v.shape_y));
    } else {
        z = normal4(words, v.shape_x);
        if !HAS_SIGMA_CURVE {
            z = v.sigma * z;
        }
    }
    let t = s.g;
    let e = c.joint;
    if HAS_SIGMA_CURVE {
        let joint = select(span * e, t * e, LAW == LAW_PROPORTIONAL);
        s.g = t + joint + curve(v.curve_at, v.curve_len, t) * z;
    } else if LAW == LAW_PROPORTIONAL {
        if LOGNORMAL {
            s.g = t * (1.0 + e) * (1.0 + z);
        } else {
            s.g = t * (1.0 + e + z);
        }
    } else {
        s.g = t + span * (e + z);
    }
    return s;
}
