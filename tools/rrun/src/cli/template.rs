//! `-f '{{.State.Running}}'`: the part of Go's templates that people use with inspect: fields, `json`, `index`,
//! `len`, `range` and `if`. Pure.

use std::fmt::Write;

use serde_json::Value;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("template parsing error: {reason} in {{{{{at}}}}}")]
pub struct TemplateError {
    at: String,
    reason: &'static str,
}

/// A template, taken apart.
#[derive(Debug, PartialEq)]
enum Node {
    Text(String),
    Print(Vec<String>),
    Range(Vec<String>, Vec<Node>),
    If(Vec<String>, Vec<Node>, Vec<Node>),
}

/// The template with `value` for its dot.
pub fn render(template: &str, value: &Value) -> Result<String, TemplateError> {
    let mut rest = template;
    let (nodes, _) = parse(&mut rest, false)?;
    let mut out = String::new();
    show(&nodes, value, value, &mut out)?;
    Ok(out)
}

/// Up to the end, or to `end` or `else` when `inside`; the word that ended it.
fn parse(rest: &mut &str, inside: bool) -> Result<(Vec<Node>, String), TemplateError> {
    let wrong = |at: &str, reason| TemplateError {
        at: at.to_owned(),
        reason,
    };
    let mut nodes = Vec::new();
    loop {
        let Some((text, after)) = rest.split_once("{{") else {
            if inside {
                return Err(wrong("end", "it is missing"));
            }
            nodes.push(Node::Text((*rest).to_owned()));
            return Ok((nodes, String::new()));
        };
        nodes.push(Node::Text(text.to_owned()));
        let (action, after) = after
            .split_once("}}")
            .ok_or(wrong(after, "unclosed action"))?;
        *rest = after;
        let words = words(action);
        match words.first().map(String::as_str) {
            None => return Err(wrong(action, "missing value for command")),
            Some("range") => nodes.push(Node::Range(words[1..].to_vec(), parse(rest, true)?.0)),
            Some("if") => {
                let (yes, by) = parse(rest, true)?;
                let no = if by == "else" {
                    parse(rest, true)?.0
                } else {
                    Vec::new()
                };
                nodes.push(Node::If(words[1..].to_vec(), yes, no));
            }
            Some(word @ ("end" | "else")) if inside => return Ok((nodes, word.to_owned())),
            Some("end" | "else") => return Err(wrong(action, "it closes nothing")),
            Some(_) => nodes.push(Node::Print(words)),
        }
    }
}

/// Words at blanks; a quoted one may hold some.
fn words(action: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = action.trim();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inside) => inside.find('"').map_or(rest.len(), |at| at + 2),
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

fn show(nodes: &[Node], dot: &Value, root: &Value, out: &mut String) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(words) => print(words, dot, root, out)?,
            Node::Range(words, inside) => match evaluate(words, dot, root)? {
                Value::Array(all) => {
                    for one in &all {
                        show(inside, one, root, out)?;
                    }
                }
                Value::Object(all) => {
                    for one in all.values() {
                        show(inside, one, root, out)?;
                    }
                }
                _ => {}
            },
            Node::If(words, yes, no) => {
                let branch = if is_true(&evaluate(words, dot, root)?) {
                    yes
                } else {
                    no
                };
                show(branch, dot, root, out)?;
            }
        }
    }
    Ok(())
}

fn print(
    words: &[String],
    dot: &Value,
    root: &Value,
    out: &mut String,
) -> Result<(), TemplateError> {
    match words.split_first() {
        Some((first, rest)) if first == "json" => {
            let _ = write!(out, "{}", evaluate(rest, dot, root)?);
        }
        Some((first, rest)) if first == "println" => {
            out.push_str(&plain(&evaluate(rest, dot, root)?));
            out.push('\n');
        }
        _ => out.push_str(&plain(&evaluate(words, dot, root)?)),
    }
    Ok(())
}

fn evaluate(words: &[String], dot: &Value, root: &Value) -> Result<Value, TemplateError> {
    let wrong = |reason| TemplateError {
        at: words.join(" "),
        reason,
    };
    match words {
        [word] => operand(word, dot, root).ok_or(wrong("not a field, a string or a number")),
        [function, rest @ ..] if function == "index" => {
            let mut all = rest.iter().map(|word| {
                operand(word, dot, root).ok_or(wrong("not a field, a string or a number"))
            });
            let mut value = all.next().ok_or(wrong("index of what"))??;
            for key in all {
                value = at(&value, &key?);
            }
            Ok(value)
        }
        [function, of] if function == "len" => {
            let length = match operand(of, dot, root) {
                Some(Value::Array(all)) => all.len(),
                Some(Value::Object(all)) => all.len(),
                Some(Value::String(text)) => text.len(),
                _ => 0,
            };
            Ok(length.into())
        }
        _ => Err(wrong("function not defined")),
    }
}

fn at(value: &Value, key: &Value) -> Value {
    match key {
        Value::String(key) => value.get(key),
        Value::Number(number) => number.as_u64().and_then(|n| value.get(n as usize)),
        _ => None,
    }
    .cloned()
    .unwrap_or(Value::Null)
}

/// `.`, `.A.B`, `$.A`, `"text"`, `7`. A field that is not there is null, which prints as `<no value>`.
fn operand(word: &str, dot: &Value, root: &Value) -> Option<Value> {
    if let Some(text) = word.strip_prefix('"') {
        return Some(text.trim_end_matches('"').into());
    }
    if let Ok(number) = word.parse::<i64>() {
        return Some(number.into());
    }
    let (from, path) = match word.strip_prefix('$') {
        Some(path) => (root, path),
        None => (dot, word),
    };
    if path.is_empty() {
        return Some(from.clone());
    }
    let path = path.strip_prefix('.')?;
    let mut value = from.clone();
    for field in path.split('.').filter(|field| !field.is_empty()) {
        value = value.get(field).cloned().unwrap_or(Value::Null);
    }
    Some(value)
}

fn is_true(value: &Value) -> bool {
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
fn plain(value: &Value) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_write() {
        let value = json!({"Name": "/web", "State": {"Running": true, "Pid": 7}, "Args": ["a", "b"],
            "Labels": {"k": "v"}, "Mounts": [{"Source": "/a"}, {"Source": "/b"}]});
        for (template, expected) in [
            ("{{.Name}}", "/web"),
            ("{{ .State.Running }} {{.State.Pid}}", "true 7"),
            ("{{json .State}}", "{\"Pid\":7,\"Running\":true}"),
            ("{{.Args}}", "[a b]"),
            ("{{index .Labels \"k\"}}", "v"),
            ("{{range .Mounts}}{{.Source}};{{end}}", "/a;/b;"),
            ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            ("{{len .Args}}", "2"),
            ("{{.Nope}}", "<no value>"),
        ] {
            assert_eq!(render(template, &value).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template() {
        for bad in [
            "{{",
            "{{.A",
            "{{}}",
            "{{frob .A}}",
            "{{range .A}}",
            "{{end}}",
        ] {
            assert!(render(bad, &json!({})).is_err(), "{bad}");
        }
    }
}
