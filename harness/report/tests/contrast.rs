//! Colours of text against what is behind them: WCAG 2 AA asks for 4.5 to 1.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

const STYLE: &str = include_str!("../templates/style.css");

/// The colours that `block` sets.
fn colours(block: &str) -> HashMap<&str, [f64; 3]> {
    let entries = block.split([';', '{']).filter_map(|entry| entry.trim().split_once(": #"));
    entries.filter(|(name, _)| name.starts_with("--")).map(|(name, hex)| (name, rgb(hex))).collect()
}

fn rgb(hex: &str) -> [f64; 3] {
    let wide: String =
        if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    [0, 2, 4].map(|i| f64::from(u8::from_str_radix(&wide[i..i + 2], 16).unwrap()) / 255.0)
}

/// Relative luminance, as WCAG 2 defines it.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear =
        colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_is_readable_in_light_and_dark() {
    let blocks: Vec<_> =
        STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let colours = colours(block);
        let of = |name: &str| colours[format!("--{name}").as_str()];
        for text in ["ink", "muted", "s1", "s2", "s3", "bad", "open", "good"] {
            for behind in ["bg", "paper"] {
                let ratio = contrast(of(text), of(behind));
                assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
            }
        }
        // Code has a ground of its own, and numbers stand in the segments.
        for behind in ["grid", "p1", "p2", "p3", "p4", "p5", "p6", "p7"] {
            let ratio = contrast(of("ink"), of(behind));
            assert!(ratio >= 4.5, "ink on {behind}: {ratio:.2}");
        }
    }
    assert!((contrast(rgb("000"), rgb("fff")) - 21.0).abs() < 1e-9);
}
