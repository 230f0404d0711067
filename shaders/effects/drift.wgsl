// Drift: src/effects/drift. Constants: HAS_DRIFT.

const PURPOSE_CELL_DRIFT: u32 = 17u;

struct Drift {
    log_time: f32,
    mean_at: u32,
    mean_len: u32,
    sigma_at: u32,
    sigma_len: u32,
}

fn apply_drift(p: Programming, c: Cells, before: State) -> State {
    var s = before;
    if HAS_DRIFT {
        let d = p.drift;
        let n = normal4(own_words(p, c, PURPOSE_CELL_DRIFT), 0.0);
        let mean = curve(d.mean_at, d.mean_len, s.g);
        let spread = curve(d.sigma_at, d.sigma_len, s.g);
        let nu = max(mean + spread * n, vec4<f32>(0.0));
        s.g = s.g + s.g * exp_m1_4(-nu * d.log_time);
    }
    return s;
}
