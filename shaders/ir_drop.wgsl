//!include shared/run.wgsl
// Wires of input-source arrays: for every input alone at voltage 1, alternating exact solutions of
// all output lines and of all input lines; the currents of the output lines are a column of the
// array's matrix. A workgroup takes every `slots`-th input of one read plane of one array. A line is a
// chain of dividers: with `up` the conductance of its part up to a node and r the next resistance,
// both ways along it need 1 / (1 + r up) only, which is the same for all inputs and sweeps.

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
    pad0: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<f32>;
// First rows of row tiles, first columns of column tiles, level units of read planes.
@group(0) @binding(3) var<storage, read> table: array<u32>;
// Voltages of input lines and of output lines, dividers of both, currents: segments [input][output].
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
}

fn cell(m: Mesh, j: u32, i: u32) -> f32 {
    return g[m.cells + j * p.rows + i];
}

fn output_dividers(m: Mesh, j: u32) {
    var up = 0.0;
    var passed = 0.0;
    for (var i = 0u; i < m.inputs; i++) {
        up = cell(m, j, i) + passed;
        let r = select(p.col, p.end, i + 1u == m.inputs);
        let divider = 1.0 / (1.0 + r * up);
        state[m.b_divider + i * m.outputs + j] = divider;
        passed = up * divider;
    }
}

// The driver is at output 0.
fn input_dividers(m: Mesh, i: u32) {
    var up = 0.0;
    var passed = 0.0;
    for (var j = m.outputs; j > 0u; j--) {
        up = cell(m, j - 1u, i) + passed;
        let r = select(p.row, p.driver, j == 1u);
        let divider = 1.0 / (1.0 + r * up);
        state[m.a_divider + i * m.outputs + j - 1u] = divider;
        passed = up * divider;
    }
}

// Voltages of an output line for given input lines.
fn solve_output(m: Mesh, j: u32) {
    var passed = 0.0;
    var at = j;
    for (var i = 0u; i < m.inputs; i++) {
        let current = cell(m, j, i) * state[m.a + at] + passed;
        state[m.b + at] = current;
        passed = current * state[m.b_divider + at];
        at += m.outputs;
    }
    // The end is at voltage 0.
    var after = 0.0;
    for (var i = m.inputs; i > 0u; i--) {
        at -= m.outputs;
        let r = select(p.col, p.end, i == m.inputs);
        after = (state[m.b + at] * r + after) * state[m.b_divider + at];
        state[m.b + at] = after;
    }
}

// Voltages of an input line, driven with `drive`, for given output lines; the largest change.
fn solve_input(m: Mesh, i: u32, drive: f32) -> f32 {
    let line = i * m.outputs;
    var passed = 0.0;
    for (var j = m.outputs; j > 0u; j--) {
        let at = line + j - 1u;
        let current = cell(m, j - 1u, i) * state[m.b + at] + passed;
        state[m.current + at] = current;
        passed = current * state[m.a_divider + at];
    }
    var before = drive;
    var moved = 0.0;
    for (var j = 0u; j < m.outputs; j++) {
        let at = line + j;
        let r = select(p.row, p.driver, j == 0u);
        before = (state[m.current + at] * r + before) * state[m.a_divider + at];
        moved = max(moved, abs(before - state[m.a + at]));
        state[m.a + at] = before;
    }
    return moved;
}

fn output_current(m: Mesh, j: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < m.inputs; i++) {
        let at = i * m.outputs + j;
        sum += cell(m, j, i) * (state[m.a + at] - state[m.b + at]);
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
    m.a = (chip * arrays * p.slots + flat) * 5u * p.segment;
    m.b = m.a + p.segment;
    m.a_divider = m.b + p.segment;
    m.b_divider = m.a_divider + p.segment;
    m.current = m.b_divider + p.segment;
    let to = chip_base(p.out, chip) + (plane * p.cols + first_col) * p.rows + first_row;
    for (var pole = 0u; pole < p.poles; pole++) {
        let cells = (plane * p.poles + pole) * p.cols + first_col;
        m.cells = chip_base(p.g, chip) + cells * p.rows + first_row;
        for (var j = lane; j < m.outputs; j += 64u) {
            output_dividers(m, j);
        }
        for (var i = lane; i < m.inputs; i += 64u) {
            input_dividers(m, i);
        }
        for (var u = flat % p.slots; u < m.inputs; u += p.slots) {
            for (var j = lane; j < m.outputs; j += 64u) {
                for (var i = 0u; i < m.inputs; i++) {
                    state[m.a + i * m.outputs + j] = select(0.0, 1.0, i == u);
                }
            }
            for (var sweep = 0u; sweep < p.sweeps; sweep++) {
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
                if bitcast<f32>(workgroupUniformLoad(&last_change)) <= p.settled {
                    break;
                }
            }
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
        // The next cells' dividers must not overtake the last solutions.
        storageBarrier();
    }
}
