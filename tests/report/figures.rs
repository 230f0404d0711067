//! Figures for papers: every one is well-formed, has its numbers, and can be read.

use pimento::report::export::Format;
use pimento::report::figures::{Request, axes, figure, of_page, results};
use pimento::report::plot::Figure;
use pimento::sweep::result::{ChipRow, SweepResult};

use crate::{all, measured, shapes, synthetic, xml};

fn request(x: &str, y: Option<&str>) -> Request {
    Request {
        x: Some(x.into()),
        y: y.map(str::to_string),
        ..Request::default()
    }
}

fn drawn(run: &(SweepResult, Vec<ChipRow>), request: &Request) -> Figure {
    figure(&run.0, &run.1, request).unwrap()
}

/// Figures of every kind, at the width of a page and of a column.
pub fn figures() -> Vec<(String, Figure)> {
    let mut found = vec![];
    let (result, rows) = measured::energy();
    for (name, result, rows) in all().into_iter().chain([("energy", result, rows)]) {
        let figures = of_page(&result, &rows).into_iter();
        found.extend(figures.map(|f| (format!("{name}: {}", f.name()), f)));
    }
    let (grid, ageing, sixty) = (shapes::grid(), shapes::ageing(), synthetic::sixty());
    for width_mm in [88.0, 180.0] {
        let asked = [
            (&grid, request("sigma_w", Some("sigma_b"))),
            (
                &grid,
                Request {
                    value: Some("yield".into()),
                    ..request("sigma_b", Some("sigma_w"))
                },
            ),
            (
                &grid,
                Request {
                    facets: vec!["tuning".into()],
                    ..request("sigma_b", None)
                },
            ),
            (&ageing, request("chip.drift.time_s", Some("q05"))),
            (&ageing, request("chip.drift.time_s", Some("chip.adc.bits"))),
            (&sixty, request("sigma_b", Some("cells"))),
        ];
        for (run, request) in asked {
            let request = Request {
                width_mm,
                ..request
            };
            let name = format!("{width_mm} mm: {:?} {:?}", request.x, request.y);
            found.push((name, drawn(run, &request)));
        }
    }
    found
}

#[test]
fn every_figure_is_a_whole_picture_with_numbers() {
    for (name, figure) in figures() {
        let svg = figure.svg(180.0);
        xml::check(&svg).unwrap_or_else(|e| panic!("{name}: {e}"));
        for bad in ["NaN", "var(", "@media", "currentcolor", "inf\""] {
            assert!(!svg.contains(bad), "{name}: {bad}");
        }
        let lines: Vec<&str> = figure.csv().lines().collect();
        assert!(lines.len() > 1, "{name}");
        for phrase in ["  ", "NaN", " ."] {
            assert!(
                !figure.caption().contains(phrase),
                "{name}: {}",
                figure.caption()
            );
        }
        assert!(
            figure.caption().ends_with('.'),
            "{name}: {}",
            figure.caption()
        );
    }
}

/// The map has every point's number, and the lines are where mean and 5 % quantile cross the limit.
#[test]
fn a_map_shows_every_point_and_the_limit() {
    let run = shapes::grid();
    let map = drawn(&run, &request("sigma_w", Some("sigma_b")));
    let svg = map.svg(180.0);
    assert_eq!(svg.matches("class=\"cell\"").count(), run.0.points.len());
    for p in &run.0.points {
        assert!(
            svg.contains(&format!(">{:.1}</text>", 100.0 * p.mean)),
            "{}",
            p.mean
        );
    }
    // Two panels with a solid and a dashed line; in the legend once more.
    assert_eq!(svg.matches("class=\"limit\"").count(), 3);
    assert_eq!(svg.matches("class=\"limit dash\"").count(), 3);
    for said in [
        "n = 60 chips",
        "1,000 images",
        "Student t",
        "mean accuracy 80 %",
        "95 % of the chips reach 80 %",
    ] {
        assert!(map.caption().contains(said), "{said}: {}", map.caption());
    }
    // Where the limit is beyond all numbers there is no line.
    let far = Request {
        limit: Some(1.0),
        ..request("sigma_w", Some("sigma_b"))
    };
    let far = drawn(&run, &far);
    assert!(!far.svg(180.0).contains("class=\"limit"));
    assert!(
        far.caption()
            .contains("At every point at least: mean accuracy 1 %")
    );
    assert_eq!(map.csv().lines().count(), 1 + run.0.points.len());
}

/// Ages have names on a logarithmic axis; titles are words with units.
#[test]
fn ages_are_logarithmic_and_named() {
    let run = shapes::ageing();
    let lines = drawn(&run, &request("chip.drift.time_s", None));
    let svg = lines.svg(180.0);
    for label in ["1 h", "1 d", "1 y", "time since programming"] {
        assert!(svg.contains(&format!(">{label}</text>")), "{label}");
    }
    assert!(lines.caption().contains("logarithmic"));
    // Five series are more than one panel holds: each has its own.
    assert_eq!(svg.matches(">time since programming</text>").count(), 5);
    assert!(lines.caption().contains("the other series"));
}

/// Requests that make no figure are refused with the fields that would.
#[test]
fn what_is_no_figure_is_refused() {
    let (result, rows) = shapes::grid();
    let cases: [(Request, &str); 9] = [
        (
            Request::default(),
            "variation.sigma_w, variation.sigma_b), or --figure NAME (accuracy_map",
        ),
        (request("tuning", None), "numeric axis that varies"),
        (
            request("sigma_w", Some("energy_high_pj")),
            "allowed: accuracy",
        ),
        (
            request("sigma_w", Some("sigma_w")),
            "--y is the axis of --x",
        ),
        (
            Request {
                value: Some("no".into()),
                ..request("sigma_w", Some("sigma_b"))
            },
            "--value no",
        ),
        (
            Request {
                width_mm: 5.0,
                ..request("sigma_w", None)
            },
            "60 to 600 mm",
        ),
        (
            Request {
                only: vec![("tuning".into(), "no".into())],
                ..request("sigma_w", None)
            },
            "untuned",
        ),
        (
            Request {
                limit: Some(3.0),
                ..request("sigma_w", None)
            },
            "is for maps",
        ),
        (
            Request {
                name: Some("no".into()),
                ..Request::default()
            },
            "accuracy_chips",
        ),
    ];
    for (request, want) in cases {
        let message = figure(&result, &rows, &request).unwrap_err().to_string();
        assert!(message.contains(want), "{message}");
    }
}

/// Some points of a run, by an axis that is no number or is one.
#[test]
fn only_some_points_are_drawn() {
    let run = shapes::grid();
    let only = |axis: &str, value: &str| Request {
        only: vec![(axis.into(), value.into())],
        ..request("sigma_w", Some("accuracy"))
    };
    let rows = |request: &Request| drawn(&run, request).csv().lines().count() - 1;
    assert_eq!(rows(&request("sigma_w", None)), 50);
    assert_eq!(rows(&only("tuning", "none")), 25);
    assert_eq!(rows(&only("variation.sigma_b", "0.2")), 10);
    assert!(axes(&run.0).contains(&("variation.sigma_b".into(), 5, true)));
    assert!(results(&run.0).contains(&"yield"));
}

#[test]
fn endings_say_the_format() {
    let of = |name: &str| Format::of(std::path::Path::new(name));
    assert_eq!(of("a.SVG").unwrap(), Format::Svg);
    assert_eq!(of("a.csv").unwrap(), Format::Csv);
    assert!(of("a.jpg").unwrap_err().to_string().contains(".pdf"));
    #[cfg(feature = "figures")]
    assert_eq!(of("a.pdf").unwrap(), Format::Pdf);
    #[cfg(not(feature = "figures"))]
    assert!(
        of("a.pdf")
            .unwrap_err()
            .to_string()
            .contains("--features figures")
    );
}

/// PNG and PDF of every figure: of the right size, and the same for the same figure.
#[cfg(feature = "figures")]
#[test]
fn pixels_and_pages_have_the_size_that_was_asked_for() {
    let figure = drawn(&shapes::grid(), &request("sigma_w", Some("sigma_b")));
    let png = figure.file(Format::Png, 88.0).unwrap();
    let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
    assert_eq!((&png[1..4], width), (&b"PNG"[..], 1386));
    let pdf = figure.file(Format::Pdf, 88.0).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    assert_eq!(pdf, figure.file(Format::Pdf, 88.0).unwrap());
}
