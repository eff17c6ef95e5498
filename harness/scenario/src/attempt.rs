//! The `attempt` step: single requests, and what came of them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::traffic::Via;
use crate::unit::Span;

/// Makes one request, and notes what came of it. That it is refused is no
/// failure of the run.
///
/// In `path`, in texts of `body` and in header values, `{namespace}` stands for
/// the system's namespace, `{namespace2}` for that of the second instance, and
/// `{STEP}` for what the earlier attempt STEP selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attempt {
    /// Who is asked.
    #[serde(default)]
    pub via: Via,
    /// As whom the apiserver is asked. The gateway asks nobody for credentials.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Identity")]
    pub identity: Option<Identity>,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// The path, and the query if there is one.
    #[schemars(regex(pattern = r"^/"))]
    pub path: String,
    /// The body: a text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Value")]
    pub body: Option<serde_json::Value>,
    /// More headers. A body is JSON (RFC 8259), in a PATCH a merge patch (RFC
    /// 7386), unless `content-type` says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What to pick out of a JSON answer: a pointer (RFC 6901), `/items/0/id`;
    /// empty for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^(/.*)?$"))]
    pub select: Option<String>,
    /// How often it is made, one after the other; claims see the last one.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    #[schemars(range(min = 1, max = 1_000))]
    pub repeat: u32,
    /// Ask again until the answer has this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Until")]
    pub until: Option<Until>,
    /// When an answer is given up.
    #[serde(default = "ten_seconds")]
    pub deadline: Span,
}

/// What is asked for again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AttemptUntil")]
pub struct Until {
    /// The status awaited.
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// How long at most. That it took this long is no failure of the run.
    pub at_most: Span,
}

const fn once() -> u32 {
    1
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_once(repeat: &u32) -> bool {
    *repeat == 1
}

fn ten_seconds() -> Span {
    std::time::Duration::from_secs(10).into()
}

/// As whom the apiserver is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// The gateway's service account.
    Gateway,
    /// The informers' service account.
    Informer,
    /// An ordinary service account that may read and write the entities.
    Load,
    /// An ordinary service account that may read the entities.
    Watcher,
    /// Somebody who may do everything.
    Admin,
    /// Nobody: no credentials.
    Anonymous,
}

impl Identity {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Informer => "informer",
            Self::Load => "load",
            Self::Watcher => "watcher",
            Self::Admin => "admin",
            Self::Anonymous => "anonymous",
        }
    }
}

/// The method of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read.
    #[default]
    Get,
    /// Create, or have something done.
    Post,
    /// Replace.
    Put,
    /// Change a part.
    Patch,
    /// Remove.
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

impl Attempt {
    /// As whom the apiserver is asked.
    pub fn asker(&self) -> Identity {
        self.identity.unwrap_or(Identity::Load)
    }
}

/// The names that stand in curly brackets in `text`, each with the bytes that
/// it takes up, brackets included.
pub fn placeholders(text: &str) -> Vec<(&str, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| at + from) {
        let rest = &text[open + 1..];
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let named = rest.starts_with(|c: char| c.is_ascii_lowercase());
        if named && rest[word..].starts_with('}') {
            found.push((&rest[..word], open..open + word + 2));
        }
        from = open + 1;
    }
    found
}

/// `text` with each placeholder that `meaning` knows replaced.
pub fn filled(text: &str, meaning: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (name, range) in placeholders(text) {
        if let Some(value) = meaning(name) {
            out.push_str(&text[done..range.start]);
            out.push_str(&value);
            done = range.end;
        }
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_words_in_brackets_and_json_is_none() {
        let names = |text| placeholders(text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("/ns/{namespace}/x/{made}"), ["namespace", "made"]);
        assert_eq!(names(r#"{"spec":{"a":1}} {} {A} {a b} {{a}"#), ["a"]);
        assert_eq!(names("é{x}é"), ["x"]);
    }

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_stays() {
        let meaning = |name: &str| (name == "a").then(|| "1{b}".to_owned());
        assert_eq!(filled("x{a}y{c}z{a}", meaning), "x1{b}y{c}z1{b}");
        assert_eq!(filled("", meaning), "");
    }
}
