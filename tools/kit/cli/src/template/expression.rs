//! What stands between `{{` and `}}`: operands, calls, parentheses and pipes.

use serde_json::Value;

use super::{TemplateError, wrong};

/// Words that are not fields: functions, and Go's constants.
pub const FUNCTIONS: [&str; 16] = [
    "json", "println", "print", "index", "len", "join", "lower", "upper", "eq", "ne", "not", "and",
    "or", "true", "false", "nil",
];

/// What `$` and the variables mean.
pub struct Scope<'a> {
    root: &'a Value,
    /// The innermost is the last.
    pub vars: Vec<(String, Value)>,
}

impl<'a> Scope<'a> {
    pub fn new(root: &'a Value) -> Self {
        let vars = Vec::new();
        Self { root, vars }
    }
}

/// A pipeline: each command's value is the last argument of the next.
pub fn evaluate(words: &[String], dot: &Value, scope: &Scope<'_>) -> Result<Value, TemplateError> {
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
        return call(first, &args).ok_or_else(|| wrong(whole(), "wrong number of arguments"));
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
            let value = evaluate(&words[at + 1..end], dot, scope)?;
            all.push(field(value, &words[end][1..]));
            at = end;
        } else {
            let value = operand(word, dot, scope);
            all.push(
                value
                    .ok_or_else(|| wrong(word, "not a field, a variable, a string or a number"))?,
            );
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

/// `None` if it takes another number of arguments.
fn call(function: &str, args: &[Value]) -> Option<Value> {
    let texts = || args.iter().map(plain).collect::<Vec<_>>().join(" ");
    Some(match (function, args) {
        ("json", [value]) => value.to_string().into(),
        ("print", _) => texts().into(),
        ("println", _) => (texts() + "\n").into(),
        ("index", [value, keys @ ..]) => keys
            .iter()
            .fold(value.clone(), |value, key| at(&value, key)),
        ("len", [Value::Array(all)]) => all.len().into(),
        ("len", [Value::Object(all)]) => all.len().into(),
        ("len", [Value::String(text)]) => text.len().into(),
        ("len", [_]) => 0.into(),
        ("join", [Value::Array(all), Value::String(between)]) => all
            .iter()
            .map(plain)
            .collect::<Vec<_>>()
            .join(between)
            .into(),
        ("lower", [value]) => plain(value).to_lowercase().into(),
        ("upper", [value]) => plain(value).to_uppercase().into(),
        ("eq", [first, others @ ..]) if !others.is_empty() => others.contains(first).into(),
        ("ne", [first, second]) => (first != second).into(),
        ("not", [value]) => (!is_true(value)).into(),
        ("and", [.., last]) => args
            .iter()
            .find(|value| !is_true(value))
            .unwrap_or(last)
            .clone(),
        ("or", [.., last]) => args
            .iter()
            .find(|value| is_true(value))
            .unwrap_or(last)
            .clone(),
        _ => return None,
    })
}

/// A missing key of a map of strings is an empty string, as in Go.
fn at(value: &Value, key: &Value) -> Value {
    let found = match key {
        Value::String(key) => value.get(key),
        Value::Number(number) => number.as_u64().and_then(|n| value.get(n as usize)),
        _ => None,
    };
    match (found, value) {
        (Some(found), _) => found.clone(),
        (None, Value::Object(all)) if all.values().all(Value::is_string) => "".into(),
        _ => Value::Null,
    }
}

/// `.`, `.A.B`, `$.A`, `$v.A`, `"text"`, `7`, `true`. A field that is not there is null, which prints as
/// `<no value>`.
fn operand(word: &str, dot: &Value, scope: &Scope<'_>) -> Option<Value> {
    if let Some(quote @ ('"' | '`')) = word.chars().next() {
        return Some(word[1..].strip_suffix(quote)?.into());
    }
    match word {
        "true" => return Some(true.into()),
        "false" => return Some(false.into()),
        "nil" => return Some(Value::Null),
        _ => {}
    }
    if let Ok(number) = word.parse::<i64>() {
        return Some(number.into());
    }
    if word.starts_with('.') {
        return Some(field(dot.clone(), word));
    }
    let dollar = word.starts_with('$').then_some(word)?;
    let (name, path) = dollar.split_at(dollar.find('.').unwrap_or(dollar.len()));
    let from = if name == "$" {
        scope.root
    } else {
        let named = scope.vars.iter().rev().find(|(var, _)| var == name);
        named.map(|(_, value)| value)?
    };
    Some(field(from.clone(), path))
}

/// `.A.B` of a value; of an empty path, itself.
fn field(mut value: Value, path: &str) -> Value {
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = value.get(name).cloned().unwrap_or(Value::Null);
    }
    value
}

pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
    }
}

/// As Go prints values: `[a b]`, `map[k:v]`.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(all) => {
            let pairs: Vec<String> = all
                .iter()
                .map(|(key, value)| format!("{key}:{}", plain(value)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}
