//!include shared/run.wgsl
//!include shared/line.wgsl
// Wires of input-source arrays: for every input alone at voltage 1, alternating exact solutions of
// all output lines and of all input lines; the currents of the output lines are a column of the
// array's matrix. A workgroup takes every `slots`-th input of one read plane of one array. A call takes
// some (pole, turn of the slot) items, or some sweeps of one, and finds in the state what the call
// before left there: adapters that count rounds get several.

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

fn output_line(m: Mesh, j: u32) -> Line {
    return Line(m.inputs, m.cells + j * p.rows, 1u, j, m.outputs, 1.0, p.col, p.end);
}

// The driver is at output 0, the far end at the last.
fn input_line(m: Mesh, i: u32) -> Line {
    let far = m.outputs - 1u;
    let cell = m.cells + far * p.rows + i;
    return Line(m.outputs, cell, 0u - p.rows, i * m.outputs + far, 0u - 1u, 1.0, p.row, p.driver);
}

// Voltages of an output line for given input lines; its end is at voltage 0.
fn solve_output(m: Mesh, j: u32) {
    line_solve(output_line(m, j), Segments(m.a, m.b_divider, m.b, m.b), 0.0);
}

// Voltages of an input line, driven with `drive`, for given output lines; the largest change.
fn solve_input(m: Mesh, i: u32, drive: f32) -> f32 {
    return line_solve(input_line(m, i), Segments(m.b, m.a_divider, m.current, m.a), drive);
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

fn cell_current(m: Mesh, j: u32, i: u32) -> f32 {
    let at = i * m.outputs + j;
    return g[m.cells + j * p.rows + i] * (state[m.a + at] - state[m.b + at]);
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
    let chip = chip_of(id);
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
                    line_dividers(output_line(m, j), m.b_divider);
                }
                for (var i = lane; i < m.inputs; i += 64u) {
                    line_dividers(input_line(m, i), m.a_divider);
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
