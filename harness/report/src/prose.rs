//! Sentences with code in them: `like this`, between backticks.

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The text.
    pub text: String,
    /// Whether it is code.
    pub code: bool,
}

/// A sentence in parts.
pub type Prose = Vec<Part>;

/// Splits `text` at its backticks. An odd one out is a letter like any other.
pub fn prose(text: &str) -> Prose {
    let pieces: Vec<&str> = text.split('`').collect();
    let closed = pieces.len() - (pieces.len() + 1) % 2;
    let mut parts: Prose = Vec::with_capacity(pieces.len());
    for (i, piece) in pieces.iter().enumerate() {
        let part = match i {
            // The last backtick has no partner.
            _ if i >= closed => Part { text: format!("`{piece}"), code: false },
            _ => Part { text: (*piece).to_owned(), code: i % 2 == 1 },
        };
        if !part.text.is_empty() {
            parts.push(part);
        }
    }
    parts
}

/// Text as code.
pub fn code(text: &str) -> Prose {
    vec![Part { text: text.to_owned(), code: true }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        prose(text)
            .iter()
            .map(|p| if p.code { format!("<{}>", p.text) } else { p.text.clone() })
            .collect()
    }

    #[test]
    fn code_stands_between_backticks() {
        assert_eq!(shown("`a < b` holds: 1"), "<a < b> holds: 1");
        assert_eq!(shown("no code"), "no code");
        assert_eq!(shown("`a` and `b`"), "<a> and <b>");
        assert_eq!(shown("an odd ` one"), "an odd ` one");
        assert_eq!(shown("`a` and ` one"), "<a> and ` one");
        assert_eq!(shown(""), "");
    }
}
