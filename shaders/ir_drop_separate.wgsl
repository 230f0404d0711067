//!include shared/run.wgsl
//!include shared/line.wgsl
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

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let line = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    let column = line % p.cols;
    let plane = line / p.cols % p.planes;
    let row_tile = line / p.cols / p.planes;
    if row_tile >= p.row_tiles || chip >= run.chips {
        return;
    }
    let first = table[row_tile];
    let units = bitcast<f32>(table[p.row_tiles + p.col_tiles + 2u + plane]);
    let n = table[row_tile + 1u] - first;
    // From row to row in the state; row tiles lie behind each other.
    let step = p.cols * p.planes;
    let lines = p.row_tiles * step;
    let at = first * step + line % step;
    let a = chip * (5u * p.segment + lines);
    let b = a + p.segment;
    let a_divider = b + p.segment;
    let b_divider = a_divider + p.segment;
    let current = b_divider + p.segment;
    let last = current + p.segment + line;
    let to = chip_base(p.out, chip) + (plane * p.cols + column) * p.rows + first;
    // Voltages are counted from that terminal which is further away, where those of a cell may be nearly
    // alike: behind a large end from the supply's, and with that end driven so hard that the cells see
    // about 1.
    let reverse = p.end > p.driver;
    let drive = select(1.0, 1.0 + p.end * p.activity * f32(n), reverse);
    let supplied = select(drive, 0.0, reverse);
    let ended = select(0.0, drive, reverse);
    let output = Segments(a, b_divider, b, b);
    let supply = Segments(b, a_divider, current, a);
    for (var pole = p.first; pole < p.first + p.count; pole++) {
        let cells = chip_base(p.g, chip) + ((plane * p.poles + pole) * p.cols + column) * p.rows + first;
        // The output line ends at the last row, the supply line begins at the first.
        let far = n - 1u;
        let down = Line(n, cells, 1u, at, step, p.activity, p.col, p.end);
        let up = Line(
            n, cells + far, 0u - 1u, at + far * step, 0u - step, p.activity, p.row, p.driver,
        );
        var moved = 1.0;
        if p.begins == 1u {
            line_dividers(down, b_divider);
            line_dividers(up, a_divider);
            for (var i = 0u; i < n; i++) {
                state[a + at + i * step] = supplied;
            }
        } else {
            moved = state[last];
        }
        for (var sweep = 0u; sweep < p.sweeps; sweep++) {
            if moved <= p.settled {
                break;
            }
            line_solve(down, output, ended);
            moved = line_solve(up, supply, supplied);
        }
        state[last] = moved;
        if p.ends == 1u {
            line_solve(down, output, ended);
            for (var i = 0u; i < n; i++) {
                let here = at + i * step;
                let across = abs(state[a + here] - state[b + here]) / drive;
                let value = units * g[cells + i] * across;
                if pole == 0u {
                    out[to + i] = value;
                } else {
                    out[to + i] -= value;
                }
            }
        }
    }
}
