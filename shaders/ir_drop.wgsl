//!include shared/run.wgsl
// Wires of input-source arrays: for every input alone at voltage 1, alternating exact solutions of
// all output lines and of all input lines; the currents of the output lines are a column of the
// array's matrix. A workgroup takes every `slots`-th input of one read plane of one array. A line is a
// chain of dividers: with `up` the conductance of its part up to a node and r the next resistance,
// both ways along it need 1 / (1 + r up) only, which is the same for all inputs and sweeps. Lines are walked
// four nodes a round: some drivers count rounds. A call takes some (pole, turn of the slot) items, or some
// sweeps of one, and finds in the state what the call before left there.

struct Params {
    g: View,
    out: View,
    rows: u32,
    cols: u32,
    row_tiles: u32,
    col_tiles: u32,
    // Read planes, and cells of a read.
    planes: u32,
    poles: u32,
    slots: u32,
    // Values of a segment of a workgroup's state.
    segment: u32,
    // Segments of input and output lines; at the driver; to virtual ground.
    row: f32,
    col: f32,
    driver: f32,
    end: f32,
    // Sweeps, and the change of a voltage at which fewer do.
    sweeps: u32,
    settled: f32,
    activity: f32,
    // Inputs of a slot; the first item of the call, and how many: all turns of a pole, then the next.
    turns: u32,
    first: u32,
    count: u32,
    // Whether the call begins its items; whether it ends them.
    begins: u32,
    ends: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
// First rows of row tiles, first columns of column tiles, level units of read planes.
@group(0) @binding(3) var<storage, read> table: array<u32>;
// Voltages of input lines and of output lines, dividers of both, currents: segments [input][output]. The
// last change of a voltage behind them.
@group(0) @binding(4) var<storage, read_write> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> change: atomic<u32>;
var<workgroup> last_change: u32;

struct Mesh {
    outputs: u32,
    inputs: u32,
    // Of the first cell; of the first value of each segment.
    cells: u32,
    a: u32,
    b: u32,
    a_divider: u32,
    b_divider: u32,
    current: u32,
    moved: u32,
}

fn cell(m: Mesh, j: u32, i: u32) -> f32 {
    return g[m.cells + j * p.rows + i];
}

// Conductance of the line up to the node, its divider; what passes to the next.
fn output_divider(m: Mesh, j: u32, i: u32, passed: f32) -> f32 {
    let up = cell(m, j, i) + passed;
    let r = select(p.col, p.end, i + 1u == m.inputs);
    let divider = 1.0 / (1.0 + r * up);
    state[m.b_divider + i * m.outputs + j] = divider;
    return up * divider;
}

fn output_dividers(m: Mesh, j: u32) {
    var passed = 0.0;
    var i = 0u;
    for (; i + 3u < m.inputs; i += 4u) {
        passed = output_divider(m, j, i, passed);
        passed = output_divider(m, j, i + 1u, passed);
        passed = output_divider(m, j, i + 2u, passed);
        passed = output_divider(m, j, i + 3u, passed);
    }
    for (; i < m.inputs; i++) {
        passed = output_divider(m, j, i, passed);
    }
}

// The driver is at output 0.
fn input_divider(m: Mesh, j: u32, i: u32, passed: f32) -> f32 {
    let up = cell(m, j, i) + passed;
    let r = select(p.row, p.driver, j == 0u);
    let divider = 1.0 / (1.0 + r * up);
    state[m.a_divider + i * m.outputs + j] = divider;
    return up * divider;
}

fn input_dividers(m: Mesh, i: u32) {
    var passed = 0.0;
    var j = m.outputs;
    for (; j > 3u; j -= 4u) {
        passed = input_divider(m, j - 1u, i, passed);
        passed = input_divider(m, j - 2u, i, passed);
        passed = input_divider(m, j - 3u, i, passed);
        passed = input_divider(m, j - 4u, i, passed);
    }
    for (; j > 0u; j--) {
        passed = input_divider(m, j - 1u, i, passed);
    }
}

// One input line at voltage 1.
fn drive(m: Mesh, j: u32, u: u32) {
    var i = 0u;
    for (; i + 3u < m.inputs; i += 4u) {
        let at = m.a + i * m.outputs + j;
        state[at] = 0.0;
        state[at + m.outputs] = 0.0;
        state[at + 2u * m.outputs] = 0.0;
        state[at + 3u * m.outputs] = 0.0;
    }
    for (; i < m.inputs; i++) {
        state[m.a + i * m.outputs + j] = 0.0;
    }
    state[m.a + u * m.outputs + j] = 1.0;
}

// Current that arrives at a node of an output line; what passes to the next.
fn output_forward(m: Mesh, j: u32, i: u32, passed: f32) -> f32 {
    let at = i * m.outputs + j;
    let current = cell(m, j, i) * state[m.a + at] + passed;
    state[m.b + at] = current;
    return current * state[m.b_divider + at];
}

// Voltage of a node of an output line.
fn output_back(m: Mesh, j: u32, i: u32, after: f32) -> f32 {
    let at = i * m.outputs + j;
    let r = select(p.col, p.end, i + 1u == m.inputs);
    let v = (state[m.b + at] * r + after) * state[m.b_divider + at];
    state[m.b + at] = v;
    return v;
}

// Voltages of an output line for given input lines.
fn solve_output(m: Mesh, j: u32) {
    var passed = 0.0;
    var i = 0u;
    for (; i + 3u < m.inputs; i += 4u) {
        passed = output_forward(m, j, i, passed);
        passed = output_forward(m, j, i + 1u, passed);
        passed = output_forward(m, j, i + 2u, passed);
        passed = output_forward(m, j, i + 3u, passed);
    }
    for (; i < m.inputs; i++) {
        passed = output_forward(m, j, i, passed);
    }
    // The end is at voltage 0.
    var after = 0.0;
    for (; i > 3u; i -= 4u) {
        after = output_back(m, j, i - 1u, after);
        after = output_back(m, j, i - 2u, after);
        after = output_back(m, j, i - 3u, after);
        after = output_back(m, j, i - 4u, after);
    }
    for (; i > 0u; i--) {
        after = output_back(m, j, i - 1u, after);
    }
}

fn input_back(m: Mesh, i: u32, j: u32, passed: f32) -> f32 {
    let at = i * m.outputs + j;
    let current = cell(m, j, i) * state[m.b + at] + passed;
    state[m.current + at] = current;
    return current * state[m.a_divider + at];
}

// Voltage of a node of an input line and the largest change so far.
fn input_forward(m: Mesh, i: u32, j: u32, before: vec2<f32>) -> vec2<f32> {
    let at = i * m.outputs + j;
    let r = select(p.row, p.driver, j == 0u);
    let v = (state[m.current + at] * r + before.x) * state[m.a_divider + at];
    let moved = max(before.y, abs(v - state[m.a + at]));
    state[m.a + at] = v;
    return vec2<f32>(v, moved);
}

// Voltages of an input line, driven with `drive`, for given output lines; the largest change.
fn solve_input(m: Mesh, i: u32, drive: f32) -> f32 {
    var passed = 0.0;
    var j = m.outputs;
    for (; j > 3u; j -= 4u) {
        passed = input_back(m, i, j - 1u, passed);
        passed = input_back(m, i, j - 2u, passed);
        passed = input_back(m, i, j - 3u, passed);
        passed = input_back(m, i, j - 4u, passed);
    }
    for (; j > 0u; j--) {
        passed = input_back(m, i, j - 1u, passed);
    }
    var before = vec2<f32>(drive, 0.0);
    for (; j + 3u < m.outputs; j += 4u) {
        before = input_forward(m, i, j, before);
        before = input_forward(m, i, j + 1u, before);
        before = input_forward(m, i, j + 2u, before);
        before = input_forward(m, i, j + 3u, before);
    }
    for (; j < m.outputs; j++) {
        before = input_forward(m, i, j, before);
    }
    return before.y;
}

fn cell_current(m: Mesh, j: u32, i: u32) -> f32 {
    let at = i * m.outputs + j;
    return cell(m, j, i) * (state[m.a + at] - state[m.b + at]);
}

// Below this end the voltages of a cell tell its current; above it the line's last one does, where those of
// a cell may be so alike that their difference is lost.
const SMALL_END: f32 = 1e-12;

fn output_current(m: Mesh, j: u32) -> f32 {
    if p.end > SMALL_END {
        return state[m.b + (m.inputs - 1u) * m.outputs + j] / p.end;
    }
    var sum = 0.0;
    var i = 0u;
    for (; i + 3u < m.inputs; i += 4u) {
        sum += cell_current(m, j, i);
        sum += cell_current(m, j, i + 1u);
        sum += cell_current(m, j, i + 2u);
        sum += cell_current(m, j, i + 3u);
    }
    for (; i < m.inputs; i++) {
        sum += cell_current(m, j, i);
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let flat = flat_group(id, grid);
    let chip = id.z;
    let array = flat / p.slots;
    let plane = array % p.planes;
    let col_tile = array / p.planes % p.col_tiles;
    let row_tile = array / p.planes / p.col_tiles;
    if row_tile >= p.row_tiles || chip >= run.chips {
        return;
    }
    let first_row = table[row_tile];
    let first_col = table[p.row_tiles + 1u + col_tile];
    let units = bitcast<f32>(table[p.row_tiles + p.col_tiles + 2u + plane]);
    var m: Mesh;
    m.inputs = table[row_tile + 1u] - first_row;
    m.outputs = table[p.row_tiles + 2u + col_tile] - first_col;
    let arrays = p.row_tiles * p.col_tiles * p.planes;
    m.a = (chip * arrays * p.slots + flat) * (5u * p.segment + 1u);
    m.b = m.a + p.segment;
    m.a_divider = m.b + p.segment;
    m.b_divider = m.a_divider + p.segment;
    m.current = m.b_divider + p.segment;
    m.moved = m.current + p.segment;
    let to = chip_base(p.out, chip) + (plane * p.cols + first_col) * p.rows + first_row;
    for (var item = p.first; item < p.first + p.count; item++) {
        let pole = item / p.turns;
        let turn = item % p.turns;
        let u = flat % p.slots + turn * p.slots;
        // The same for the whole workgroup.
        if u >= m.inputs {
            continue;
        }
        let cells = (plane * p.poles + pole) * p.cols + first_col;
        m.cells = chip_base(p.g, chip) + cells * p.rows + first_row;
        if p.begins == 1u {
            if turn == 0u {
                // The next cells' dividers must not overtake the last solutions.
                storageBarrier();
                for (var j = lane; j < m.outputs; j += 64u) {
                    output_dividers(m, j);
                }
                for (var i = lane; i < m.inputs; i += 64u) {
                    input_dividers(m, i);
                }
            }
            for (var j = lane; j < m.outputs; j += 64u) {
                drive(m, j, u);
            }
        }
        if lane == 0u {
            last_change = bitcast<u32>(select(state[m.moved], 1.0, p.begins == 1u));
        }
        for (var sweep = 0u; sweep < p.sweeps; sweep++) {
            if bitcast<f32>(workgroupUniformLoad(&last_change)) <= p.settled {
                break;
            }
            for (var j = lane; j < m.outputs; j += 64u) {
                solve_output(m, j);
            }
            if lane == 0u {
                atomicStore(&change, 0u);
            }
            storageBarrier();
            workgroupBarrier();
            for (var i = lane; i < m.inputs; i += 64u) {
                let moved = solve_input(m, i, select(0.0, 1.0, i == u));
                // Floats that are not negative are ordered as their bits.
                atomicMax(&change, bitcast<u32>(moved));
            }
            storageBarrier();
            workgroupBarrier();
            if lane == 0u {
                last_change = atomicLoad(&change);
            }
        }
        if lane == 0u {
            state[m.moved] = bitcast<f32>(last_change);
        }
        if p.ends == 1u {
            for (var j = lane; j < m.outputs; j += 64u) {
                solve_output(m, j);
                let value = units * output_current(m, j);
                let at = to + j * p.rows + u;
                if pole == 0u {
                    out[at] = value;
                } else {
                    out[at] -= value;
                }
            }
        }
    }
}
