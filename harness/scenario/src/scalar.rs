//! Plain scalars by the core schema of YAML 1.2 (section 10.3.2): `yes`, `no`
//! and `on` are texts, and so are `1_000` and `12:30`.

use serde_json::Number;

use crate::suggest::quoted;
use crate::tree::Data;

/// What a plain scalar means; an error says why it cannot mean anything.
pub fn plain(text: &str) -> Result<Data, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => match number(text)? {
            Some(number) => Data::Number(number),
            None => Data::String(text.to_owned()),
        },
    })
}

fn number(text: &str) -> Result<Option<Number>, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!("{} is not a number that a scenario can hold", quoted(text)));
    }
    let too_large = || format!("{} is too large a number", quoted(text));
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|d| all(d, |c| c.is_digit(radix))) {
            let n = u64::from_str_radix(digits, radix).map_err(|_| too_large())?;
            return Ok(Some(n.into()));
        }
    }
    if all(unsigned, |c| c.is_ascii_digit()) {
        let plain = text.strip_prefix('+').unwrap_or(text);
        let integer = plain.parse::<u64>().map(Number::from);
        let integer = integer.or_else(|_| plain.parse::<i64>().map(Number::from));
        return integer.map(Some).map_err(|_| too_large());
    }
    if !is_float(unsigned) {
        return Ok(None);
    }
    let value: f64 = text.parse().map_err(|_| too_large())?;
    // 200.0 and 2e2 are integers to JSON schema; they shall be to serde, too.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Ok(format!("{value:.0}").parse::<i64>().ok().map(Number::from));
    }
    Number::from_f64(value).map(Some).ok_or_else(too_large)
}

fn all(text: &str, test: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(test)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|e| e.strip_prefix(['-', '+']).unwrap_or(e));
    !(whole.is_empty() && part.is_empty())
        && digits(whole)
        && digits(part)
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match plain(text) {
            Ok(Data::Null) => "null".to_owned(),
            Ok(Data::Bool(b)) => b.to_string(),
            Ok(Data::Number(n)) => n.to_string(),
            Ok(Data::String(s)) => format!("{s:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_core_schema_and_nothing_else() {
        for (text, meant) in [
            ("200", "200"),
            ("-3", "-3"),
            ("+3", "3"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("007", "7"),
            ("200.0", "200"),
            ("2e2", "200"),
            (".5", "0.5"),
            ("1.", "1"),
            ("-1.5e-3", "-0.0015"),
            ("true", "true"),
            ("TRUE", "true"),
            ("~", "null"),
            ("", "null"),
            ("yes", "\"yes\""),
            ("on", "\"on\""),
            ("No", "\"No\""),
            ("tRUE", "\"tRUE\""),
            ("1_000", "\"1_000\""),
            ("12:30", "\"12:30\""),
            ("40/s", "\"40/s\""),
            (".", "\".\""),
            ("1e", "\"1e\""),
            ("-", "\"-\""),
            ("0x", "\"0x\""),
            ("1.2.3", "\"1.2.3\""),
            ("٣", "\"٣\""),
        ] {
            assert_eq!(json(text), meant, "{text}");
        }
    }

    #[test]
    fn what_no_number_can_hold_is_refused() {
        for text in
            [".inf", "-.INF", ".nan", "99999999999999999999", "0xfffffffffffffffff", "1e999"]
        {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
