//!include shared/run.wgsl
// Wires of separate-source arrays: an output has a supply line of its own, and a cell the voltage
// that it has while all cells conduct `activity` of their conductance. One thread an output of a read
// plane of an array: alternating exact solutions of its output line and its supply line, as in
// ir_drop.wgsl.

struct Params {
    g: View,
    out: View,
    rows: u32,
    cols: u32,
    row_tiles: u32,
    col_tiles: u32,
    planes: u32,
    poles: u32,
    slots: u32,
    // Values of a segment of the state: all lines of a chip.
    segment: u32,
    row: f32,
    col: f32,
    driver: f32,
    end: f32,
    sweeps: u32,
    settled: f32,
    activity: f32,
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
// Voltages of supply and output lines, dividers of both, currents: segments [row][line].
@group(0) @binding(4) var<storage, read_write> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let line = flat_group(group, groups) * 64u + local;
    let chip = group.z;
    let column = line % p.cols;
    let plane = line / p.cols % p.planes;
    let row_tile = line / p.cols / p.planes;
    if row_tile >= p.row_tiles || chip >= run.chips {
        return;
    }
    let first = table[row_tile];
    let n = table[row_tile + 1u] - first;
    let units = bitcast<f32>(table[p.row_tiles + p.col_tiles + 2u + plane]);
    // From row to row in the state; row tiles lie behind each other.
    let step = p.cols * p.planes;
    let a = chip * 5u * p.segment + first * step + line % step;
    let b = a + p.segment;
    let a_divider = b + p.segment;
    let b_divider = a_divider + p.segment;
    let current = b_divider + p.segment;
    let to = chip_base(p.out, chip) + (plane * p.cols + column) * p.rows + first;
    for (var pole = 0u; pole < p.poles; pole++) {
        let cells = chip_base(p.g, chip) + ((plane * p.poles + pole) * p.cols + column) * p.rows + first;
        var passed = 0.0;
        for (var i = 0u; i < n; i++) {
            let up = p.activity * g[cells + i] + passed;
            let divider = 1.0 / (1.0 + select(p.col, p.end, i + 1u == n) * up);
            state[b_divider + i * step] = divider;
            passed = up * divider;
            state[a + i * step] = 1.0;
        }
        passed = 0.0;
        for (var i = n; i > 0u; i--) {
            let up = p.activity * g[cells + i - 1u] + passed;
            let divider = 1.0 / (1.0 + select(p.row, p.driver, i == 1u) * up);
            state[a_divider + (i - 1u) * step] = divider;
            passed = up * divider;
        }
        var moved = 1.0;
        for (var sweep = 0u; sweep <= p.sweeps; sweep++) {
            passed = 0.0;
            for (var i = 0u; i < n; i++) {
                let at = i * step;
                let j = p.activity * g[cells + i] * state[a + at] + passed;
                state[b + at] = j;
                passed = j * state[b_divider + at];
            }
            var after = 0.0;
            for (var i = n; i > 0u; i--) {
                let at = (i - 1u) * step;
                let r = select(p.col, p.end, i == n);
                after = (state[b + at] * r + after) * state[b_divider + at];
                state[b + at] = after;
            }
            if sweep == p.sweeps || moved <= p.settled {
                break;
            }
            passed = 0.0;
            for (var i = n; i > 0u; i--) {
                let at = (i - 1u) * step;
                let j = p.activity * g[cells + i - 1u] * state[b + at] + passed;
                state[current + at] = j;
                passed = j * state[a_divider + at];
            }
            var before = 1.0;
            moved = 0.0;
            for (var i = 0u; i < n; i++) {
                let at = i * step;
                let r = select(p.row, p.driver, i == 0u);
                before = (state[current + at] * r + before) * state[a_divider + at];
                moved = max(moved, abs(before - state[a + at]));
                state[a + at] = before;
            }
        }
        for (var i = 0u; i < n; i++) {
            let at = i * step;
            let value = units * g[cells + i] * (state[a + at] - state[b + at]);
            if pole == 0u {
                out[to + i] = value;
            } else {
                out[to + i] -= value;
            }
        }
    }
}
