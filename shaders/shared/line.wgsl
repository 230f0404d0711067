// A line of an array with resistance, solved exactly for given voltages on the other side of its cells:
// a chain of dividers. It is walked from its far end to its terminal, where currents and conductances
// add up, and back, where voltages follow. Four nodes a round: some drivers count rounds. The kernel's
// file binds conductances as `g` and its state as `state`; segments of the state hold a value a node.

struct Line {
    nodes: u32,
    // The far end's cell in `g` and value in a segment, and from node to node towards the terminal
    // (wrapping u32).
    cell: u32,
    cell_step: u32,
    value: u32,
    step: u32,
    // Part of a cell's conductance that counts.
    activity: f32,
    // From node to node, and from the last one to the terminal's voltage.
    resistance: f32,
    terminal: f32,
}

// Where in the state a line finds the voltages opposite, its dividers, and has its currents and voltages.
// The last two may be the same segment.
struct Segments {
    opposite: u32,
    dividers: u32,
    currents: u32,
    voltages: u32,
}

fn line_cell(l: Line, k: u32) -> f32 {
    return l.activity * g[l.cell + k * l.cell_step];
}

fn line_resistance(l: Line, k: u32) -> f32 {
    return select(l.resistance, l.terminal, k + 1u == l.nodes);
}

// With the conductance `up` of all before and at the node, both ways along the line need 1 / (1 + r up)
// only. Returns what passes to the next node.
fn line_divider(l: Line, k: u32, dividers: u32, passed: f32) -> f32 {
    let up = line_cell(l, k) + passed;
    let divider = 1.0 / (1.0 + line_resistance(l, k) * up);
    state[dividers + l.value + k * l.step] = divider;
    return up * divider;
}

fn line_dividers(l: Line, dividers: u32) {
    var passed = 0.0;
    var k = 0u;
    for (; k + 3u < l.nodes; k += 4u) {
        passed = line_divider(l, k, dividers, passed);
        passed = line_divider(l, k + 1u, dividers, passed);
        passed = line_divider(l, k + 2u, dividers, passed);
        passed = line_divider(l, k + 3u, dividers, passed);
    }
    for (; k < l.nodes; k++) {
        passed = line_divider(l, k, dividers, passed);
    }
}

// The current that arrives at a node; returns what passes to the next.
fn line_gather(l: Line, k: u32, s: Segments, passed: f32) -> f32 {
    let at = l.value + k * l.step;
    let current = line_cell(l, k) * state[s.opposite + at] + passed;
    state[s.currents + at] = current;
    return current * state[s.dividers + at];
}

// Voltage of node `k - 1` from that of node `k` (before.x), and the largest change so far.
fn line_follow(l: Line, k: u32, s: Segments, before: vec2<f32>) -> vec2<f32> {
    let at = l.value + (k - 1u) * l.step;
    let current = state[s.currents + at];
    let v = (current * line_resistance(l, k - 1u) + before.x) * state[s.dividers + at];
    let moved = max(before.y, abs(v - state[s.voltages + at]));
    state[s.voltages + at] = v;
    return vec2<f32>(v, moved);
}

// Solves a line whose terminal is at voltage `terminal`; the largest change of a voltage, which says
// nothing where currents and voltages are one segment.
fn line_solve(l: Line, s: Segments, terminal: f32) -> f32 {
    var passed = 0.0;
    var k = 0u;
    for (; k + 3u < l.nodes; k += 4u) {
        passed = line_gather(l, k, s, passed);
        passed = line_gather(l, k + 1u, s, passed);
        passed = line_gather(l, k + 2u, s, passed);
        passed = line_gather(l, k + 3u, s, passed);
    }
    for (; k < l.nodes; k++) {
        passed = line_gather(l, k, s, passed);
    }
    var before = vec2<f32>(terminal, 0.0);
    for (; k > 3u; k -= 4u) {
        before = line_follow(l, k, s, before);
        before = line_follow(l, k - 1u, s, before);
        before = line_follow(l, k - 2u, s, before);
        before = line_follow(l, k - 3u, s, before);
    }
    for (; k > 0u; k--) {
        before = line_follow(l, k, s, before);
    }
    return before.y;
}
