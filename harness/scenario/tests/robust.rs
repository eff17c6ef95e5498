//! Whatever is in a file, it is either a scenario or a problem with a place
//! inside the file; never a panic, never a hang.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kab_scenario::{Plan, Problems, Style, load_text};
use proptest::prelude::*;

const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.yaml");

/// Loads, plans and describes `text`; checks every problem's place.
fn survives(text: &str) -> Result<(), TestCaseError> {
    match load_text("a.yaml", text.to_owned(), None, &[]) {
        Ok(loaded) => {
            if let Ok(plan) = Plan::new(&loaded, 1) {
                prop_assert!(!plan.describe().is_empty());
            }
        }
        Err(problems) => placed(&problems, text)?,
    }
    Ok(())
}

fn placed(problems: &Problems, text: &str) -> Result<(), TestCaseError> {
    prop_assert!(problems.iter().count() > 0);
    // Finding a line takes time; those that are shown will do.
    for problem in problems.iter().take(20) {
        let (line, column) = problem.place().line_column();
        let lines: Vec<_> = text.trim_start_matches('\u{feff}').split('\n').collect();
        prop_assert!(line <= lines.len().max(1), "{problem}: line {line}");
        let width = lines.get(line - 1).map_or(0, |line| line.chars().count());
        prop_assert!(column <= width + 1, "{problem}: {line}:{column} of {width}");
    }
    let drawn = problems.render(Style::Plain);
    prop_assert!(drawn.contains("a.yaml:"), "{drawn}");
    prop_assert!(!drawn.contains("Failed to read"), "{drawn}");
    Ok(())
}

/// Pieces that YAML, CEL and the format react to.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "\n",
        "\n  ",
        "\n    - ",
        "\r\n",
        "\t",
        " ",
        ": ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!!str ",
        "<<",
        "\"",
        "'",
        "|\n  ",
        ">-\n  ",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\u{feff}",
        "é",
        "😀",
        "\0",
        "\u{85}",
        "\u{2028}",
        "spec",
        "steps",
        "matrix",
        "40/s",
        "write.ops.ok",
        "&&",
        "has(",
        ")",
        "0x",
        "1e999",
        "~",
        "true",
    ]);
    prop_oneof![4 => words.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text(text in "\\PC*") {
        survives(&text)?;
    }

    #[test]
    fn any_yaml_like_text(pieces in prop::collection::vec(piece(), 0..60)) {
        survives(&pieces.concat())?;
    }
}

proptest! {
    // Each case runs the whole of validation, CEL included: slow without optimisation.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_scenario_with_an_accident(at: prop::sample::Index, cut in 0usize..40, piece in piece()) {
        let at = QUICKSTART.floor_char_boundary(at.index(QUICKSTART.len()));
        let end = QUICKSTART.floor_char_boundary(at + cut);
        survives(&format!("{}{piece}{}", &QUICKSTART[..at], &QUICKSTART[end..]))?;
    }

    #[test]
    fn a_truncated_scenario(at: prop::sample::Index) {
        survives(&QUICKSTART[..QUICKSTART.floor_char_boundary(at.index(QUICKSTART.len()))])?;
    }

    #[test]
    fn any_expression(cel in prop::collection::vec(expression(), 1..12)) {
        let json = serde_json::Value::from(cel.concat());
        survives(&QUICKSTART.replace("write.stored.missing > 0", &json.to_string()))?;
    }

    #[test]
    fn any_set(path in "[a-z0-9.=-]{0,20}", value in "\\PC{0,20}", known in any::<bool>()) {
        let set = if known { format!("steps.write.load.rate={value}") } else { format!("{path}={value}") };
        let loaded = load_text("a.yaml", QUICKSTART.to_owned(), None, std::slice::from_ref(&set));
        if let Err(problems) = loaded {
            prop_assert!(problems.render(Style::Plain).contains("--set:1:"), "{}", set);
        }
    }
}

fn expression() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "write",
        "run",
        ".",
        "ops",
        "ok",
        "lag",
        " ",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "1",
        "1.5",
        "'é'",
        "\"",
        "'",
        "==",
        "<",
        "=",
        "?",
        ":",
        "duration('1s')",
        "has(",
        "all(",
        "i, ",
        "+",
        "-",
        "*",
        "/ 0",
        "in",
        "\n",
        "\\",
        "`",
        "size(",
        "b'a'",
        "r'",
        "0x",
        "null",
    ]);
    prop_oneof![6 => words.prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

/// Inputs built to be slow or to overflow a stack.
#[test]
fn hostile_texts() {
    let n = 100_000;
    for text in [
        "[".repeat(n),
        "{".repeat(n),
        "- ".repeat(n),
        "? ".repeat(n),
        "a: ".repeat(n),
        "!".repeat(n),
        "&a ".repeat(n),
        "\"".repeat(n),
        "a\n".repeat(n),
        " \n".repeat(n),
        (0..n / 10).map(|i| format!("a{i}: &b{i} 1\n")).collect(),
        "a: 1\n".repeat(n / 10),
        format!("spec: {{steps: [{}]}}", "{name: a, check: {stored: b}},".repeat(n / 50)),
        format!("spec: {{steps: [{{}}], claims: [{}]}}", "{confirmed: '('},".repeat(n / 50)),
    ] {
        survives(&text).unwrap();
    }
}

#[test]
fn hostile_expressions() {
    for cel in [
        format!("{}1{}", "(".repeat(900), ")".repeat(900)),
        format!("{}true{}", "(".repeat(25), ")".repeat(25)),
        format!("{}1{}", "[1].all(i, ".repeat(12), ")".repeat(12)),
        "[".repeat(25),
        "!".repeat(1_900),
        format!("1{} > 1", "+1".repeat(99)),
        format!("1{} > 1", "+1".repeat(900)),
        format!("run{}", ".a".repeat(900)),
        format!("{}1", "true?1:".repeat(100)),
        "a".repeat(3_000),
    ] {
        survives(&QUICKSTART.replace("write.stored.missing > 0", &format!("'{cel}'"))).unwrap();
    }
}
