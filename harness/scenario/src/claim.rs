//! CEL in claims: it must parse, speak of things that are measured, and fit
//! their types. The last is found by trying it on sample values.

mod scope;
mod types;

use std::thread;

use cel::Program;
use cel::common::ast::Expr;
use cel::parser::Expression;

use crate::inside;
use crate::model::Operation;
use crate::problem::{Problem, SHOWN};
use crate::source::Place;
use crate::suggest::suggestion;
use crate::tree::Node;

pub use scope::Scope;

/// An expression longer than this is a mistake, and slow to parse.
const LONGEST: usize = 2_000;

/// More brackets and operators than this (see [`complexity`]) are refused: the
/// parser recurses, and an unoptimised build takes up to 200 KiB of stack for
/// each bracket and 50 KiB for each operator. 100 fit into 8 MiB, the stack of
/// a main thread, so that whoever evaluates the expression later is safe, too.
const MOST_COMPLEX: usize = 100;

/// Stack for checking expressions, whatever thread the caller is on.
const STACK: usize = 16 << 20;

/// What a claim may know of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its verb.
    pub verb: &'a str,
    /// Whether somebody listens by then.
    pub delivered: bool,
    /// Whether a later step looks for its writes in the store.
    pub checked: bool,
    /// The kinds of operations that it sends; none if that is not known.
    pub kinds: Option<Vec<Operation>>,
}

/// What is wrong with `expressions`. Stops once there is enough to do.
pub fn problems(expressions: &[&Node], scope: Scope<'_>) -> Vec<Problem> {
    let check = || {
        let mut problems = Vec::new();
        for node in expressions {
            problems.extend(expression(node, scope));
            if problems.len() > SHOWN {
                break;
            }
        }
        problems
    };
    thread::scope(|scope| {
        let checked = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, check);
        let unchecked = || {
            let first = expressions.first().map(|node| node.place.first_line());
            first.map(|place| Problem::new(place, "this CEL could not be checked"))
        };
        let checked = checked.ok().and_then(|thread| thread.join().ok());
        checked.unwrap_or_else(|| unchecked().into_iter().collect())
    })
}

/// How deep the parser may have to recurse, in operators.
fn complexity(text: &str) -> usize {
    let weight = |c: char| match c {
        '(' | '[' | '{' => 4,
        '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '?' => 1,
        _ => 0,
    };
    text.chars().map(weight).sum()
}

/// What is wrong with the expression in `node`.
fn expression(node: &Node, scope: Scope<'_>) -> Vec<Problem> {
    let Some(text) = node.text() else { return Vec::new() };
    if text.len() > LONGEST {
        let message = format!("an expression of {} bytes; at most {LONGEST} are read", text.len());
        return vec![Problem::new(node.place.first_line(), message)];
    }
    if complexity(text) > MOST_COMPLEX {
        return vec![
            Problem::new(
                node.place.first_line(),
                "too many brackets and operators in one expression",
            )
            .help("split it into several `needs`"),
        ];
    }
    let expression = Checked { node, text, scope };
    let program = match Program::compile(text) {
        Ok(program) => program,
        Err(errors) => return vec![expression.not_cel(&errors)],
    };
    let mut problems = Vec::new();
    if !scope.is_known() {
        return problems;
    }
    expression.names(&program, program.expression(), &mut Vec::new(), &mut problems);
    if problems.is_empty() {
        problems.extend(expression.types(&program));
    }
    problems
}

struct Checked<'a> {
    node: &'a Node,
    text: &'a str,
    scope: Scope<'a>,
}

impl Checked<'_> {
    /// The place of characters `start..end` of the expression.
    fn place(&self, start: usize, end: usize) -> Place {
        let byte = |n: usize| self.text.char_indices().nth(n).map_or(self.text.len(), |(i, _)| i);
        inside::place(self.node, byte(start)..byte(end))
    }

    /// First and last character of the token of node `id`. The parser counts
    /// tokens in bytes (and columns of errors in characters).
    fn token(&self, program: &Program, id: u64) -> Option<(usize, usize)> {
        let (start, stop) = program.source_info().offset_for(id)?;
        let characters = |bytes: u32| {
            let bytes = usize::try_from(bytes).unwrap_or(0);
            self.text.char_indices().take_while(|(i, _)| *i < bytes).count()
        };
        Some((characters(start), characters(stop)))
    }

    fn not_cel(&self, errors: &cel::ParseErrors) -> Problem {
        let Some(first) = errors.errors.first() else {
            return Problem::new(self.node.place.first_line(), "this is not CEL");
        };
        let number = |n: isize| usize::try_from(n - 1).unwrap_or(0);
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(number(first.pos.0))
            .map(|l| l.chars().count())
            .sum();
        let at = before + number(first.pos.1);
        let message = first.msg.trim_start_matches("Syntax error: ").trim();
        let ended = at >= self.text.trim_end().chars().count();
        let rest: String = self.text.chars().skip(at).collect();
        let (message, help) = if self.text.trim().is_empty() {
            ("the expression is empty".to_owned(), Some("for example `write.ops.failed == 0`"))
        } else if ended {
            (
                "the expression ends too early".to_owned(),
                Some("a closing bracket is missing, or what the last operator works on"),
            )
        } else if rest.starts_with('=') {
            ("`=` is not an operator".to_owned(), Some("equality is written `==`"))
        } else if message.starts_with("token recognition error") {
            match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => (format!("this {quote} is never closed"), None),
                sign => (format!("unexpected `{}`", sign.unwrap_or(' ')), None),
            }
        } else {
            // ANTLR lists every token it would have taken; nobody reads that.
            let short = message.split(" expecting ").next().unwrap_or(message);
            let short = short.replace("extraneous input", "unexpected");
            (short.replace("mismatched input", "unexpected").replace('\'', "`"), None)
        };
        let width = rest.chars().take_while(|c| !c.is_whitespace()).count().clamp(1, 20);
        let end = if ended { at } else { at + width };
        let problem = Problem::new(self.place(at, end), message);
        problem.maybe_help(help.map(str::to_owned))
    }

    /// Reports every name that means nothing.
    fn names<'e>(
        &self,
        program: &Program,
        expression: &'e Expression,
        bound: &mut Vec<&'e str>,
        problems: &mut Vec<Problem>,
    ) {
        match &expression.expr {
            Expr::Ident(_) | Expr::Select(_) => match chain(expression) {
                Some(parts) if !bound.contains(&parts[0].1) && !parts[0].1.starts_with('@') => {
                    problems.extend(self.path(program, &parts));
                }
                Some(_) => {}
                None => {
                    if let Expr::Select(select) = &expression.expr {
                        self.names(program, &select.operand, bound, problems);
                    }
                }
            },
            Expr::Call(call) => {
                let operands = call.target.as_deref().into_iter().chain(&call.args);
                operands.for_each(|operand| self.names(program, operand, bound, problems));
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|item| self.names(program, item, bound, problems));
            }
            Expr::Comprehension(c) => {
                self.names(program, &c.iter_range, bound, problems);
                let outer = bound.len();
                bound.extend([c.iter_var.as_str(), c.accu_var.as_str()]);
                bound.extend(c.iter_var2.as_deref());
                for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                    self.names(program, part, bound, problems);
                }
                bound.truncate(outer);
            }
            _ => {}
        }
    }

    /// What is wrong with `write.ops.ok`, given its parts.
    fn path(&self, program: &Program, parts: &[(u64, &str)]) -> Option<Problem> {
        let (&(root_id, root), fields) = parts.split_first()?;
        let mut kind = match self.scope.root(root) {
            Ok(kind) => kind,
            Err(message) => {
                let place = self.name_place(program, root_id, root, false);
                let help = self.scope.known_names(root);
                return Some(Problem::new(place, message).maybe_help(help));
            }
        };
        let mut above = root.to_owned();
        for &(id, field) in fields {
            let Some(below) = kind.get(field) else {
                let place = self.name_place(program, id, field, true);
                let problem = Problem::new(place, format!("`{above}` has no `{field}`"));
                let help = match kind.names() {
                    names if names.is_empty() => Some(format!("`{above}` is a single value")),
                    names => suggestion(field, names),
                };
                return Some(problem.maybe_help(help));
            };
            kind = below;
            above = format!("{above}.{field}");
        }
        let (id, field) = *fields.first()?;
        let missing = self.scope.step(root).and_then(|step| match field {
            "stored" if !step.checked => {
                Some(format!("add a later step: {{name: stored, check: {{stored: {root}}}}}"))
            }
            "delivery" if !step.delivered => {
                Some("add an earlier step: {name: listen, subscribe: {count: 1}}".to_owned())
            }
            _ => None,
        });
        let Some(missing) = missing else { return self.kind(program, root, fields) };
        let place = self.name_place(program, id, field, true);
        Some(
            Problem::new(place, format!("`{root}.{field}` is not measured by any step"))
                .help(missing),
        )
    }

    /// What is wrong with `kinds.get`, read of the step `root`.
    fn kind(&self, program: &Program, root: &str, fields: &[(u64, &str)]) -> Option<Problem> {
        let (&(id, first), rest) = fields.split_first()?;
        let sent = self.scope.step(root).and_then(|step| step.kinds.as_ref())?;
        if first != "kinds" {
            return None;
        }
        if let [only] = sent[..] {
            let rest: String = rest.iter().skip(1).map(|(_, name)| format!(".{name}")).collect();
            let place = self.name_place(program, id, first, true);
            let message = format!("`{root}` sends one kind of operation only, `{only}`");
            return Some(Problem::new(place, message).help(format!("write `{root}{rest}`")));
        }
        let &(id, kind) = rest.first()?;
        if sent.iter().any(|operation| operation.name() == kind) {
            return None;
        }
        let place = self.name_place(program, id, kind, true);
        let names: Vec<_> = sent.iter().map(|operation| format!("`{operation}`")).collect();
        Some(
            Problem::new(place, format!("`{root}` sends no operation of kind `{kind}`"))
                .help(format!("it sends {}", names.join(", "))),
        )
    }

    /// Where the name of node `id` stands; a selected field stands behind its dot.
    fn name_place(&self, program: &Program, id: u64, name: &str, field: bool) -> Place {
        let Some((start, _)) = self.token(program, id) else {
            return self.node.place.first_line();
        };
        let gap = self.text.chars().skip(start + 1).take_while(|c| c.is_whitespace()).count();
        let start = if field { start + 1 + gap } else { start };
        self.place(start, start + name.chars().count())
    }
}

/// The names of `a.b.c`, each with its node; none if it is more than names.
fn chain(expression: &Expression) -> Option<Vec<(u64, &str)>> {
    let (mut parts, mut at) = (Vec::new(), expression);
    loop {
        match &at.expr {
            Expr::Ident(name) => {
                parts.push((at.id, name.as_str()));
                parts.reverse();
                return Some(parts);
            }
            Expr::Select(select) => {
                parts.push((at.id, select.field.as_str()));
                at = &select.operand;
            }
            _ => return None,
        }
    }
}
