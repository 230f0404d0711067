// How a cell's own deviation depends on its conductance: twin of Profile::at in src/effects/profile.rs. Needs the table
// `profile` and the constant PROFILE, the number of its pieces.

fn profile_at(g: f32) -> vec2<f32> {
    let n = max(PROFILE, 1u);
    let place = clamp(g, 0.0, 1.0) * f32(n);
    let i = min(u32(place), n - 1u);
    let piece = profile[i];
    return vec2<f32>(piece.x + (place - f32(i)) * piece.y, f32(n) * piece.y);
}

fn profile4(g: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(profile_at(g.x).x, profile_at(g.y).x, profile_at(g.z).x, profile_at(g.w).x);
}

fn profile_slope4(g: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(profile_at(g.x).y, profile_at(g.y).y, profile_at(g.z).y, profile_at(g.w).y);
}
