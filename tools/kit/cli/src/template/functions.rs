//! The functions of templates: Go's own, and docker's.

use std::cmp::Ordering;

use serde_json::Value;

use super::{TemplateError, failed};

/// Words that are not fields: functions, and Go's constants.
pub(super) const FUNCTIONS: [&str; 26] = [
    "json", "println", "print", "printf", "index", "len", "join", "split", "title", "truncate",
    "pad", "slice", "lower", "upper", "eq", "ne", "lt", "le", "gt", "ge", "not", "and", "or",
    "true", "false", "nil",
];

/// `None` if it takes other arguments.
pub(super) fn call(function: &str, args: &[Value]) -> Result<Option<Value>, TemplateError> {
    let texts = || args.iter().map(plain).collect::<Vec<_>>().join(" ");
    Ok(Some(match (function, args) {
        ("json", [value]) => value.to_string().into(),
        ("print", _) => texts().into(),
        ("println", _) => (texts() + "\n").into(),
        ("index", [value, keys @ ..]) => keys
            .iter()
            .try_fold(value.clone(), |value, key| at(&value, key))?,
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
        ("split", [Value::String(text), Value::String(at)]) => text
            .split(at.as_str())
            .map(Value::from)
            .collect::<Vec<_>>()
            .into(),
        ("title", [value]) => title(&plain(value)).into(),
        ("truncate", [value, Value::Number(length)]) => {
            let length = length.as_u64().unwrap_or(0) as usize;
            plain(value).chars().take(length).collect::<String>().into()
        }
        (
            "pad",
            [
                Value::String(text),
                Value::Number(before),
                Value::Number(after),
            ],
        ) => pad(text, before.as_u64(), after.as_u64()).into(),
        ("printf", [Value::String(format), values @ ..]) => printf(format, values).into(),
        ("slice", [value, bounds @ ..]) if bounds.len() < 3 => return slice(value, bounds),
        ("lower", [value]) => plain(value).to_lowercase().into(),
        ("upper", [value]) => plain(value).to_uppercase().into(),
        _ => return Ok(logic(function, args)),
    }))
}

/// Comparisons, and what combines them.
fn logic(function: &str, args: &[Value]) -> Option<Value> {
    Some(match (function, args) {
        ("eq", [first, others @ ..]) if !others.is_empty() => others.contains(first).into(),
        ("ne", [first, second]) => (first != second).into(),
        ("lt", [one, other]) => (order(one, other) == Some(Ordering::Less)).into(),
        ("gt", [one, other]) => (order(one, other) == Some(Ordering::Greater)).into(),
        ("le", [one, other]) => {
            matches!(order(one, other), Some(Ordering::Less | Ordering::Equal)).into()
        }
        ("ge", [one, other]) => {
            matches!(order(one, other), Some(Ordering::Greater | Ordering::Equal)).into()
        }
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

/// docker's: an empty text is not padded. Nobody pads by more than a line.
fn pad(text: &str, before: Option<u64>, after: Option<u64>) -> String {
    let blanks = |count: Option<u64>| " ".repeat(count.unwrap_or(0).min(1000) as usize);
    if text.is_empty() {
        return String::new();
    }
    format!("{}{text}{}", blanks(before), blanks(after))
}

/// A missing key of a map of strings is an empty string, as in Go; so is one of a map that is not there.
fn at(value: &Value, key: &Value) -> Result<Value, TemplateError> {
    Ok(match (value, key) {
        (Value::Object(all), Value::String(key)) => match all.get(key) {
            Some(found) => found.clone(),
            None if all.values().all(Value::is_string) => "".into(),
            None => Value::Null,
        },
        (Value::Array(all), Value::Number(number)) => {
            let found = number.as_u64().and_then(|n| all.get(n as usize));
            found
                .ok_or_else(|| failed("index", format!("index out of range: {number}")))?
                .clone()
        }
        (Value::Null, Value::String(_)) => "".into(),
        (Value::Null, _) => return Err(failed("index", format!("index out of range: {key}"))),
        _ => return Err(failed("index", format!("cannot index {value} with {key}"))),
    })
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// The first letter of each word in upper case.
fn title(text: &str) -> String {
    let mut begins = true;
    let letter = |c: char| {
        let c = if begins {
            c.to_uppercase().collect()
        } else {
            String::from(c)
        };
        begins = c.ends_with(char::is_whitespace);
        c
    };
    text.chars().map(letter).collect()
}

/// Go's `slice`: of a text or a list, from one place to before another.
fn slice(value: &Value, bounds: &[Value]) -> Result<Option<Value>, TemplateError> {
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.len(),
        _ => return Ok(None),
    };
    let bound = |nth: usize, default: usize| {
        let given = bounds.get(nth);
        given.map_or(Some(default), |given| Some(given.as_u64()? as usize))
    };
    let (Some(from), Some(to)) = (bound(0, 0), bound(1, length)) else {
        return Ok(None);
    };
    let part = match value {
        Value::String(text) => text.get(from..to).map(Value::from),
        Value::Array(all) => all.get(from..to).map(Value::from),
        _ => None,
    };
    let why = || failed("slice", format!("index out of range: {to}"));
    part.map(Some).ok_or_else(why)
}

/// Go's `%s`, `%d`, `%v`, `%t`, `%q` and `%%`, with a width and a precision; what follows no rule is printed as Go prints
/// it: `%!x(…)`.
fn printf(format: &str, values: &[Value]) -> String {
    let (mut out, mut values) = (String::new(), values.iter());
    let mut rest = format;
    while let Some((text, after)) = rest.split_once('%') {
        out.push_str(text);
        let flags = after.trim_start_matches(['-', '0', '+', ' ', '#']);
        let spec = flags.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let Some(verb) = spec.chars().next() else {
            out.push_str("%!(NOVERB)");
            return out;
        };
        rest = &spec[verb.len_utf8()..];
        let (width, precision) = match flags[..flags.len() - spec.len()].split_once('.') {
            Some((width, precision)) => (width, Some(precision.parse().unwrap_or(0))),
            None => (&flags[..flags.len() - spec.len()], None),
        };
        let value = match verb {
            '%' => "%".to_owned(),
            verb => said(verb, values.next(), precision),
        };
        let flags = &after[..after.len() - flags.len()];
        out += &padded(&value, flags, width.parse().unwrap_or(0));
    }
    out + rest
}

fn said(verb: char, value: Option<&Value>, precision: Option<usize>) -> String {
    let cut = |text: String| match precision {
        Some(length) => text.chars().take(length).collect(),
        None => text,
    };
    match (verb, value) {
        ('s' | 'v', Some(value)) => cut(plain(value)),
        ('d' | 't', Some(value)) => plain(value),
        ('q', Some(value)) => Value::from(cut(plain(value))).to_string(),
        (verb, None) => format!("%!{verb}(MISSING)"),
        (verb, Some(value)) => format!("%!{verb}({})", plain(value)),
    }
}

/// Nobody pads by more than a line.
fn padded(text: &str, flags: &str, width: usize) -> String {
    let missing = width.min(1000).saturating_sub(text.chars().count());
    if flags.contains('-') {
        format!("{text}{}", " ".repeat(missing))
    } else if flags.contains('0') {
        format!("{}{text}", "0".repeat(missing))
    } else {
        format!("{}{text}", " ".repeat(missing))
    }
}

pub(super) fn is_true(value: &Value) -> bool {
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
pub(super) fn plain(value: &Value) -> String {
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
