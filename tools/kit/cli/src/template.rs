//! `-f '{{.State.Running}}'`: the part of Go's templates that people use with `inspect`, `ps` and `images`: fields,
//! variables, pipes, `range`, `if`, `with`, comments, and the functions of `functions`. Pure.

mod expression;
mod functions;
mod words;

use serde_json::Value;

use expression::{Scope, evaluate};
use functions::{FUNCTIONS, is_true, plain};
use words::{action, words};

/// Why a text is no template, or cannot be filled in.
#[derive(Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum TemplateError {
    /// It is no template.
    #[error("template parsing error: {reason}: \"{at}\"")]
    Parse { at: String, reason: &'static str },
    /// It asks for what its data has not got.
    #[error("executing the template at <{at}>: {reason}")]
    Execute { at: String, reason: String },
}

impl kit_plan::Fault for TemplateError {
    fn exit(&self) -> u8 {
        match self {
            Self::Parse { .. } => kit_plan::USAGE,
            Self::Execute { .. } => 1,
        }
    }
}

fn wrong(at: impl Into<String>, reason: &'static str) -> TemplateError {
    let at = at.into();
    TemplateError::Parse { at, reason }
}

fn failed(at: impl Into<String>, reason: impl Into<String>) -> TemplateError {
    let (at, reason) = (at.into(), reason.into());
    TemplateError::Execute { at, reason }
}

/// A template, taken apart.
#[derive(Debug, PartialEq)]
pub struct Template(Vec<Node>);

#[derive(Debug, PartialEq)]
enum Node {
    Text(String),
    Print(Vec<String>),
    /// The names of its variables, what is ranged over, the body, and what stands for none.
    Range(Vec<String>, Vec<String>, Vec<Node>, Vec<Node>),
    If(Vec<String>, Vec<Node>, Vec<Node>),
    /// A name for its value, what becomes the dot, the body, and what stands for none.
    With(Option<String>, Vec<String>, Vec<Node>, Vec<Node>),
    /// `$name := …`
    Set(String, Vec<String>),
}

/// Nodes, and the words of the `end` or `else` that ended them.
type Block = (Vec<Node>, Vec<String>);

impl Template {
    /// Reads one: `{{.Name}} is {{.Status}}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text;
        Ok(Self(block(&mut rest, false)?.0))
    }

    /// With `value` for its dot.
    pub fn render(&self, value: &Value) -> Result<String, TemplateError> {
        self.render_beside(value, value)
    }

    /// With `value` for its dot, and `json` for that of the actions that call `json`: docker's lists have a type by which
    /// an empty one prints as `[]`, and are `null` in its JSON.
    pub fn render_beside(&self, value: &Value, json: &Value) -> Result<String, TemplateError> {
        let mut out = String::new();
        let mut scope = Scope::new(value, json);
        show(&self.0, value, &mut scope, &mut out)?;
        Ok(out)
    }
}

/// The format that was asked for: docker's scripts pass an empty one for that of the verb itself.
pub fn asked(format: Option<&str>) -> Option<&str> {
    format.filter(|format| !format.is_empty())
}

/// `--format` of a verb that lists: a template for each object, or, after `table `, one for columns with tabs between, whose heads are
/// `heads`, an object of the same fields. `table` aligns rows of cells.
pub fn formatted(
    format: &str,
    heads: Value,
    objects: impl Iterator<Item = Value>,
    table: fn(&[Vec<String>]) -> String,
) -> Result<String, TemplateError> {
    let (format, is_table) = match format.strip_prefix("table ") {
        Some(format) => (format, true),
        None => (format, false),
    };
    let format = format.replace("\\t", "\t").replace("\\n", "\n");
    let template = Template::parse(&format)?;
    let mut lines = Vec::new();
    for object in is_table.then_some(heads).into_iter().chain(objects) {
        lines.push(template.render(&object)?);
    }
    if is_table {
        let cells = |line: &String| line.split('\t').map(str::to_owned).collect();
        return Ok(table(&lines.iter().map(cells).collect::<Vec<_>>()));
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

fn block(rest: &mut &str, inside: bool) -> Result<Block, TemplateError> {
    let mut nodes = Vec::new();
    loop {
        let Some((text, after)) = rest.split_once("{{") else {
            if inside {
                return Err(wrong("end", "it is missing"));
            }
            nodes.push(Node::Text((*rest).to_owned()));
            *rest = "";
            return Ok((nodes, Vec::new()));
        };
        let (action, after) = action(after)?;
        // A dash eats the blanks on its side.
        let (text, action) = match action.strip_prefix('-') {
            Some(inner) if inner.starts_with(char::is_whitespace) => (text.trim_end(), inner),
            _ => (text, action),
        };
        let (after, action) = match action.strip_suffix('-') {
            Some(inner) if inner.ends_with(char::is_whitespace) => (after.trim_start(), inner),
            _ => (after, action),
        };
        nodes.push(Node::Text(text.to_owned()));
        *rest = after;
        if action.trim().starts_with("/*") {
            if !action.trim().ends_with("*/") {
                return Err(wrong(action, "unclosed comment"));
            }
            continue;
        }
        let words = words(action)?;
        match words.first().map(String::as_str) {
            None => return Err(wrong(action, "missing value for command")),
            Some("range") => nodes.push(range(&words[1..], rest)?),
            Some("if") => nodes.push(condition(&words[1..], rest)?),
            Some("with") => nodes.push(with(&words[1..], rest)?),
            Some("end" | "else") if inside => return Ok((nodes, words)),
            Some("end" | "else") => return Err(wrong(action, "it closes nothing")),
            Some(name)
                if name.starts_with('$') && words.get(1).is_some_and(|word| word == ":=") =>
            {
                nodes.push(Node::Set(name.to_owned(), expression(&words[2..])?));
            }
            Some(_) => nodes.push(Node::Print(expression(&words)?)),
        }
    }
}

fn range(words: &[String], rest: &mut &str) -> Result<Node, TemplateError> {
    let at = words.iter().position(|word| word == ":=");
    let (names, of) = match at {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (&words[..0], words),
    };
    let names: Vec<String> = names.iter().filter(|word| *word != ",").cloned().collect();
    if names.len() > 2 || names.iter().any(|name| !name.starts_with('$')) {
        return Err(wrong(words.join(" "), "range has $value or $key, $value"));
    }
    let of = expression(of)?;
    let (body, by) = block(rest, true)?;
    let none = otherwise(&by, rest)?;
    Ok(Node::Range(names, of, body, none))
}

fn condition(words: &[String], rest: &mut &str) -> Result<Node, TemplateError> {
    let words = expression(words)?;
    let (yes, by) = block(rest, true)?;
    Ok(Node::If(words, yes, otherwise(&by, rest)?))
}

fn with(words: &[String], rest: &mut &str) -> Result<Node, TemplateError> {
    let (name, of) = match words {
        [name, set, of @ ..] if name.starts_with('$') && set == ":=" => (Some(name.clone()), of),
        of => (None, of),
    };
    let of = expression(of)?;
    let (body, by) = block(rest, true)?;
    Ok(Node::With(name, of, body, otherwise(&by, rest)?))
}

/// What follows `else`, `else if …` or, nothing, `end`.
fn otherwise(by: &[String], rest: &mut &str) -> Result<Vec<Node>, TemplateError> {
    match by {
        [word] if word == "end" => Ok(Vec::new()),
        [word] if word == "else" => match block(rest, true)? {
            (nodes, by) if by == ["end"] => Ok(nodes),
            (_, by) => Err(wrong(by.join(" "), "expected end")),
        },
        [word, then, words @ ..] if word == "else" && then == "if" => {
            Ok(vec![condition(words, rest)?])
        }
        _ => Err(wrong(by.join(" "), "unexpected words")),
    }
}

/// Words that only call what there is.
fn expression(words: &[String]) -> Result<Vec<String>, TemplateError> {
    if words.is_empty() {
        return Err(wrong("", "missing value for command"));
    }
    let unknown = words
        .iter()
        .find(|word| word.starts_with(char::is_alphabetic) && !FUNCTIONS.contains(&word.as_str()));
    match unknown {
        Some(word) => Err(wrong(word, "function not defined")),
        None => Ok(words.to_vec()),
    }
}

fn show(
    nodes: &[Node],
    dot: &Value,
    scope: &mut Scope<'_>,
    out: &mut String,
) -> Result<(), TemplateError> {
    let outer = scope.vars.len();
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(words) => out.push_str(&plain(&evaluate(words, dot, scope)?)),
            Node::Range(names, words, body, none) => {
                let all = pairs(evaluate(words, dot, scope)?)
                    .map_err(|kind| failed(words.join(" "), format!("range over {kind}")))?;
                if all.is_empty() {
                    show(none, dot, scope, out)?;
                }
                for (key, value) in all {
                    let depth = scope.vars.len();
                    match names.as_slice() {
                        [name] => scope.vars.push((name.clone(), value.clone())),
                        [first, second] => scope
                            .vars
                            .extend([(first.clone(), key), (second.clone(), value.clone())]),
                        _ => {}
                    }
                    show(body, &value, scope, out)?;
                    scope.vars.truncate(depth);
                }
            }
            Node::If(words, yes, no) => {
                let is_true = is_true(&evaluate(words, dot, scope)?);
                show(if is_true { yes } else { no }, dot, scope, out)?;
            }
            Node::With(name, words, body, none) => {
                let value = evaluate(words, dot, scope)?;
                if is_true(&value) {
                    let named = name.iter().map(|name| (name.clone(), value.clone()));
                    scope.vars.extend(named);
                    show(body, &value, scope, out)?;
                    scope.vars.truncate(scope.vars.len() - name.iter().count());
                } else {
                    show(none, dot, scope, out)?;
                }
            }
            Node::Set(name, words) => {
                let value = evaluate(words, dot, scope)?;
                scope.vars.push((name.clone(), value));
            }
        }
    }
    scope.vars.truncate(outer);
    Ok(())
}

/// Keys or indexes, with their values; or what kind of value has none.
fn pairs(value: Value) -> Result<Vec<(Value, Value)>, &'static str> {
    Ok(match value {
        Value::Array(all) => (0u64..).map(Value::from).zip(all).collect(),
        Value::Object(all) => all
            .into_iter()
            .map(|(key, one)| (key.into(), one))
            .collect(),
        Value::Null => Vec::new(),
        Value::String(_) => return Err("a string"),
        Value::Number(_) => return Err("a number"),
        Value::Bool(_) => return Err("a boolean"),
    })
}

#[cfg(test)]
mod tests;
