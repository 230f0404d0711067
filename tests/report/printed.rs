//! Pages on paper: printed by Chromium, no sheet but the last is less than half full.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{all, measured};

/// Least part of a sheet's height that is used.
const HALF: f64 = 0.5;

/// Prints how far each sheet of a PDF file is filled.
const FILLED: &str = "\
import sys, pymupdf
for page in pymupdf.open(sys.argv[1]):
    p = page.get_pixmap(dpi=40, colorspace='gray')
    rows = [min(p.samples[y * p.stride:y * p.stride + p.width]) < 240 for y in range(p.height)]
    print((max([y for y, used in enumerate(rows) if used], default=-1) + 1) / p.height)
";

/// A browser that prints without a screen.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PIMENTO_CHROMIUM") {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// How far the sheets of a page are filled; `None`, with the reason, where it cannot be printed.
fn filled(browser: &Path, python: &str, folder: &Path, page: &str) -> Result<Vec<f64>, String> {
    let (html, pdf) = (folder.join("page.html"), folder.join("page.pdf"));
    std::fs::write(&html, page).unwrap();
    let printed = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-pdf-header-footer",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", html.display()))
        .output()
        .map_err(|e| format!("{}: {e}", browser.display()))?;
    if !pdf.is_file() {
        return Err(String::from_utf8_lossy(&printed.stderr).into_owned());
    }
    let read = Command::new(python).args(["-c", FILLED]).arg(&pdf).output();
    let read = read.map_err(|e| format!("{python}: {e}"))?;
    if !read.status.success() {
        let said = String::from_utf8_lossy(&read.stderr);
        return Err(said.lines().last().unwrap_or_default().to_string());
    }
    let lines = String::from_utf8_lossy(&read.stdout);
    Ok(lines.lines().map(|line| line.parse().unwrap()).collect())
}

#[test]
fn no_printed_sheet_is_half_empty() {
    let Some(browser) = browser() else {
        eprintln!(
            "SKIPPED no_printed_sheet_is_half_empty: no Chromium; PIMENTO_CHROMIUM names one"
        );
        return;
    };
    let python = std::env::var("PIMENTO_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = tempfile::tempdir().unwrap();
    let (result, rows) = measured::energy();
    let (mut sheets, mut wrong) = (0, vec![]);
    for (name, result, rows) in all().into_iter().chain([("energy", result, rows)]) {
        let page = pimento::report::html::page(&result, &rows);
        let filled = match filled(&browser, &python, folder.path(), &page) {
            Ok(filled) => filled,
            Err(reason) => {
                eprintln!("SKIPPED no_printed_sheet_is_half_empty: {reason}");
                return;
            }
        };
        let (_, before) = filled.split_last().expect("at least one sheet");
        sheets += filled.len();
        if before.iter().any(|part| *part < HALF) {
            wrong.push(format!("{name}: {filled:.2?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sheets > 40, "{sheets} sheets");
}
