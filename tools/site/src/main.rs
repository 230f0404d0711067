//! Pimento's documents as a site: `cargo run --manifest-path tools/site/Cargo.toml -- OUT`.
//!
//! The book has the layout of the repository, so that the links of its pages hold in both. [`stage`] copies what `SUMMARY.md`
//! lists and everything that these pages link to, [`gallery`] makes a page of the shipped experiments, mdBook makes HTML of it,
//! and [`links`] follows every link of the result. A dead link fails the build.

mod gallery;
mod links;
mod stage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [out] = arguments.as_slice() else {
        bail!("usage: pimento-site OUT (a directory to be made, or one made by this program)")
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..").canonicalize()?;
    clear(out)?;
    let out = out.canonicalize()?;
    let staging = out.with_extension("staging");
    if staging.exists() {
        std::fs::remove_dir_all(&staging)?;
    }
    let pages = stage::stage(&root, here, &staging)?;
    build(here, &staging, &out)?;
    std::fs::remove_dir_all(&staging)?;
    std::fs::write(out.join(MARK), "made by tools/site\n")?;
    let found = links::check(&out)?;
    for dead in &found.dead {
        eprintln!("dead link: {dead}");
    }
    ensure!(found.dead.is_empty(), "{} dead links", found.dead.len());
    println!(
        "{pages} pages, {} links within the site, in {}",
        found.followed,
        out.display()
    );
    Ok(())
}

/// A file that says that a directory may be replaced.
const MARK: &str = ".pimento-site";

/// Makes an empty directory; replaces it only if this program made it.
fn clear(out: &Path) -> Result<()> {
    if out.exists() {
        let empty = std::fs::read_dir(out)?.next().is_none();
        ensure!(
            empty || out.join(MARK).exists(),
            "{}: is there, and not made by this program",
            out.display()
        );
        std::fs::remove_dir_all(out)?;
    }
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())
}

fn build(here: &Path, staging: &Path, out: &Path) -> Result<()> {
    let mut config = Config::from_disk(here.join("book.toml"))?;
    config.build.build_dir = out.to_path_buf();
    config.build.create_missing = false;
    std::fs::copy(here.join("site.css"), staging.join("site.css"))?;
    MDBook::load_with_config(staging, config)?.build()
}
