//! What stands between `{{` and `}}`: operands, calls, parentheses and pipes.

use serde_json::Value;

use super::functions::{call, plain};
use super::words::literal;
use super::{TemplateError, failed, wrong};

/// What `$` and the variables mean.
pub(super) struct Scope<'a> {
    root: &'a Value,
    /// What it means to `json`.
    json: &'a Value,
    /// The innermost is the last.
    pub vars: Vec<(String, Value)>,
}

impl<'a> Scope<'a> {
    pub fn new(root: &'a Value, json: &'a Value) -> Self {
        let vars = Vec::new();
        Self { root, json, vars }
    }
}

/// What an action says. One that says `json` has the object as its JSON is.
pub(super) fn evaluate(
    words: &[String],
    dot: &Value,
    scope: &Scope<'_>,
) -> Result<Value, TemplateError> {
    if !words.iter().any(|word| word == "json") {
        return pipeline(words, dot, scope);
    }
    let inner = Scope {
        vars: scope.vars.clone(),
        ..Scope::new(scope.json, scope.json)
    };
    let is_root = std::ptr::eq(dot, scope.root);
    pipeline(words, if is_root { scope.json } else { dot }, &inner)
}

/// Each command's value is the last argument of the next.
fn pipeline(words: &[String], dot: &Value, scope: &Scope<'_>) -> Result<Value, TemplateError> {
    let mut piped = None;
    let mut from = 0;
    let mut depth = 0;
    for at in 0..=words.len() {
        match words.get(at).map(String::as_str) {
            Some("(") => depth += 1,
            Some(word) if word.starts_with(')') => depth -= 1,
            Some("|") | None if depth == 0 => {
                piped = Some(command(&words[from..at], piped, dot, scope)?);
                from = at + 1;
            }
            _ => {}
        }
    }
    piped.ok_or_else(|| wrong(words.join(" "), "unbalanced parentheses"))
}

fn command(
    words: &[String],
    piped: Option<Value>,
    dot: &Value,
    scope: &Scope<'_>,
) -> Result<Value, TemplateError> {
    let whole = || words.join(" ");
    let Some((first, rest)) = words.split_first() else {
        return Err(wrong("|", "missing value for command"));
    };
    let is_constant = ["true", "false", "nil"].contains(&first.as_str());
    if first.starts_with(char::is_alphabetic) && !is_constant {
        let mut args = operands(rest, dot, scope)?;
        args.extend(piped);
        let value = call(first, &args)?;
        return value.ok_or_else(|| wrong(whole(), "wrong number or kind of arguments"));
    }
    if let (".Label" | "$.Label", [_]) = (first.as_str(), rest) {
        let of = if first.starts_with('$') {
            scope.root
        } else {
            dot
        };
        return Ok(label(of, &operands(rest, dot, scope)?));
    }
    match (operands(words, dot, scope)?.as_slice(), piped) {
        ([one], None) => Ok(one.clone()),
        _ => Err(wrong(whole(), "it is not a function")),
    }
}

fn operands(words: &[String], dot: &Value, scope: &Scope<'_>) -> Result<Vec<Value>, TemplateError> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "(" {
            let end = closing(words, at)
                .ok_or_else(|| wrong(words.join(" "), "unbalanced parentheses"))?;
            let value = pipeline(&words[at + 1..end], dot, scope)?;
            all.push(field(value, &words[end][1..], &words[at..=end].join(" "))?);
            at = end;
        } else {
            all.push(operand(word, dot, scope)?);
        }
        at += 1;
    }
    Ok(all)
}

/// Where the parenthesis that opens at `from` closes.
fn closing(words: &[String], from: usize) -> Option<usize> {
    let mut depth = 0;
    (from..words.len()).find(|at| {
        if words[*at] == "(" {
            depth += 1;
        } else if words[*at].starts_with(')') {
            depth -= 1;
        }
        depth == 0
    })
}

/// docker's method of a row of `ps`: the value of one label, and above a table the last part of its key.
fn label(of: &Value, key: &[Value]) -> Value {
    let key = key.iter().map(plain).collect::<String>();
    match of.get("Label") {
        Some(Value::Object(all)) => all.get(&key).cloned().unwrap_or_else(|| "".into()),
        _ => key
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .replace(['-', '_'], " ")
            .into(),
    }
}

/// `.`, `.A.B`, `$.A`, `$v.A`, `"text"`, `7`, `true`.
fn operand(word: &str, dot: &Value, scope: &Scope<'_>) -> Result<Value, TemplateError> {
    let bad = || wrong(word, "not a field, a variable, a string or a number");
    if word.starts_with(['"', '`']) {
        return Ok(literal(word).ok_or_else(bad)?.into());
    }
    match word {
        "true" => return Ok(true.into()),
        "false" => return Ok(false.into()),
        "nil" => return Ok(Value::Null),
        _ => {}
    }
    if let Ok(number) = word.parse::<i64>() {
        return Ok(number.into());
    }
    if word.starts_with('.') {
        return field(dot.clone(), word, word);
    }
    let dollar = word.strip_prefix('$').map(|_| word).ok_or_else(bad)?;
    let (name, path) = dollar.split_at(dollar.find('.').unwrap_or(dollar.len()));
    let from = if name == "$" {
        scope.root
    } else {
        let named = scope.vars.iter().rev().find(|(var, _)| var == name);
        named
            .map(|(_, value)| value)
            .ok_or_else(|| wrong(name, "undefined variable"))?
    };
    field(from.clone(), path, word)
}

/// Maps whose keys are the user's: one that is not there is no error, as in Go.
const MAPS: [&str; 6] = [
    "Labels",
    "Label",
    "Ports",
    "Networks",
    "Volumes",
    "ExposedPorts",
];

/// What docker's objects have and leave out where it is empty, and ours with them.
const LEFT_OUT: [&str; 14] = [
    "Health",
    "Healthcheck",
    "Labels",
    "Volumes",
    "ExposedPorts",
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "StopSignal",
    "OnBuild",
    "Shell",
    "Author",
];

/// `.A.B` of a value; of an empty path, itself.
fn field(mut value: Value, path: &str, at: &str) -> Result<Value, TemplateError> {
    let mut of = "";
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = match &value {
            Value::Object(all) => match all.get(name) {
                Some(found) => found.clone(),
                None if MAPS.contains(&of) || LEFT_OUT.contains(&name) => Value::Null,
                None => {
                    let near = kit_units::nearest(name, all.keys());
                    let near =
                        near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                    return Err(failed(
                        at,
                        format!("map has no entry for key \"{name}\"{near}"),
                    ));
                }
            },
            Value::Null => {
                return Err(failed(
                    at,
                    format!("nil data has no entry for key \"{name}\""),
                ));
            }
            Value::Array(_) => return Err(failed(at, format!("a list has no field \"{name}\""))),
            Value::String(_) => {
                return Err(failed(at, format!("a string has no field \"{name}\"")));
            }
            _ => return Err(failed(at, format!("a number has no field \"{name}\""))),
        };
        of = name;
    }
    Ok(value)
}
