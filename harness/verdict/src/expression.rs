//! A claim's CEL expression, and what it reads.
//!
//! A measurement that is absent has no value in CEL, so reading it is an error
//! that only an operand which decides without it can absorb: `lost == 0 &&
//! lag.p99 < x` is false where something was lost, whether or not there is a
//! lag. Whatever else depends on an absent measurement is neither true nor
//! false, but without data.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Program, Value};

use crate::path::Paths;

/// An expression that compiles.
#[derive(Debug)]
pub struct Expression {
    text: String,
    program: Program,
    reads: BTreeSet<String>,
}

/// An expression is not CEL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a CEL expression: {problem}")]
pub struct BadExpression {
    text: String,
    problem: String,
}

/// What an expression evaluates to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// True.
    Yes,
    /// False.
    No,
    /// It depends on these measurements, which are absent.
    NoData(Vec<String>),
    /// It cannot be evaluated, in a sentence.
    Error(String),
}

impl Expression {
    /// Compiles `text`.
    ///
    /// # Errors
    /// If it is not CEL.
    pub fn compile(text: &str) -> Result<Self, BadExpression> {
        let program = Program::compile(text).map_err(|errors| BadExpression {
            text: text.to_owned(),
            problem: errors.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
        })?;
        let mut reads = BTreeSet::new();
        collect(program.expression(), &mut BTreeSet::new(), &mut reads);
        Ok(Self { text: text.to_owned(), program, reads })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The paths it reads.
    pub fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// Whether anything that it reads was measured. An expression for which
    /// this is not so, such as `true`, shows nothing, whatever it evaluates to.
    pub fn sees(&self, paths: &Paths) -> bool {
        let given = |path: &&String| ["run.", "system."].iter().any(|of| path.starts_with(of));
        let of_steps = self.reads.iter().filter(|path| !given(path));
        of_steps.into_iter().any(|path| paths.get(path).is_some() || paths.groups(path))
    }

    /// Evaluates it over `paths`.
    pub fn ask(&self, paths: &Paths) -> Answer {
        let mut context = Context::default();
        for (name, value) in paths.to_cel(&self.reads) {
            context.add_variable_from_value(name, value);
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(true)) => Answer::Yes,
            Ok(Value::Bool(false)) => Answer::No,
            Ok(other) => Answer::Error(format!("it is neither true nor false, but {other:?}")),
            Err(error) => self.no_answer(paths, error.to_string()),
        }
    }

    /// Why there is no answer: a name that no measurement has, an absent
    /// measurement, or else `problem`.
    fn no_answer(&self, paths: &Paths, problem: String) -> Answer {
        let named = |path: &&String| paths.names(path) || paths.groups(path);
        if let Some(unknown) = self.reads.iter().find(|path| !named(path)) {
            return Answer::Error(format!("there is no measurement `{unknown}`"));
        }
        let absent = |path: &&String| paths.names(path) && paths.get(path).is_none();
        let missing: Vec<_> = self.reads.iter().filter(absent).cloned().collect();
        if missing.is_empty() { Answer::Error(problem) } else { Answer::NoData(missing) }
    }
}

/// Collects the longest paths that `expr` reads; `bound` are the names that a
/// macro such as `exists` introduces.
fn collect(expr: &IdedExpr, bound: &mut BTreeSet<String>, reads: &mut BTreeSet<String>) {
    if let Some(path) = path_of(expr) {
        let root = path.split('.').next().unwrap_or_default();
        if !bound.contains(root) && !root.starts_with('@') {
            reads.insert(path);
        }
        return;
    }
    match &expr.expr {
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                collect(part, bound, reads);
            }
        }
        Expr::Comprehension(all) => {
            collect(&all.iter_range, bound, reads);
            let names = [Some(&all.iter_var), all.iter_var2.as_ref(), Some(&all.accu_var)];
            let new: Vec<_> = names.into_iter().flatten().cloned().collect();
            let mut inner = bound.clone();
            inner.extend(new);
            for part in [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                collect(part, &mut inner, reads);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|e| collect(e, bound, reads)),
        Expr::Select(select) => collect(&select.operand, bound, reads),
        Expr::Map(map) => entries(map.entries.iter().map(|e| &e.expr), bound, reads),
        Expr::Struct(made) => entries(made.entries.iter().map(|e| &e.expr), bound, reads),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

fn entries<'a>(
    entries: impl Iterator<Item = &'a EntryExpr>,
    bound: &mut BTreeSet<String>,
    reads: &mut BTreeSet<String>,
) {
    for entry in entries {
        match entry {
            EntryExpr::StructField(field) => collect(&field.value, bound, reads),
            EntryExpr::MapEntry(entry) => {
                collect(&entry.key, bound, reads);
                collect(&entry.value, bound, reads);
            }
        }
    }
}

/// `a.b.c`, `a.b["c"]` and `has(a.b.c)` as the path that they name.
fn path_of(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path_of(&select.operand)?, select.field)),
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let [of, index] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(name)) = &index.expr else { return None };
            Some(format!("{}.{}", path_of(of)?, name.inner()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Vec<String> {
        Expression::compile(text).unwrap().reads().iter().cloned().collect()
    }

    #[test]
    fn reads_are_the_longest_paths() {
        assert_eq!(reads("a.b.c > 1 && d.e < duration('5s')"), ["a.b.c", "d.e"]);
        assert_eq!(reads("a.classes['http-201'] == a.ops.ok"), ["a.classes.http-201", "a.ops.ok"]);
        assert_eq!(reads("has(a.b.c) ? double(a.b.c) < 1.5 : [x.y][0] == 2"), ["a.b.c", "x.y"]);
        assert_eq!(reads("[1, 2].exists(i, i == a.b)"), ["a.b"]);
    }

    #[test]
    fn what_is_not_cel_says_where() {
        let error = Expression::compile("a.b >").unwrap_err().to_string();
        assert!(error.starts_with("`a.b >` is not a CEL expression: "), "{error}");
        assert!(error.contains("1:"), "{error}");
    }
}
