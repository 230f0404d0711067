//!include shared/run.wgsl
//!include shared/half.wgsl
// Effective weights of arrays that nothing converts:
// out[o, k] = w_step[o] (sum_p place_p (gain g[p, o, k] - offset) - base). One thread a weight.
// Constants: CORRECTED, HALF (g are halves).

struct Params {
    g: View,
    correct: View,
    out: View,
    rows: u32,
    cols: u32,
    planes: u32,
    // 1 where every column has a step of its own.
    per_column: u32,
    base: f32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<u32>;
@group(0) @binding(3) var<storage, read> w_step: array<f32>;
@group(0) @binding(4) var<storage, read> correct: array<f32>;
// Row tile of every row, place value of every plane.
@group(0) @binding(5) var<storage, read> table: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.out.len || chip >= run.chips {
        return;
    }
    let o = i / p.rows;
    let tile = table[i % p.rows];
    var sum = 0.0;
    for (var plane = 0u; plane < p.planes; plane++) {
        let at = plane * p.out.len + i;
        var v = 0.0;
        if HALF {
            v = half_values(vec4<u32>(half_of(g[chip_base(p.g, chip) + at / 2u], at))).x;
        } else {
            v = bitcast<f32>(g[chip_base(p.g, chip) + at]);
        }
        if CORRECTED {
            let c = chip_base(p.correct, chip) + 2u * ((tile * p.planes + plane) * p.cols + o);
            v = correct[c] * v - correct[c + 1u];
        }
        sum += f32(bitcast<i32>(table[p.rows + plane])) * v;
    }
    out[chip_base(p.out, chip) + i] = w_step[o * p.per_column] * (sum - p.base);
}
