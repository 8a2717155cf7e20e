//! `-f '{{.State.Running}}'`: the part of Go's templates that people use with `inspect`, `ps` and `images`: fields,
//! variables, pipes, `range`, `if`, and the functions of `expression`. Pure.

mod expression;

use serde_json::Value;

use expression::{FUNCTIONS, Scope, evaluate, is_true, plain};

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("template parsing error: {reason} in {{{{{at}}}}}")]
pub struct TemplateError {
    at: String,
    reason: &'static str,
}

fn wrong(at: impl Into<String>, reason: &'static str) -> TemplateError {
    let at = at.into();
    TemplateError { at, reason }
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
}

/// Nodes, and the words of the `end` or `else` that ended them.
type Block = (Vec<Node>, Vec<String>);

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text;
        Ok(Self(block(&mut rest, false)?.0))
    }

    /// With `value` for its dot.
    pub fn render(&self, value: &Value) -> Result<String, TemplateError> {
        let mut out = String::new();
        let mut scope = Scope::new(value);
        show(&self.0, value, &mut scope, &mut out)?;
        Ok(out)
    }
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
        let (action, after) = after
            .split_once("}}")
            .ok_or_else(|| wrong(after, "unclosed action"))?;
        // A dash eats the blanks on its side.
        let (text, action) = match action.strip_prefix("- ") {
            Some(action) => (text.trim_end(), action),
            None => (text, action),
        };
        let (after, action) = match action.strip_suffix(" -") {
            Some(action) => (after.trim_start(), action),
            None => (after, action),
        };
        nodes.push(Node::Text(text.to_owned()));
        *rest = after;
        let words = words(action);
        match words.first().map(String::as_str) {
            None => return Err(wrong(action, "missing value for command")),
            Some("range") => nodes.push(range(&words[1..], rest)?),
            Some("if") => nodes.push(condition(&words[1..], rest)?),
            Some("end" | "else") if inside => return Ok((nodes, words)),
            Some("end" | "else") => return Err(wrong(action, "it closes nothing")),
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

/// Words at blanks; a quoted one may hold some. `(`, `|`, `,` and `)` are words of their own, the last with the
/// field that is taken of it: `).HostPort`.
fn words(action: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = action.trim();
    while let Some(first) = rest.chars().next() {
        let is_end = |c: char| c.is_whitespace() || "(),|".contains(c);
        let end = match first {
            '"' | '`' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            '(' | ',' | '|' => 1,
            _ => rest[1..].find(is_end).map_or(rest.len(), |at| at + 1),
        };
        // The first character may be wider than a byte; it is then never one of those above.
        let end = (end..=rest.len())
            .find(|end| rest.is_char_boundary(*end))
            .unwrap_or(rest.len());
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

fn show(
    nodes: &[Node],
    dot: &Value,
    scope: &mut Scope<'_>,
    out: &mut String,
) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(words) => out.push_str(&plain(&evaluate(words, dot, scope)?)),
            Node::Range(names, words, body, none) => {
                let all = pairs(evaluate(words, dot, scope)?);
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
        }
    }
    Ok(())
}

/// Keys or indexes, with their values.
fn pairs(value: Value) -> Vec<(Value, Value)> {
    match value {
        Value::Array(all) => (0u64..).map(Value::from).zip(all).collect(),
        Value::Object(all) => all
            .into_iter()
            .map(|(key, one)| (key.into(), one))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(template: &str, value: &Value) -> Result<String, TemplateError> {
        Template::parse(template)?.render(value)
    }

    #[test]
    fn what_people_write() {
        let value = json!({"Name": "/web", "State": {"Running": true, "Pid": 7}, "Args": ["a", "b"],
            "Labels": {"k": "v"}, "Mounts": [{"Source": "/a"}, {"Source": "/b"}], "None": [],
            "Ports": {"53/udp": null, "80/tcp": [{"HostPort": "8080"}]}});
        for (template, expected) in [
            ("{{.Name}}", "/web"),
            ("{{ .State.Running }} {{.State.Pid}}", "true 7"),
            ("{{json .State}}", "{\"Pid\":7,\"Running\":true}"),
            ("{{.State | json}}", "{\"Pid\":7,\"Running\":true}"),
            ("{{.Args}}", "[a b]"),
            ("{{index .Labels \"k\"}}", "v"),
            ("{{index .Labels \"nope\"}}", ""),
            ("{{range .Mounts}}{{.Source}};{{end}}", "/a;/b;"),
            ("{{range .None}}x{{else}}none{{end}}", "none"),
            ("{{range $i, $a := .Args}}{{$i}}={{$a}} {{end}}", "0=a 1=b "),
            ("{{range $k, $v := .Labels}}{{$k}}:{{$v}}{{end}}", "k:v"),
            ("{{range .Args}}{{.}}@{{$.Name}} {{end}}", "a@/web b@/web "),
            (
                "{{range $p, $at := .Ports}}{{if $at}}{{$p}} -> {{(index $at 0).HostPort}}{{end}}{{end}}",
                "80/tcp -> 8080",
            ),
            ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"),
            ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            (
                "{{if .None}}a{{else if eq .Name \"/web\"}}b{{else}}c{{end}}",
                "b",
            ),
            ("{{if not .None}}empty{{end}}", "empty"),
            ("{{len .Args}}", "2"),
            ("{{join .Args \", \"}}", "a, b"),
            ("{{upper .Name}}", "/WEB"),
            ("a {{- .Name -}} b", "a/webb"),
            ("{{println .Name}}", "/web\n"),
            ("{{.Nope}}", "<no value>"),
        ] {
            assert_eq!(render(template, &value).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template() {
        for (bad, why) in [
            ("{{", "unclosed action in {{}}"),
            ("{{.A", "unclosed action in {{.A}}"),
            ("{{}}", "missing value for command in {{}}"),
            ("{{frob .A}}", "function not defined in {{frob}}"),
            ("{{range .A}}", "it is missing in {{end}}"),
            ("{{end}}", "it closes nothing in {{end}}"),
            (
                "{{if .A}}{{else}}{{else}}{{end}}",
                "expected end in {{else}}",
            ),
            ("{{é", "unclosed action in {{é}}"),
        ] {
            let error = render(bad, &json!({})).unwrap_err().to_string();
            assert_eq!(error, format!("template parsing error: {why}"), "{bad}");
        }
        for bad in [
            "{{(}}",
            "{{)}}",
            "{{|}}",
            "{{.A .B}}",
            "{{index}}",
            "{{$nope}}",
            "{{(.A}}",
        ] {
            assert!(render(bad, &json!({})).is_err(), "{bad}");
        }
    }
}
