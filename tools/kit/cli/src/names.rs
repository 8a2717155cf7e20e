//! Names on the command line, and with `-` on standard input: one a line, or the JSON Lines of another command.

use std::io::Read;

use serde::Deserialize;

use crate::{Failure, Result};

#[derive(Deserialize)]
struct Object {
    kind: String,
    name: String,
}

/// The names meant by `args`. A `-` stands for those on standard input, which may be JSON Lines whose `kind`
/// is one of `kinds`; another kind is bad usage, before anything is done.
pub fn names(args: &[String], kinds: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for arg in args {
        if arg == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            names.extend(parse(&text, kinds)?);
        } else {
            names.push(arg.clone());
        }
    }
    Ok(names)
}

/// Does one thing to each name, going on past a failure; reports all: each but the last failure on standard
/// error at once, the last by returning it.
pub fn each(names: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result {
    let mut last = None;
    for name in names {
        let Err(error) = act(name) else { continue };
        if let Some(earlier) = last.replace(error) {
            crate::run::report(&earlier);
        }
    }
    last.map_or(Ok(0), Err)
}

fn parse(text: &str, kinds: &[&str]) -> Result<Vec<String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if !text.trim_start().starts_with('{') {
        return Ok(lines.map(str::to_owned).collect());
    }
    lines
        .map(|line| {
            let object: Object = serde_json::from_str(line)
                .map_err(|e| Failure::usage(format!("reading names from standard input: {e}")))?;
            if kinds.contains(&object.kind.as_str()) {
                return Ok(object.name);
            }
            let wanted = kinds.join(" or ");
            let vowel = object.kind.starts_with(['a', 'e', 'i', 'o', 'u']);
            let article = if vowel { "an" } else { "a" };
            let what = format!("it is {article} {}, not a {wanted}", object.kind);
            Err(Failure::usage(format!(
                "reading \"{}\" from standard input: {what}",
                object.name
            ))
            .into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_json_lines_give_the_same_names() {
        assert_eq!(parse("a\n\n b \n", &[]).unwrap(), ["a", "b"]);
        let json =
            "{\"kind\":\"netns\",\"name\":\"a\"}\n{\"kind\":\"netns\",\"name\":\"b\",\"x\":1}\n";
        assert_eq!(parse(json, &["netns"]).unwrap(), ["a", "b"]);
        assert!(parse("", &[]).unwrap().is_empty());
    }

    #[test]
    fn another_kind_is_bad_usage() {
        let refused = parse("{\"kind\":\"link\",\"name\":\"a\"}", &["netns"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "reading \"a\" from standard input: it is a link, not a netns"
        );
        assert_eq!(refused.downcast_ref::<Failure>().unwrap().exit, 2);
    }
}
