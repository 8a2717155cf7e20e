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
use crate::{Plan, PlanError, Shell, Side, Slots, Value};

/// One word of sh that stands for exactly this text, whatever is in it. Bytes that are not UTF-8 are kept by
/// way of printf(1).
pub fn quote(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref();
    let Some(utf8) = text.to_str() else {
        let bytes = text.as_bytes().iter();
        let octal = bytes.fold(String::new(), |all, byte| all + &format!("\\{byte:03o}"));
        return format!("\"$(printf '{octal}')\"");
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !utf8.is_empty() && utf8.chars().all(plain) {
        return utf8.to_owned();
    }
    format!("'{}'", utf8.replace('\'', r"'\''"))
}

pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Lit(text) => quote(text),
        Value::Slot(id) => format!("\"${}\"", id.0),
        Value::Cat(parts) => {
            let part = |part: &Value| match part {
                Value::Slot(id) => format!("\"${{{}}}\"", id.0),
                other => word(other),
            };
            parts.iter().map(part).collect()
        }
    }
}

pub(crate) fn words(argv: &[Value]) -> String {
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The lines of one step, as `--explain` shows them.
pub fn shell_text(shell: &Shell) -> String {
    let mut family = Family::default();
    let mut text = String::new();
    for line in shell.lines() {
        family.line(&mut text, line);
    }
    family.explained() + &text
}

impl Plan {
    /// The script. Fails only if the plan is malformed.
    pub fn script(&self) -> Result<String, PlanError> {
        self.check()?;
        let mut family = Family::default();
        // Without a child there is no trap that would undo.
        let undone = self.steps().iter().any(|step| step.side() == Side::Child);
        for (number, step) in (1..).zip(self.steps()) {
            let meta = step.meta();
            let mut text = format!("\n# {number}/{} {}\n", self.len(), comment(&meta.why));
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
pub(crate) fn simple_line(text: &mut String, line: &Line) {
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
