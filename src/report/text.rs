//! Numbers and names as people read them, and the escapes of the formats we write.

use serde_json::Value;

use crate::sweep::statistics::Interval;

/// Stands for a number that does not exist.
pub(super) const NONE: &str = "\u{2013}";

/// `x` as percent without the sign, e.g. `83.1`.
pub(super) fn percent(x: f64, decimals: usize) -> String {
    if x.is_finite() {
        format!("{:.decimals$}", 100.0 * x)
    } else {
        NONE.to_string()
    }
}

/// Both ends of an interval in percent without the sign, e.g. `80.2 to 83.6`; nothing if neither is
/// known.
pub(super) fn ends(ci: Interval, decimals: usize) -> String {
    if ci.lo.is_nan() && ci.hi.is_nan() {
        return String::new();
    }
    let [lo, hi] = [ci.lo, ci.hi].map(|end| percent(end, decimals));
    format!("{lo} to {hi}")
}

/// A value with its interval in percent without the sign, e.g. `83.1 (80.2 to 83.6)`: intervals of
/// means reach farther down than up.
pub(super) fn percent_with_interval(x: f64, ci: Interval, decimals: usize) -> String {
    match ends(ci, decimals) {
        none if none.is_empty() => percent(x, decimals),
        ends => format!("{} ({ends})", percent(x, decimals)),
    }
}

/// A p value as people read it.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if p.is_nan() => NONE.to_string(),
        p if p < 1e-4 => "< 0.0001".into(),
        p => format!("{p:.4}"),
    }
}

/// At most `digits` decimals, without trailing zeros: for settings such as sigma.
pub(super) fn compact(x: f64, digits: usize) -> String {
    let text = format!("{x:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

/// A number with as many digits as an interval of half this width leaves of interest, three where there is none; with
/// a power of ten where it is very large or small.
pub(super) fn rounded(x: f64, width: f64) -> String {
    if !x.is_finite() {
        return NONE.to_string();
    }
    let spread = match width.abs() {
        w if w > 0.0 && w.is_finite() => w,
        _ => x.abs() / 100.0,
    };
    let exponent = |x: f64| {
        if x == 0.0 {
            0
        } else {
            x.abs().log10().floor() as i32
        }
    };
    let (size, last) = (exponent(x.abs().max(spread)), exponent(spread));
    let text = match (-4..6).contains(&size) {
        true => format!("{x:.*}", (-last).max(0) as usize),
        false => format!("{x:.*e}", (size - last).max(0) as usize),
    };
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| "0.".contains(c)) => zero.into(),
        Some(_) | None => text,
    }
}

/// [`rounded`] with its sign.
pub(super) fn signed(x: f64, width: f64) -> String {
    match x < 0.0 {
        true => rounded(x, width),
        false => format!("+{}", rounded(x, width)),
    }
}

/// A value with its interval, e.g. `0.831 (0.802 to 0.836)`, [`rounded`] by `width`.
pub(super) fn with_interval(x: f64, ci: Interval, width: f64) -> String {
    let text = |x| rounded(x, width);
    match ci.lo.is_nan() && ci.hi.is_nan() {
        true => text(x),
        false => format!("{} ({} to {})", text(x), text(ci.lo), text(ci.hi)),
    }
}

/// A number, or the dash that stands for none.
pub(super) fn plain(x: f64, decimals: usize) -> String {
    if x.is_finite() {
        format!("{x:.decimals$}").replace('-', "\u{2212}")
    } else {
        NONE.into()
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `n` things, with the noun's plural where due.
pub(super) fn count(n: u64, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(n))
}

/// Seconds as a person says them.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => NONE.to_string(),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!(
            "{:.0} min {:02.0} s",
            (s / 60.0).floor(),
            (s % 60.0).floor()
        ),
        s => format!(
            "{:.0} h {:02.0} min",
            (s / 3600.0).floor(),
            (s % 3600.0 / 60.0).floor()
        ),
    }
}

/// Escapes text for XML and HTML, content and quoted attributes alike. Control characters that XML
/// forbids become the replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// [`escape`] for HTML, with the subscripts of sigma set as such.
pub(super) fn html(text: &str) -> String {
    subscripts(&escape(text), |s| format!("<sub>{s}</sub>"))
}

/// [`escape`] for SVG text, with the subscripts of sigma set as such. The shift back needs a
/// character to hang on: one without width.
pub(super) fn svg(text: &str) -> String {
    subscripts(&escape(text), |s| {
        format!("<tspan class=\"sub\" dy=\"3\">{s}</tspan><tspan dy=\"-3\">\u{200b}</tspan>")
    })
}

/// Sets the index of `sigma_W`, `sigma_B` and `eps_...` written with Greek letters.
fn subscripts(text: &str, set: impl Fn(&str) -> String) -> String {
    let mut out = text.to_string();
    for greek in ["\u{3c3}", "\u{3b5}"] {
        for index in ["W", "B"] {
            out = out.replace(
                &format!("{greek}_{index}"),
                &format!("{greek}{}", set(index)),
            );
        }
    }
    out
}

/// A `data:` URI that downloads `text` as CSV without any network.
pub(super) fn csv_uri(text: &str) -> String {
    let mut out = String::from("data:text/csv;charset=utf-8,");
    for &b in text.as_bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                out.push(b as char);
            }
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// A CSV field, quoted where it must be (RFC 4180).
pub(super) fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

/// A value as a key: equal numbers are equal whatever their type.
pub(super) fn key(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| value.to_string(), |x| x.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_their_interval_leaves() {
        for (x, width, want) in [
            (0.983_412, 0.000_5, "0.9834"),
            (0.983_412, 0.002, "0.983"),
            (12.345, 30.0, "12"),
            (1.25e-12, 3e-15, "1.250e-12"),
            (-3.0e-9, 0.0, "-3.00e-9"),
            (0.0, f64::NAN, "0"),
            (0.5, f64::NAN, "0.500"),
            (f64::NAN, 1.0, NONE),
            (-0.0004, 0.002, "0.000"),
        ] {
            assert_eq!(rounded(x, width), want, "{x}, {width}");
        }
        assert_eq!(signed(0.25, 0.01), "+0.25");
        assert_eq!(signed(-0.25, 0.01), "-0.25");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.831_25, 1), "83.1");
        assert_eq!(percent(f64::NAN, 1), NONE);
        assert_eq!(
            percent_with_interval(0.5, Interval::around(0.5, 0.012), 1),
            "50.0 (48.8 to 51.2)"
        );
        assert_eq!(percent_with_interval(0.5, Interval::UNKNOWN, 1), "50.0");
        assert_eq!(probability(0.000_04), "< 0.0001");
        assert_eq!(probability(0.0351), "0.0351");
        assert_eq!(compact(0.2, 6), "0.2");
        assert_eq!(compact(256.0, 6), "256");
        assert_eq!(compact(-0.0, 6), "0");
        assert_eq!(compact(100.0, 0), "100");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(count(1, "chip"), "1 chip");
        assert_eq!(duration(83.2), "83 s");
        assert_eq!(duration(3725.0), "62 min 05 s");
    }

    #[test]
    fn markup_is_escaped_and_subscripts_are_set() {
        assert_eq!(
            escape("<a b='c'>&\"\u{1}"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}"
        );
        assert_eq!(html("\u{3c3}_W < 1"), "\u{3c3}<sub>W</sub> &lt; 1");
        assert_eq!(
            csv_uri("a,\"b\"\n"),
            "data:text/csv;charset=utf-8,a,%22b%22%0A"
        );
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
