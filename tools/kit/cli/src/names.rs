//! Names on the command line, and with `-` on standard input: one a line, or the JSON of another command.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use kit_plan::os_text::OsText;
use serde::Deserialize;

use crate::{Failure, Result};

/// What an array may hold: objects of ours, or names, as jq makes them of those.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Name(String),
    Object(Object),
}

#[derive(Deserialize)]
struct Object {
    kind: String,
    name: OsText,
}

/// The names meant by `args`. A `-` stands for those on standard input, which may be JSON Lines, or a JSON array, whose
/// `kind` is one of `kinds`; another kind is bad usage, before anything is done.
pub fn names(args: &[String], kinds: &[&str]) -> Result<Vec<String>> {
    let text = |name: OsString| {
        name.into_string().map_err(|name| {
            Failure::usage(format!(
                "reading name {name:?} from standard input: it is not UTF-8"
            ))
        })
    };
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    os_names(&args, kinds)?.into_iter().map(text).collect()
}

/// As [`names`], of names that need not be UTF-8: paths.
pub fn os_names(args: &[OsString], kinds: &[&str]) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    for arg in args {
        if arg == "-" {
            let mut text = Vec::new();
            std::io::stdin()
                .read_to_end(&mut text)
                .map_err(|e| Failure::doing("reading names from standard input", e))?;
            names.extend(parse(&text, kinds)?);
        } else {
            names.push(arg.clone());
        }
    }
    Ok(names)
}

/// What went wrong with several things, each told on standard error as the next comes, the last by returning it.
#[derive(Debug, Default)]
pub struct Failures {
    last: Option<Failure>,
    interrupted: bool,
}

impl Failures {
    /// One more. That nobody reads our output is none.
    pub fn add(&mut self, error: impl Into<Failure>) {
        let error = error.into();
        if error.is_closed_pipe() {
            return;
        }
        self.interrupted |= error.is_interruption();
        if let Some(earlier) = self.last.replace(error) {
            crate::run::report(&earlier);
        }
    }

    /// Somebody asked to stop: nothing more is to be begun.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// What the command returns.
    pub fn end(self) -> Result {
        self.last.map_or(Ok(0), Err)
    }
}

/// Does one thing to each name, going on past a failure, and where nobody reads what it prints; but no further than an
/// interruption. Reports all: each but the last failure on standard error at once, the last by returning it.
pub fn each(names: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result {
    let mut failures = Failures::default();
    for name in names {
        if let Err(error) = act(name) {
            failures.add(error);
        }
        if failures.is_interrupted() {
            break;
        }
    }
    failures.end()
}

/// Refuses what is another's and came by a list, which is easily one of all there is: `doing` says what to which object,
/// `reason` whose it is.
pub fn refuse_listed(theirs: Option<(String, String)>) -> Result<()> {
    let Some((doing, reason)) = theirs else {
        return Ok(());
    };
    let hint = "leave it out of the list, or --all-owners deletes what others made too";
    Err(Failure::usage(format!("{doing} from a list: {reason}")).hint(hint))
}

/// Refuses the words of a table's head, piped or pasted where names belong, before anything is done: `NAME` of
/// `rnetns list | rnetns del -`, `CONTAINER ID` of `rrun rm $(rrun ps -a)`. `list` prints names alone, and `is_there` says
/// whether something is called so after all.
pub fn refuse_heads(
    names: &[String],
    head: &[&str],
    list: &str,
    is_there: impl Fn(&str) -> bool,
) -> Result<()> {
    let of_head = |word: &str| {
        head.iter()
            .any(|cell| cell.split(' ').any(|part| part == word))
    };
    let is_head = |name: &&String| {
        let mut words = name.split_whitespace().peekable();
        words.peek().is_some() && words.all(of_head) && !is_there(name)
    };
    match names.iter().find(is_head) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(format!(
            "reading names: \"{name}\" is the head of a table, not a name"
        ))
        .hint(format!("{list} prints the names alone"))),
    }
}

fn parse(text: &[u8], kinds: &[&str]) -> Result<Vec<OsString>> {
    let Some(objects) = objects(text) else {
        // As they are: a name may begin or end with a blank.
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines = lines.filter(|line| !line.is_empty());
        let names = lines.map(|line| OsStr::from_bytes(line).to_owned());
        return Ok(names.collect());
    };
    let objects =
        objects.map_err(|e| Failure::usage(format!("reading names from standard input: {e}")))?;
    let name = |listed: Listed| {
        let object = match listed {
            Listed::Name(name) => return Ok(OsString::from(name)),
            Listed::Object(object) => object,
        };
        if kinds.contains(&object.kind.as_str()) {
            return Ok(object.name.0);
        }
        let wanted = kinds.join(" or ");
        let vowel = object.kind.starts_with(['a', 'e', 'i', 'o', 'u']);
        let article = if vowel { "an" } else { "a" };
        let what = format!("it is {article} {}, not a {wanted}", object.kind);
        Err(Failure::usage(format!(
            "reading \"{}\" from standard input: {what}",
            object.name.0.display()
        )))
    };
    objects.into_iter().map(name).collect()
}

/// The objects of JSON Lines (`--jsonl`, or jq's, indented), or of an array of them (`--json`) or of names; `None` for names
/// in lines.
fn objects(text: &[u8]) -> Option<serde_json::Result<Vec<Listed>>> {
    let text = text.trim_ascii_start();
    let array = text.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    if text.starts_with(b"{") {
        let objects = serde_json::Deserializer::from_slice(text).into_iter();
        Some(objects.collect())
    } else if array.is_some_and(|rest| matches!(rest.first(), Some(b'{' | b'"' | b']'))) {
        Some(serde_json::from_slice(text))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use kit_plan::PlanError;

    use super::*;
    use crate::ClosedPipe;

    #[test]
    fn lines_and_json_lines_give_the_same_names() {
        assert_eq!(parse(b"a\n\n b \r\n", &[]).unwrap(), ["a", " b "]);
        let json =
            "{\"kind\":\"netns\",\"name\":\"a\"}\n{\"kind\":\"netns\",\"name\":\"b\",\"x\":1}\n";
        assert_eq!(parse(json.as_bytes(), &["netns"]).unwrap(), ["a", "b"]);
        assert!(parse(b"", &[]).unwrap().is_empty());
    }

    #[test]
    fn an_array_is_read_as_json_lines_are() {
        let array = "[\n  {\n    \"kind\": \"netns\",\n    \"name\": \"a\"\n  },\n {\"kind\":\"netns\",\"name\":\"[\"}]\n";
        assert_eq!(parse(array.as_bytes(), &["netns"]).unwrap(), ["a", "["]);
        assert!(parse(b"[]\n", &["netns"]).unwrap().is_empty());
        // What jq prints without -c.
        let indented = "{\n  \"kind\": \"netns\",\n  \"name\": \"a\"\n}\n";
        assert_eq!(parse(indented.as_bytes(), &["netns"]).unwrap(), ["a"]);
        assert_eq!(parse(b"[a]\n", &["netns"]).unwrap(), ["[a]"]);
        // Of `jq '[.[].name]'`.
        let names = "[\n  \"a\",\n  \"b c\"\n]\n";
        assert_eq!(parse(names.as_bytes(), &["netns"]).unwrap(), ["a", "b c"]);
        let cut = parse(b"[\n  {\"kind\":\"netns\"", &["netns"]).unwrap_err();
        assert_eq!(cut.get_exit(), 2);
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_its_bytes() {
        let odd = OsStr::from_bytes(b"/a\xff");
        assert_eq!(parse(b"/a\xff\n", &[]).unwrap(), [odd]);
        let json = br#"{"kind":"mount","name":[47,97,255]}"#;
        assert_eq!(parse(json, &["mount"]).unwrap(), [odd]);
    }

    #[test]
    fn the_head_of_a_table_is_no_name() {
        let head = ["CONTAINER ID", "IMAGE", "NAMES"];
        let refused = |names: &[&str], there: &str| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            refuse_heads(&names, &head, "rrun ps -q", |name| name == there).err()
        };
        let said = refused(&["web", "ID"], "").unwrap();
        assert_eq!(
            (
                said.to_string().as_str(),
                said.get_exit(),
                said.get_hint().as_deref()
            ),
            (
                "reading names: \"ID\" is the head of a table, not a name",
                2,
                Some("rrun ps -q prints the names alone")
            )
        );
        assert!(refused(&["CONTAINER ID   IMAGE   NAMES"], "").is_some());
        assert!(refused(&["IMAGE"], "IMAGE").is_none());
        assert!(refused(&["web", "", "IMAGES"], "").is_none());
    }

    #[test]
    fn many_go_on_past_a_failure_and_a_closed_pipe_but_not_past_an_interruption() {
        let stopped = || PlanError::Stopped {
            why: "interrupted".to_owned(),
            signal: Some(2),
            left: Vec::new(),
        };
        let names = ["fails", "unread", "done", "stops", "never"].map(str::to_owned);
        let mut seen = Vec::new();
        let outcome = each(&names, |name| {
            seen.push(name.to_owned());
            match name {
                "fails" => Err(Failure::new("failed")),
                "unread" => Err(ClosedPipe.into()),
                "stops" => Err(stopped().into()),
                _ => Ok(()),
            }
        });
        assert_eq!(seen, names[..4]);
        assert_eq!(outcome.unwrap_err().to_string(), "interrupted");
        assert_eq!(each(&names[1..3], |_| Err(ClosedPipe.into())).unwrap(), 0);
    }

    #[test]
    fn another_kind_is_bad_usage() {
        let refused = parse(b"{\"kind\":\"link\",\"name\":\"a\"}", &["netns"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "reading \"a\" from standard input: it is a link, not a netns"
        );
        assert_eq!(refused.get_exit(), 2);
    }
}
