//! Figures as files: SVG and CSV always, PNG and PDF with the feature `figures`.

use crate::error::{Error, Result};

use super::plot::Figure;

/// Fonts of a picture on paper, the first that is there: common ones of the width that the plots reckon with.
const FAMILIES: [&str; 8] = [
    "Helvetica Neue",
    "Helvetica",
    "Arial",
    "Liberation Sans",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "DejaVu Sans",
];

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vector graphics for pages and editors.
    Svg,
    /// Pixels, [`PIXELS_PER_MM`] of them to a millimetre.
    Png,
    /// Vector graphics for LaTeX, with its fonts inside.
    Pdf,
    /// The numbers.
    Csv,
}

/// Pixels of a millimetre in a PNG: 400 to an inch.
pub const PIXELS_PER_MM: f64 = 400.0 / 25.4;

impl Format {
    /// The format that the ending of a name means.
    ///
    /// # Errors
    /// Another ending; PNG and PDF in a build without the feature `figures`.
    pub fn of(path: &std::path::Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str());
        let format = match ending.map(str::to_lowercase).as_deref() {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            Some("pdf") => Format::Pdf,
            Some("csv") => Format::Csv,
            _ => {
                return Err(Error::input(format!(
                    "--out {}: no figure has this ending; allowed: .svg, .pdf, .png, .csv (the numbers)",
                    path.display()
                )));
            }
        };
        if cfg!(not(feature = "figures")) && matches!(format, Format::Png | Format::Pdf) {
            return Err(Error::input(format!(
                "--out {}: this build of Pimento writes no PNG and no PDF; allowed: .svg, .csv, or a build with \
                 --features figures",
                path.display()
            )));
        }
        Ok(format)
    }
}

impl Figure {
    /// The picture as an SVG file of `width_mm`.
    pub fn svg(&self, width_mm: f64) -> String {
        let families = FAMILIES.map(|f| format!("'{f}'")).join(", ");
        self.picture
            .paper(width_mm, &format!("{families}, sans-serif"))
    }

    /// The picture that a report shows on a phone, as an SVG file, where it has one of its own.
    pub fn phone(&self) -> Option<String> {
        let narrow = self.narrow.as_ref()?;
        Some(narrow.paper(90.0, "Helvetica, Arial, 'Liberation Sans', sans-serif"))
    }

    /// The figure as a file.
    ///
    /// # Errors
    /// A machine without fonts; PNG and PDF in a build without the feature `figures`.
    pub fn file(&self, format: Format, width_mm: f64) -> Result<Vec<u8>> {
        match format {
            Format::Svg => Ok(self.svg(width_mm).into_bytes()),
            Format::Csv => Ok(self.csv.clone().into_bytes()),
            Format::Png | Format::Pdf => self.drawn(format, width_mm),
        }
    }

    #[cfg(not(feature = "figures"))]
    fn drawn(&self, _: Format, _: f64) -> Result<Vec<u8>> {
        Err(Error::input(
            "this build of Pimento writes no PNG and no PDF; allowed: SVG, or a build with --features figures",
        ))
    }

    #[cfg(feature = "figures")]
    fn drawn(&self, format: Format, width_mm: f64) -> Result<Vec<u8>> {
        drawing::draw(&self.picture, &self.title, format, width_mm)
    }
}

#[cfg(feature = "figures")]
mod drawing {
    use std::sync::{Arc, LazyLock};

    use krilla::Document;
    use krilla::geom::Size;
    use krilla::metadata::Metadata;
    use krilla::page::PageSettings;
    use krilla_svg::{SurfaceExt, SvgSettings};
    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::fontdb::Database;
    use resvg::usvg::{Options, Tree};

    use super::{FAMILIES, Format, PIXELS_PER_MM};
    use crate::error::{Error, Result};
    use crate::report::plot::Picture;

    /// The fonts of the machine.
    static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        Arc::new(fonts)
    });

    /// The first of [`FAMILIES`] that is there, else any that is not made for code.
    fn family(fonts: &Database) -> Result<String> {
        let names = || {
            let faces = fonts.faces().filter(|face| !face.monospaced);
            faces.flat_map(|face| face.families.iter().map(|(name, _)| name.as_str()))
        };
        let known = FAMILIES
            .iter()
            .find(|known| names().any(|name| name == **known));
        let found = known.copied().or_else(|| names().next());
        found.map(str::to_string).ok_or_else(|| {
            Error::input(
                "no font was found on this machine, and a picture without text says nothing; allowed: .svg, or \
                 any sans-serif font of the system (DejaVu, Liberation, Noto)",
            )
        })
    }

    /// A picture as PNG or PDF.
    pub(super) fn draw(
        picture: &Picture,
        title: &str,
        format: Format,
        width_mm: f64,
    ) -> Result<Vec<u8>> {
        let family = family(&FONTS)?;
        let svg = picture.paper(width_mm, &format!("'{family}'"));
        let options = Options {
            fontdb: Arc::clone(&FONTS),
            font_family: family,
            ..Options::default()
        };
        let tree = Tree::from_str(&svg, &options).map_err(|e| internal("an SVG of its own", &e))?;
        match format {
            Format::Png => png(&tree, width_mm),
            _ => pdf(&tree, title, width_mm),
        }
    }

    fn internal(what: &str, e: &dyn std::fmt::Display) -> Error {
        Error::Internal(format!("figure: {what}: {e}"))
    }

    fn png(tree: &Tree, width_mm: f64) -> Result<Vec<u8>> {
        let width = (width_mm * PIXELS_PER_MM).round();
        let scale = width as f32 / tree.size().width();
        let height = (tree.size().height() * scale).ceil();
        let pixels = Pixmap::new(width as u32, height as u32);
        let mut pixels =
            pixels.ok_or_else(|| internal("its size", &format!("{width} x {height}")))?;
        resvg::render(
            tree,
            Transform::from_scale(scale, scale),
            &mut pixels.as_mut(),
        );
        pixels.encode_png().map_err(|e| internal("PNG", &e))
    }

    fn pdf(tree: &Tree, title: &str, width_mm: f64) -> Result<Vec<u8>> {
        let width = (width_mm / 25.4 * 72.0) as f32;
        let height = tree.size().height() * width / tree.size().width();
        let size = Size::from_wh(width, height);
        let size = size.ok_or_else(|| internal("its size", &format!("{width} x {height}")))?;
        let mut document = Document::new();
        let about = Metadata::new().title(title.to_string());
        document.set_metadata(about.creator(format!("Pimento {}", env!("CARGO_PKG_VERSION"))));
        let mut page = document.start_page_with(PageSettings::new(size));
        let mut surface = page.surface();
        let drawn = surface.draw_svg(tree, size, SvgSettings::default());
        surface.finish();
        page.finish();
        drawn.ok_or_else(|| internal("PDF", &"the picture was not drawn"))?;
        document
            .finish()
            .map_err(|e| internal("PDF", &format!("{e:?}")))
    }
}
