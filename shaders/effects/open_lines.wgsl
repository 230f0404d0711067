// Open lines: src/effects/open_lines. Constants: HAS_OPEN.

const PURPOSE_OPEN_ROW: u32 = 18u;
const PURPOSE_OPEN_COLUMN: u32 = 19u;

struct OpenLines {
    row: f32,
    column: f32,
}

// Where a line is open.
fn open_line(address: vec4<u32>, p: Programming, chip: u32, purpose: u32, part: f32) -> vec4<bool> {
    let words = vec4<u32>(
        word_at(address.x, p.layer, chip, purpose),
        word_at(address.y, p.layer, chip, purpose),
        word_at(address.z, p.layer, chip, purpose),
        word_at(address.w, p.layer, chip, purpose),
    );
    return uniform4(words) < vec4<f32>(part);
}

fn apply_open_lines(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    if HAS_OPEN {
        let open = p.open_lines;
        let row = open_line(c.array * p.rows + c.row, p, c.chip, PURPOSE_OPEN_ROW, open.row);
        var column = vec4<bool>(false);
        // Reference columns are never open.
        if FLAGS == 0u {
            let address = c.array * p.cols + c.column;
            column = open_line(address, p, c.chip, PURPOSE_OPEN_COLUMN, open.column);
        }
        s.closed = select(vec4<f32>(1.0), vec4<f32>(0.0), row | column);
        s.g = s.closed * s.g;
    }
    return s;
}
