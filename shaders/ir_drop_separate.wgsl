//!include shared/run.wgsl
// Wires of separate-source arrays: an output has a supply line of its own, and a cell the voltage
// that it has while all cells conduct `activity` of their conductance. One thread an output of a read
// plane of an array: alternating exact solutions of its output line and its supply line, as in
// ir_drop.wgsl, whose calls it shares: an item is a pole.

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
    turns: u32,
    first: u32,
    count: u32,
    begins: u32,
    ends: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
// Voltages of supply and output lines, dividers of both, currents: segments [row][line]. The
// last change of a voltage of every line behind them.
@group(0) @binding(4) var<storage, read_write> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

// Where the line of the thread is: its cells, its values of each segment, from row to row.
struct Line {
    n: u32,
    cells: u32,
    step: u32,
    a: u32,
    b: u32,
    a_divider: u32,
    b_divider: u32,
    current: u32,
    moved: u32,
}

fn cell(l: Line, i: u32) -> f32 {
    return p.activity * g[l.cells + i];
}

// What passes to the next node, as in the functions below.
fn output_divider(l: Line, i: u32, passed: f32) -> f32 {
    let at = i * l.step;
    let up = cell(l, i) + passed;
    let divider = 1.0 / (1.0 + select(p.col, p.end, i + 1u == l.n) * up);
    state[l.b_divider + at] = divider;
    state[l.a + at] = 1.0;
    return up * divider;
}

fn supply_divider(l: Line, i: u32, passed: f32) -> f32 {
    let up = cell(l, i) + passed;
    let divider = 1.0 / (1.0 + select(p.row, p.driver, i == 0u) * up);
    state[l.a_divider + i * l.step] = divider;
    return up * divider;
}

fn output_forward(l: Line, i: u32, passed: f32) -> f32 {
    let at = i * l.step;
    let j = cell(l, i) * state[l.a + at] + passed;
    state[l.b + at] = j;
    return j * state[l.b_divider + at];
}

fn output_back(l: Line, i: u32, after: f32) -> f32 {
    let at = i * l.step;
    let r = select(p.col, p.end, i + 1u == l.n);
    let v = (state[l.b + at] * r + after) * state[l.b_divider + at];
    state[l.b + at] = v;
    return v;
}

fn supply_back(l: Line, i: u32, passed: f32) -> f32 {
    let at = i * l.step;
    let j = cell(l, i) * state[l.b + at] + passed;
    state[l.current + at] = j;
    return j * state[l.a_divider + at];
}

// Voltage of a node of the supply line and the largest change so far.
fn supply_forward(l: Line, i: u32, before: vec2<f32>) -> vec2<f32> {
    let at = i * l.step;
    let r = select(p.row, p.driver, i == 0u);
    let v = (state[l.current + at] * r + before.x) * state[l.a_divider + at];
    let moved = max(before.y, abs(v - state[l.a + at]));
    state[l.a + at] = v;
    return vec2<f32>(v, moved);
}

fn dividers(l: Line) {
    var passed = 0.0;
    var i = 0u;
    for (; i + 3u < l.n; i += 4u) {
        passed = output_divider(l, i, passed);
        passed = output_divider(l, i + 1u, passed);
        passed = output_divider(l, i + 2u, passed);
        passed = output_divider(l, i + 3u, passed);
    }
    for (; i < l.n; i++) {
        passed = output_divider(l, i, passed);
    }
    passed = 0.0;
    for (; i > 3u; i -= 4u) {
        passed = supply_divider(l, i - 1u, passed);
        passed = supply_divider(l, i - 2u, passed);
        passed = supply_divider(l, i - 3u, passed);
        passed = supply_divider(l, i - 4u, passed);
    }
    for (; i > 0u; i--) {
        passed = supply_divider(l, i - 1u, passed);
    }
}

fn solve_output(l: Line) {
    var passed = 0.0;
    var i = 0u;
    for (; i + 3u < l.n; i += 4u) {
        passed = output_forward(l, i, passed);
        passed = output_forward(l, i + 1u, passed);
        passed = output_forward(l, i + 2u, passed);
        passed = output_forward(l, i + 3u, passed);
    }
    for (; i < l.n; i++) {
        passed = output_forward(l, i, passed);
    }
    var after = 0.0;
    for (; i > 3u; i -= 4u) {
        after = output_back(l, i - 1u, after);
        after = output_back(l, i - 2u, after);
        after = output_back(l, i - 3u, after);
        after = output_back(l, i - 4u, after);
    }
    for (; i > 0u; i--) {
        after = output_back(l, i - 1u, after);
    }
}

// The largest change of a voltage.
fn solve_supply(l: Line) -> f32 {
    var passed = 0.0;
    var i = l.n;
    for (; i > 3u; i -= 4u) {
        passed = supply_back(l, i - 1u, passed);
        passed = supply_back(l, i - 2u, passed);
        passed = supply_back(l, i - 3u, passed);
        passed = supply_back(l, i - 4u, passed);
    }
    for (; i > 0u; i--) {
        passed = supply_back(l, i - 1u, passed);
    }
    var before = vec2<f32>(1.0, 0.0);
    for (; i + 3u < l.n; i += 4u) {
        before = supply_forward(l, i, before);
        before = supply_forward(l, i + 1u, before);
        before = supply_forward(l, i + 2u, before);
        before = supply_forward(l, i + 3u, before);
    }
    for (; i < l.n; i++) {
        before = supply_forward(l, i, before);
    }
    return before.y;
}

fn store(l: Line, i: u32, to: u32, units: f32, pole: u32) {
    let at = i * l.step;
    let value = units * g[l.cells + i] * (state[l.a + at] - state[l.b + at]);
    if pole == 0u {
        out[to + i] = value;
    } else {
        out[to + i] -= value;
    }
}

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
    let units = bitcast<f32>(table[p.row_tiles + p.col_tiles + 2u + plane]);
    let lines = p.row_tiles * p.planes * p.cols;
    let chip_at = chip * (5u * p.segment + lines);
    var l: Line;
    l.n = table[row_tile + 1u] - first;
    // From row to row in the state; row tiles lie behind each other.
    l.step = p.cols * p.planes;
    l.a = chip_at + first * l.step + line % l.step;
    l.b = l.a + p.segment;
    l.a_divider = l.b + p.segment;
    l.b_divider = l.a_divider + p.segment;
    l.current = l.b_divider + p.segment;
    l.moved = chip_at + 5u * p.segment + line;
    let to = chip_base(p.out, chip) + (plane * p.cols + column) * p.rows + first;
    for (var pole = p.first; pole < p.first + p.count; pole++) {
        l.cells = chip_base(p.g, chip) + ((plane * p.poles + pole) * p.cols + column) * p.rows + first;
        var moved = 1.0;
        if p.begins == 1u {
            dividers(l);
        } else {
            moved = state[l.moved];
        }
        for (var sweep = 0u; sweep < p.sweeps; sweep++) {
            if moved <= p.settled {
                break;
            }
            solve_output(l);
            moved = solve_supply(l);
        }
        state[l.moved] = moved;
        if p.ends == 1u {
            solve_output(l);
            var i = 0u;
            for (; i + 3u < l.n; i += 4u) {
                store(l, i, to, units, pole);
                store(l, i + 1u, to, units, pole);
                store(l, i + 2u, to, units, pole);
                store(l, i + 3u, to, units, pole);
            }
            for (; i < l.n; i++) {
                store(l, i, to, units, pole);
            }
        }
    }
}
