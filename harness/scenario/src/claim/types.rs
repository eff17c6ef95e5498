//! Whether a claim's expression fits the types of what it speaks of: it is
//! tried on sample values.

use cel::common::ast::Expr;
use cel::parser::Expression;
use cel::{Context, ExecutionError, Program, Value};

use super::Checked;
use crate::problem::Problem;
use crate::source::Place;
use crate::suggest::nearest;

/// Functions worth suggesting; what exists is decided by trying.
const FUNCTIONS: [&str; 16] = [
    "all",
    "bool",
    "contains",
    "double",
    "duration",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "matches",
    "size",
    "startsWith",
    "string",
];

impl Checked<'_> {
    /// Tries the expression on sample values: it must yield true or false.
    pub(super) fn types(&self, program: &Program) -> Option<Problem> {
        let context = self.scope.sample();
        let whole = program.expression();
        if let Some((id, error)) = misfit(whole, &context) {
            return Some(self.misfit(program, id, &error));
        }
        let kind = match Value::resolve(whole, &context) {
            Ok(Value::Bool(_)) | Err(_) => return None,
            Ok(value) => value.type_of().to_string(),
        };
        let message = format!("this is not true or false, but a value of type {kind}");
        let place = self.place(0, self.text.trim_end().chars().count());
        Some(Problem::new(place, message).help("compare it with something"))
    }

    fn misfit(&self, program: &Program, id: u64, error: &ExecutionError) -> Problem {
        let (start, last) = self.token(program, id).unwrap_or((0, 0));
        // A call's offset is its bracket; the name stands before it.
        let characters: Vec<char> = self.text.chars().collect();
        let word = |c: &&char| c.is_alphanumeric() || **c == '_';
        let name = characters[..start.min(characters.len())].iter().rev().take_while(word).count();
        let place = match characters.get(start) {
            Some('(') => self.place(start - name, start),
            _ => self.place(start, last + 1),
        };
        match error {
            ExecutionError::NoSuchOverload(overload) => {
                let types: Vec<_> = overload.argument_types().iter().map(|t| short(t)).collect();
                unfit(place, overload.function().trim_matches('_'), &types)
            }
            ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
                let types = [left, right].map(|value| value.type_of().to_string());
                let signs = [("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/"), ("rem", "%")];
                let sign = signs.iter().find(|(n, _)| n == name).map_or(*name, |(_, sign)| sign);
                unfit(place, sign, &types.each_ref().map(|t| short(t)))
            }
            ExecutionError::FunctionError { function, .. } if function == "duration" => {
                Problem::new(place, "this is not a duration that CEL reads").help(
                    "as in `duration(\"1s\")`, `duration(\"250ms\")` or `duration(\"1m30s\")`",
                )
            }
            ExecutionError::UndeclaredReference(name) => {
                let help = nearest(name, FUNCTIONS).map(|name| format!("did you mean `{name}`?"));
                Problem::new(place, format!("there is no function `{name}`")).maybe_help(help)
            }
            ExecutionError::FunctionError { function, message } => {
                Problem::new(place, format!("`{function}` cannot do this: {message}"))
            }
            other => Problem::new(place, format!("this cannot be evaluated: {other}")),
        }
    }
}

/// An operator or function that does not take what it is given.
fn unfit(place: Place, operator: &str, types: &[&str]) -> Problem {
    let help =
        match (types.contains(&"int") && types.contains(&"double"), types.contains(&"duration")) {
            (true, _) => Some("convert the int, as in `double(write.ops.ok)`"),
            (_, true) => Some("write a duration as `duration(\"1s\")`"),
            _ => None,
        };
    let message = format!("`{operator}` does not work on {}", types.join(" and "));
    Problem::new(place, message).maybe_help(help.map(str::to_owned))
}

/// `google.protobuf.Duration` is called `duration` in CEL's own text.
fn short(kind: &str) -> &str {
    match kind {
        "google.protobuf.Duration" => "duration",
        "google.protobuf.Timestamp" => "timestamp",
        "float" => "double",
        other => other,
    }
}

/// The innermost part that cannot be evaluated because of its types. Parts of
/// comprehensions are tried only as a whole: their variables are not known.
fn misfit(expression: &Expression, context: &Context<'_, '_>) -> Option<(u64, ExecutionError)> {
    if let Expr::Call(call) = &expression.expr {
        let mut operands = call.target.as_deref().into_iter().chain(&call.args);
        if let Some(inner) = operands.find_map(|operand| misfit(operand, context)) {
            return Some(inner);
        }
    }
    match Value::resolve(expression, context) {
        // These depend on the values, and samples are not the values.
        Ok(_)
        | Err(
            ExecutionError::NoSuchKey(_)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::IndexOutOfBounds(_),
        ) => None,
        Err(error) => Some((expression.id, error)),
    }
}
