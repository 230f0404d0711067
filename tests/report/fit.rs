//! The page of a fit: well-formed whatever was measured, and nothing of its plots falls out of them.

use std::fmt::Write;

use pimento::fit::{Fit, Measurements, Options};
use pimento::report::html::fit::{About, page};

use super::xml;

fn of(table: &str) -> String {
    let found = Measurements::from_reader(table.as_bytes(), "t.csv").expect("a table");
    let fit = Fit::new(&found, &Options::default()).expect("a fit");
    let device = fit.device("<b>&\"'");
    let about = About {
        source: "<b>&\"'",
        pimento: "0.1.0",
        command: "pimento fit '</pre><script>'",
        device: &device,
    };
    page(&fit, &about)
}

/// Two chips of two arrays with places, read twice at three times; no randomness but a fixed pattern.
pub fn measured() -> String {
    let mut table = String::from("chip,array,row,col,target_us,value_us,time_s\n");
    for cell in 0..4 * 12 * 10u32 {
        let (group, place) = (cell / 120, cell % 120);
        let target = [10.0, 30.0, 50.0, 70.0][(place * 7 % 4) as usize];
        let off = f64::from((cell * 37) % 101) / 101.0 - 0.5;
        let own = 1.0 + 0.1 * off + 0.01 * f64::from(group) + 0.004 * f64::from(place / 10);
        for (time, fall) in [(20, 1.0), (2_000, 0.8), (200_000, 0.65)] {
            for sign in [-1.0, 1.0] {
                let value = target * own * fall + 0.1 * sign;
                let (row, col) = (place / 10, place % 10);
                writeln!(
                    table,
                    "{},{group},{row},{col},{target},{value},{time}",
                    group / 2
                )
                .unwrap();
            }
        }
    }
    of(&table)
}

#[test]
fn pages_of_fits_are_well_formed_and_ask_no_network() {
    let far: String = (0..3_000)
        .map(|i| format!("{},{},50,{}\n", i * 90, i * 1_000, 50.0 + f64::from(i % 7)))
        .collect();
    for (name, page) in [
        ("all", measured()),
        ("one cell", of("target_us,value_us\n50,49\n")),
        (
            "no spread",
            of("target_us,value_us\n50,50\n50,50\n20,20\n20,20\n"),
        ),
        (
            "two cells",
            of("cell,target_us,value_us,time_s\n1,50,49,1\n1,50,40,10\n2,50,51,1\n2,50,44,10\n"),
        ),
        (
            "nothing above 0",
            of("cell,target_us,value_us,time_s\n1,50,-1,1\n1,50,-2,10\n2,50,-3,1\n2,50,0,10\n"),
        ),
        (
            "far places",
            of(&format!("row,col,target_us,value_us\n{far}")),
        ),
    ] {
        assert!(pimento::sweep::outdir::is_page(page.as_bytes()), "{name}");
        let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        xml::check(body).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!page.contains("NaN") && !page.contains("inf\""), "{name}");
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for link in [
            "http:", "https:", "url(", "@import", "<script ", "<link", "<img",
        ] {
            assert!(!page.contains(link), "{name}: {link}");
        }
        assert!(
            page.contains("Error of programming") == (name != "one cell"),
            "{name}"
        );
    }
}
