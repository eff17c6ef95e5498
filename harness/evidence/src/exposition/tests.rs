use proptest::prelude::*;

use super::*;

/// A sample as anybody would write it.
fn text(name: &str, labels: &[(String, String)], value: f64, millis: Option<i64>) -> String {
    let escaped = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let millis = millis.map(|millis| format!(" {millis}")).unwrap_or_default();
    let value = match value {
        v if v == f64::INFINITY => "+Inf".to_owned(),
        v if v == f64::NEG_INFINITY => "-Inf".to_owned(),
        v if v.is_nan() => "NaN".to_owned(),
        v => v.to_string(),
    };
    format!("{name}{labels} {value}{millis}")
}

fn one(line: &str) -> Sample<'_> {
    match parse(line.as_bytes()) {
        Ok(Line::Sample(sample)) => sample,
        other => panic!("{line:?} is {other:?}"),
    }
}

fn labels(line: &str) -> Vec<(String, String)> {
    one(line).labels.iter().map(|(k, v)| (k.to_owned(), v.into_owned())).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn samples_as_servers_write_them() {
    assert_eq!(one("go_goroutines 519").value, 519.0);
    assert_eq!(one("m 1.0 1395066363000").timestamp_millis, Some(1_395_066_363_000));
    assert_eq!(one("m -3.14e-05 -3982045").timestamp_millis, Some(-3_982_045));
    assert_eq!(one("x_bucket{le=\"+Inf\"} 3.3245149088e+10").value, 33_245_149_088.0);
    assert_eq!(one("m +Inf").value, f64::INFINITY);
    assert_eq!(one("m -Inf").value, f64::NEG_INFINITY);
    assert!(one("m NaN").value.is_nan());
    assert_eq!(one("\tm \t 1\t").value, 1.0);
    assert_eq!(one("m{} 1").labels.iter().count(), 0);
}

#[test]
fn whatever_stands_between_quotes_is_the_value() {
    assert_eq!(labels(r#"m{a="}",b="{",c=",",d="="} 1"#).len(), 4);
    assert_eq!(labels(r#"m{path="a}\"b\\c\nd"} 1"#), pairs(&[("path", "a}\"b\\c\nd")]));
    assert_eq!(labels("m{a=\"# TYPE x y\"} 1"), pairs(&[("a", "# TYPE x y")]));
    assert_eq!(labels("m { a = \"1\" , b=\"\", } 2"), pairs(&[("a", "1"), ("b", "")]));
    assert_eq!(labels("m{a=\"\u{e9}\u{1f600}\"} 1"), pairs(&[("a", "\u{e9}\u{1f600}")]));
    assert_eq!(one(r#"m{a="1",b="2"} 1"#).labels.get("b").as_deref(), Some("2"));
    assert_eq!(one(r#"m{a="1",b="2"} 1"#).labels.get("c"), None);
}

#[test]
fn comments_and_types() {
    assert_eq!(parse(b"  "), Ok(Line::Blank));
    assert_eq!(parse(b"# HELP m It {counts} \"things\"."), Ok(Line::Comment));
    assert_eq!(parse(b"#"), Ok(Line::Comment));
    assert_eq!(parse(b"# TYPE m histogram"), Ok(Line::Type { name: "m", kind: "histogram" }));
    assert_eq!(name(b"# HELP m x"), b"");
}

#[test]
fn what_is_not_of_the_format_is_refused_and_says_why() {
    let why = |line: &[u8]| parse(line).unwrap_err();
    assert_eq!(why(b"{a=\"1\"} 1"), BadLine::Name);
    assert_eq!(why(b"1m 1"), BadLine::Name);
    assert_eq!(why(b"{\"quoted.name\"} 1"), BadLine::Name);
    assert_eq!(why(b"m{1a=\"x\"} 1"), BadLine::Name);
    for bad in ["m{a} 1", "m{a=1} 1", "m{a=\"1} 1", "m{a=\"1\" b=\"2\"} 1", "m{a=\"\\t\"} 1"] {
        assert_eq!(why(bad.as_bytes()), BadLine::Labels, "{bad}");
    }
    for bad in ["m", "m{a=\"1\"}", "m one", "m{a=\"1\"}} 1", "m-x 1", "m 1,5"] {
        assert_eq!(why(bad.as_bytes()), BadLine::Value, "{bad}");
    }
    assert_eq!(why(b"m 1 2.5"), BadLine::Timestamp);
    assert_eq!(why(b"m 1 2 3"), BadLine::Trailing);
    assert_eq!(why(b"m{a=\"\xff\"} 1"), BadLine::NotText);
}

#[test]
fn a_page_in_pieces_is_the_same_page() {
    let page = b"a 1\n\nb{x=\"y\"} 2\n# c\nd 3\n";
    let whole: Vec<Vec<u8>> = page.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    for size in 1..=page.len() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        page.chunks(size).for_each(|piece| lines.feed(piece, |line| found.push(line.to_vec())));
        assert!(lines.whole());
        assert_eq!(found, whole[..whole.len() - 1], "in pieces of {size}");
    }
    let mut cut = Lines::default();
    cut.feed(b"a 1\nb 1", |_| {});
    assert!(!cut.whole());
}

prop_compose! {
    fn any_labels()(
        names in prop::collection::btree_set("[a-zA-Z_][a-zA-Z0-9_]{0,12}", 0..5),
        values in prop::collection::vec("[\\PC\n\\\\\"{},=#]{0,20}", 5),
    ) -> Vec<(String, String)> {
        names.into_iter().zip(values).collect()
    }
}

/// Letters that mean something in the format, in every order.
const NASTY: &str = r#"[a-z0-9_:{}=",\\ \t#+\-.eEInfNa]{0,60}"#;

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,30}",
        labels in any_labels(),
        value in prop::num::f64::ANY,
        millis in prop::option::of(any::<i64>()),
    ) {
        let line = text(&name, &labels, value, millis);
        let sample = one(&line);
        prop_assert_eq!(sample.name, name.as_str());
        prop_assert_eq!(super::name(line.as_bytes()), name.as_bytes());
        let read: Vec<_> =
            sample.labels.iter().map(|(k, v)| (k.to_owned(), v.into_owned())).collect();
        prop_assert_eq!(read, labels);
        prop_assert!(sample.value == value || (value.is_nan() && sample.value.is_nan()));
        prop_assert_eq!(sample.timestamp_millis, millis);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = name(&bytes);
        if let Ok(Line::Sample(sample)) = parse(&bytes) {
            sample.labels.iter().count();
        }
    }

    #[test]
    fn nor_do_letters_of_the_format_in_any_order(text in NASTY) {
        // What is accepted is read the same when it is written again.
        if let Ok(Line::Sample(sample)) = parse(text.as_bytes()) {
            let labels: Vec<_> =
                sample.labels.iter().map(|(k, v)| (k.to_owned(), v.into_owned())).collect();
            let again = self::text(sample.name, &labels, sample.value, sample.timestamp_millis);
            prop_assert_eq!(self::labels(&again), labels);
        }
    }

    #[test]
    fn pieces_lose_nothing(
        page in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..80),
        size in 1usize..9,
    ) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in page.chunks(size) {
            lines.feed(piece, |line| { found.extend_from_slice(line); found.push(b'\n'); });
        }
        let whole = page.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        prop_assert_eq!(found, &page[..whole]);
        prop_assert_eq!(lines.whole(), whole == page.len());
    }
}
