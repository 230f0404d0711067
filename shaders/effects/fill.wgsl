// Which part of a weight every slice holds: src/effects/fill. Constant: FILL, 0 digits, 1 equal-fill,
// 2 max-fill, 3 max-fill-ec.

const FILL_EQUAL: u32 = 1u;
const FILL_CORRECTED: u32 = 3u;

// What cells of both signs of a pair aim at, from the residuals of their slice.
struct Aims {
    plus: vec4<f32>,
    minus: vec4<f32>,
}

fn aims(p: Programming, residual: vec4<f32>, slice: vec4<u32>) -> Aims {
    let top = vec4<f32>(slice_field(p, slice, 1u));
    var wanted = residual / vec4<f32>(vec4<u32>(1u) << slice_field(p, slice, 0u));
    if FILL == FILL_EQUAL {
        wanted = top / p.code_high * residual;
    }
    let zero = vec4<f32>(0.0);
    return Aims(clamp(wanted, zero, top), clamp(-wanted, zero, top));
}

// What the cells of a code on slices aim at. `at` is their place in a plane. Slices above a cell's are
// programmed first where it reads what they hold.
fn fill(
    p: Programming, at: vec4<u32>, code: vec4<i32>, slice: vec4<u32>, positive: vec4<bool>, chip: u32,
) -> vec4<f32> {
    if FILL == 0u {
        return digits(p, code, slice, positive);
    }
    var residual = vec4<f32>(code);
    if FILL != FILL_EQUAL {
        for (var above = p.slices - 1u; above > 0u; above--) {
            let s = vec4<u32>(above);
            let a = aims(p, residual, s);
            var held = a.plus - a.minus;
            if FILL == FILL_CORRECTED {
                let plus = written(p, cells_of(p, 2u * s, at, chip), evenly(p, a.plus, s));
                let minus = written(p, cells_of(p, 2u * s + 1u, at, chip), evenly(p, a.minus, s));
                held = bitcast<vec4<f32>>(slice_field(p, s, 2u)) * (plus.g - minus.g);
            }
            let rest = residual - vec4<f32>(vec4<u32>(1u) << slice_field(p, s, 0u)) * held;
            residual = select(residual, rest, s > slice);
        }
    }
    let a = aims(p, residual, slice);
    return select(a.minus, a.plus, positive);
}
