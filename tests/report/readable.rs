//! What a reader must be able to do with a page and a figure, as far as it can be measured: tell texts from each other and
//! from the ground, tell series apart whatever the eyes, and read the smallest letters.

use std::collections::BTreeMap;

use crate::{shapes, synthetic};

/// Smallest letters of a page, px.
const SMALLEST_PX: f64 = 11.0;

/// Contrast of text (WCAG 2.2, 1.4.3), and of lines and marks (1.4.11).
const TEXT: f64 = 4.5;
const MARKS: f64 = 3.0;

/// Least distance of two colours of series in CIELAB, seen with deuteranopia: several times what is noticed side by side.
const APART: f64 = 15.0;

fn page() -> String {
    let (result, rows) = synthetic::sixty();
    pimento::report::html::page(&result, &rows)
}

/// The page's style sheet.
fn style(page: &str) -> &str {
    let (_, rest) = page.split_once("<style>").unwrap();
    rest.split_once("</style>").unwrap().0
}

/// Custom properties with colours: those of light pages, and those of dark ones.
fn colours(style: &str) -> [BTreeMap<String, [f64; 3]>; 2] {
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    let mut dark = false;
    for line in style.lines() {
        if line.starts_with("@media") {
            dark = line.contains("dark");
        } else if line == "}" || !line.starts_with([' ', '}']) {
            dark = false;
        }
        for part in line.split(';') {
            let Some((name, value)) = part
                .trim()
                .strip_prefix("--")
                .and_then(|p| p.split_once(": #"))
            else {
                continue;
            };
            let rgb = [0, 2, 4].map(|i| u8::from_str_radix(&value[i..i + 2], 16).unwrap());
            found[usize::from(dark)].insert(name.to_string(), rgb.map(|c| f64::from(c) / 255.0));
        }
    }
    found
}

fn linear(c: f64) -> f64 {
    match c {
        c if c <= 0.04045 => c / 12.92,
        c => ((c + 0.055) / 1.055).powf(2.4),
    }
}

fn luminance(rgb: [f64; 3]) -> f64 {
    let [r, g, b] = rgb.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_and_marks_stand_out_from_the_ground() {
    let page = page();
    for (colours, mode) in colours(style(&page)).iter().zip(["light", "dark"]) {
        let paper = colours["paper"];
        for (name, least) in [
            ("ink", TEXT),
            ("soft", TEXT),
            ("link", TEXT),
            ("axis", MARKS),
        ] {
            let found = contrast(colours[name], paper);
            assert!(found >= least, "{mode}: {name}: {found:.2}");
        }
        assert!(
            contrast(colours["soft"], colours["faint"]) >= TEXT,
            "{mode}: a row under the pointer"
        );
        for s in 0..6 {
            let found = contrast(colours[&format!("s{s}")], paper);
            assert!(found >= MARKS, "{mode}: series {s}: {found:.2}");
        }
    }
}

/// A colour as an eye without green receptors sees it, linear light (Machado, Oliveira and Fernandes, IEEE TVCG 15, 2009,
/// severity 1).
fn deuteranopia([r, g, b]: [f64; 3]) -> [f64; 3] {
    [
        0.367_322 * r + 0.860_646 * g - 0.227_968 * b,
        0.280_085 * r + 0.672_501 * g + 0.047_413 * b,
        -0.011_820 * r + 0.042_940 * g + 0.968_881 * b,
    ]
    .map(|c| c.clamp(0.0, 1.0))
}

/// CIELAB under D65 of a colour in linear light.
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
    let [x, y, z] = [x, y, z].map(|t| match t {
        t if t > 0.008_856 => t.cbrt(),
        t => 7.787 * t + 16.0 / 116.0,
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn series_differ_without_green_receptors() {
    for colours in colours(style(&page())) {
        let seen: Vec<[f64; 3]> = (0..6)
            .map(|s| lab(deuteranopia(colours[&format!("s{s}")].map(linear))))
            .collect();
        for a in 0..6 {
            for b in 0..a {
                let distance: f64 = (0..3).map(|i| (seen[a][i] - seen[b][i]).powi(2)).sum();
                assert!(
                    distance.sqrt() > APART,
                    "series {a} and {b}: {:.1}",
                    distance.sqrt()
                );
            }
        }
    }
}

#[test]
fn no_letters_are_smaller_than_eleven_pixels() {
    let page = page();
    let mut seen = 0;
    for declaration in style(&page).split([';', '{', '}']) {
        let Some((name, value)) = declaration.split_once(':') else {
            continue;
        };
        if !matches!(name.trim(), "font" | "font-size") {
            continue;
        }
        for word in value.split([' ', '/']) {
            let px = |unit: &str, factor: f64| {
                Some(word.strip_suffix(unit)?.parse::<f64>().ok()? * factor)
            };
            let relative = px("%", 0.01).map(|part| part * 12.5);
            let Some(size) = px("px", 1.0).or(px("pt", 4.0 / 3.0)).or(relative) else {
                continue;
            };
            seen += 1;
            assert!(size >= SMALLEST_PX - 1e-9, "{}", declaration.trim());
        }
    }
    assert!(seen > 15);
}

/// Texts of a picture: what they say, and their boxes in the picture's own pixels (left, top, right, bottom).
#[cfg(feature = "figures")]
fn texts(svg: &str) -> (f64, Vec<(String, [f64; 4])>) {
    use std::sync::Arc;

    use resvg::usvg::{Group, Node, Options, Tree, fontdb::Database};

    static FONTS: std::sync::LazyLock<Arc<Database>> = std::sync::LazyLock::new(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        Arc::new(fonts)
    });
    fn walk(group: &Group, found: &mut Vec<(String, [f64; 4])>) {
        for node in group.children() {
            match node {
                Node::Group(inside) => walk(inside, found),
                Node::Text(text) => {
                    let chunks = text.chunks().iter().map(|chunk| chunk.text());
                    let b = text.abs_bounding_box();
                    let bounds = [b.left(), b.top(), b.right(), b.bottom()];
                    found.push((chunks.collect(), bounds.map(f64::from)));
                }
                _ => {}
            }
        }
    }
    let options = Options {
        fontdb: Arc::clone(&FONTS),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).unwrap();
    let mut found = vec![];
    walk(tree.root(), &mut found);
    let width = svg
        .split_once("viewBox=\"")
        .unwrap()
        .1
        .split(' ')
        .nth(2)
        .unwrap();
    let scale = width.parse::<f64>().unwrap() / f64::from(tree.size().width());
    for (_, bounds) in &mut found {
        *bounds = bounds.map(|b| b * scale);
    }
    (f64::from(tree.size().width()) * scale, found)
}

/// As fonts measure them, no text lies on another, and none leaves its picture.
#[cfg(feature = "figures")]
#[test]
fn no_text_lies_on_another() {
    // Room around the letters of a line that its box has besides.
    const AIR: f64 = 2.5;
    let (mut seen, mut wrong) = (0, vec![]);
    for (name, figure) in crate::figures::figures() {
        for narrow in [false, true] {
            let Some(svg) = (if narrow {
                figure.phone()
            } else {
                Some(figure.svg(180.0))
            }) else {
                continue;
            };
            let (width, texts) = texts(&svg);
            seen += texts.len();
            for (i, (a, x)) in texts.iter().enumerate() {
                if x[0] < -1.0 || x[2] > width + 1.0 || x[1] < -1.0 {
                    wrong.push(format!(
                        "{name}: {a:?} leaves the picture: {x:.0?} of {width:.0}"
                    ));
                }
                for (b, y) in &texts[..i] {
                    let beside = x[0] + 1.0 > y[2] || y[0] + 1.0 > x[2];
                    let below = x[1] + AIR > y[3] - AIR || y[1] + AIR > x[3] - AIR;
                    if !beside && !below {
                        wrong.push(format!(
                            "{name}, narrow {narrow}: {a:?} lies on {b:?}: {x:.0?}, {y:.0?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} places:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    // On a machine without fonts there are no boxes to compare.
    assert!(seen == 0 || seen > 1000);
}

/// Without the script the page says the same, and groups are whole.
#[test]
fn tables_have_whole_groups() {
    let (result, rows) = synthetic::sixty();
    let page = pimento::report::html::page(&result, &rows);
    let table = |title: &str| {
        let (_, rest) = page.split_once(&format!("<h2>{title}")).unwrap();
        rest.split_once("</table>").unwrap().0.to_string()
    };
    // Five series under either law, all of them or none.
    assert_eq!(table("The worst chips").matches("pimento chip").count(), 10);
    let accuracy = table("Accuracy</h2>");
    let groups: Vec<&str> = accuracy.split("<tr class=\"group\">").skip(1).collect();
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!(group.matches("class=\"range\"").count(), 5);
    }
    let (result, rows) = shapes::grid();
    let page = pimento::report::html::page(&result, &rows);
    assert!(page.contains("accuracy_map.csv") && page.contains("accuracy_lines.csv"));
}

/// Writes every page and figure to the directory that `PIMENTO_PAGES` names, to be looked at; runs are written, too.
#[test]
#[ignore = "writes files to look at: PIMENTO_PAGES=DIR"]
fn pages_to_look_at() {
    let dir = std::path::PathBuf::from(std::env::var_os("PIMENTO_PAGES").unwrap());
    std::fs::create_dir_all(&dir).unwrap();
    let (result, rows) = crate::measured::energy();
    let measured = ("energy", result, rows);
    for (name, result, rows) in crate::all().into_iter().chain([measured]) {
        let run = dir.join(name);
        std::fs::create_dir_all(&run).unwrap();
        pimento::report::write(&run, &result, &rows).unwrap();
    }
    for (i, (_, figure)) in crate::figures::figures().iter().enumerate() {
        std::fs::write(
            dir.join(format!("{i:02}-{}.svg", figure.name())),
            figure.svg(180.0),
        )
        .unwrap();
    }
}
