//! A plan as a shell script that does the same: `--dry-run`.
//!
//! POSIX sh, tried with dash. Every word goes through [`quote`], since names, labels and an image's environment
//! are hostile text. The steps of a child become texts of their own, which run under `unshare` and wait on a
//! FIFO for "go": see `script_child`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use crate::script_child::Family;
use crate::shell::Line;
use crate::{Lang, Plan, PlanError, Shell, Side, Slots, Value, Vars};

/// One word of sh that stands for exactly this text, whatever is in it. Bytes that are not UTF-8 are kept by
/// way of printf(1).
pub fn quote(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref();
    let Some(utf8) = text.to_str() else {
        let bytes = text.as_bytes().iter();
        let octal = bytes.fold(String::new(), |all, byte| all + &format!("\\{byte:03o}"));
        return format!("\"$(printf '{octal}')\"");
    };
    if is_plain(utf8) {
        return utf8.to_owned();
    }
    format!("'{}'", utf8.replace('\'', r"'\''"))
}

/// The same on one line, for a comment that shows what was typed: a control character is written as in `$'…'` of bash.
pub fn quote_in_line(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref();
    match text.to_str() {
        Some(utf8) if utf8.contains(char::is_control) => {
            let escaped = utf8.chars().map(|c| match c {
                '\n' => "\\n".to_owned(),
                '\t' => "\\t".to_owned(),
                '\'' | '\\' => format!("\\{c}"),
                c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            });
            format!("$'{}'", escaped.collect::<String>())
        }
        _ => quote(text),
    }
}

/// Whether sh takes it as one word as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

/// One word, its long paths by their variables.
pub(crate) fn word(value: &Value, vars: &Vars) -> String {
    match value {
        Value::Lit(text) => match text.to_str() {
            Some(text) if is_plain(text) => vars.shorten(text),
            _ => quote(text),
        },
        Value::Slot(id) => format!("\"${}\"", id.0),
        Value::Cat(parts) => {
            let part = |part: &Value| match part {
                Value::Slot(id) => format!("\"${{{}}}\"", id.0),
                other => word(other, vars),
            };
            parts.iter().map(part).collect()
        }
    }
}

pub(crate) fn words(argv: &[Value], vars: &Vars) -> String {
    let words = argv.iter().map(|value| word(value, vars));
    words.collect::<Vec<_>>().join(" ")
}

/// The lines of one step for a reader, who knows what a document says by where it is written: without texts of many lines,
/// and without what only a script needs to keep two processes in step.
pub(crate) fn brief_lines(lines: &[Line], vars: &Vars) -> Vec<String> {
    let brief = |value: &Value| match value {
        Value::Lit(text) if is_document(text) => Value::from("…"),
        other => other.clone(),
    };
    let all = |argv: &[Value]| argv.iter().map(brief).collect::<Vec<_>>();
    let mut text = String::new();
    for line in lines {
        let line = match line {
            Line::Spawn { argv, .. } => {
                let own = argv.split(|word| matches!(word, Value::Lit(text) if text == "sh"));
                Line::Run(own.take(1).flatten().cloned().collect())
            }
            Line::Exec(program) => {
                let mut argv = vec!["exec".into()];
                argv.extend(all(&program.through));
                argv.extend(all(&program.argv));
                Line::Run(argv)
            }
            Line::Run(argv) => Line::Run(all(argv)),
            Line::Capture { slot, argv } => Line::Capture {
                slot: *slot,
                argv: all(argv),
            },
            Line::Write { path, text } => Line::Write {
                path: path.clone(),
                text: match text {
                    Value::Cat(parts) if parts.iter().map(brief).ne(parts.iter().cloned()) => {
                        "…".into()
                    }
                    text => brief(text),
                },
            },
            other => other.clone(),
        };
        simple_line(&mut text, &line, vars);
    }
    // What the script's child needs to know the variable too.
    let lines = text.lines().filter(|line| !line.starts_with("export "));
    lines.map(str::to_owned).collect()
}

/// A text of several lines, or JSON.
fn is_document(text: &OsStr) -> bool {
    text.as_bytes().contains(&b'\n') || text.as_bytes().starts_with(b"{\"")
}

impl Plan {
    /// The script. Fails only if the plan is malformed.
    pub fn script(&self) -> Result<String, PlanError> {
        self.script_for(Lang::En, &Vars::default())
    }

    /// The same with its comments in a language, and with `vars` for long paths.
    pub fn script_for(&self, lang: Lang, vars: &Vars) -> Result<String, PlanError> {
        self.script_in(lang, vars, None)
    }

    /// The same; `printed` is what a script prints once its child runs in the background, where the script ends then.
    pub fn script_in(
        &self,
        lang: Lang,
        vars: &Vars,
        printed: Option<&str>,
    ) -> Result<String, PlanError> {
        self.check()?;
        let mut family = Family::new(vars, printed);
        // Without a child there is no trap that would undo.
        let undone = self.steps().iter().any(|step| step.side() == Side::Child);
        for (number, step) in (1..).zip(self.steps()) {
            let meta = step.meta();
            let mut text = format!(
                "\n# {number}/{} {}\n",
                self.len(),
                comment(meta.says.text(lang))
            );
            for line in meta.shell.lines() {
                family.line(&mut text, line);
            }
            if matches!(&meta.shell, Shell::Ours(lines) if lines.is_empty()) {
                text.push_str("# (a command of another step does this too)\n");
            }
            if let Shell::None(reason) = &meta.shell {
                let reason = quote(OsStr::new(&format!(
                    "{}: sh cannot do this: {reason}",
                    meta.id
                )));
                let _ = writeln!(text, "echo {reason} >&2");
                text.push_str("[ \"${BOXKIT_PARTIAL:-}\" = 1 ] || { code=3; exit 3; }\n");
            }
            match step.side() {
                Side::Child => family.child.push_str(&text),
                Side::Parent => {
                    family.pass_on(meta.shell.lines());
                    family.parent.push_str(&text);
                    if undone {
                        family.undo_when_done(number, &step.when_done());
                    }
                    family.undo(&step.intent(&Slots::default()));
                }
            }
        }
        Ok(family.finish(&comment(&self.command)))
    }
}

/// One line of sh for everything that is not about the child.
pub(crate) fn simple_line(text: &mut String, line: &Line, vars: &Vars) {
    let words = |argv: &[Value]| words(argv, vars);
    let word = |value: &Value| word(value, vars);
    let _ = match line {
        Line::Run(argv) | Line::Outside(argv) => writeln!(text, "{}", words(argv)),
        Line::Try(argv) => writeln!(text, "{} 2>/dev/null || :", words(argv)),
        Line::Feed { argv, text: fed } => {
            writeln!(text, "printf '%s\\n' {} | {}", word(fed), words(argv))
        }
        Line::Write {
            path,
            text: written,
        } => {
            writeln!(text, "printf '%s\\n' {} >{}", word(written), word(path))
        }
        Line::Capture { slot, argv } => writeln!(text, "{}=$({})\nexport {0}", slot.0, words(argv)),
        Line::Background { slot, argv } => writeln!(text, "{} &\n{}=$!", words(argv), slot.0),
        Line::Check { argv, or } => {
            writeln!(
                text,
                "{} || {{ echo {} >&2; exit 1; }}",
                words(argv),
                quote(OsStr::new(or))
            )
        }
        Line::Spawn { .. } | Line::Exec(_) => Ok(()),
    };
}

/// A comment's text may not end the comment.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_one_word() {
        let texts = [
            "",
            "a b",
            "$(reboot)",
            "it's",
            "`x`",
            "a\nb",
            "*",
            "~",
            "é",
            "-n",
            "a;b",
            "#x",
        ];
        let bytes = [OsStr::from_bytes(b"\xff\xfe")];
        for text in texts.iter().map(OsStr::new).chain(bytes) {
            let script = format!("printf %s {}", quote(text));
            let out = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(out.stdout, text.as_bytes(), "{script}");
        }
    }
}
