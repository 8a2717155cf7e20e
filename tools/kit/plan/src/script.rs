//! A plan as a shell script that does the same: `--dry-run`.
//!
//! POSIX sh. Every word goes through [`quote`], since names, labels and an image's environment are hostile
//! text. A child's steps become a script of its own, run under `unshare`, that waits on a FIFO for "go".

use std::ffi::OsStr;
use std::fmt::Write;

use crate::shell::Line;
use crate::{Plan, PlanError, Shell, Side, Step, Value};

/// One word of sh that stands for exactly this text, whatever is in it.
pub fn quote(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn word(value: &Value) -> String {
    match value {
        Value::Lit(text) => quote(text),
        Value::Slot(id) => format!("\"${}\"", id.0),
        Value::Cat(parts) => parts
            .iter()
            .map(|part| match part {
                Value::Slot(id) => format!("\"${{{}}}\"", id.0),
                other => word(other),
            })
            .collect(),
    }
}

fn words(argv: &[Value]) -> String {
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Lines of the parent's, and, once a child is started, the text of the child's own script.
#[derive(Default)]
struct Script {
    parent: String,
    child: String,
    spawned: bool,
    /// The child's steps were let go already.
    gone: bool,
}

const HEAD: &str = "#!/bin/sh\nset -eu\n";

/// The last line of a script with a child: its exit code becomes the script's.
const WAIT: &str = "wait \"$child\"\n";

impl Plan {
    /// The script. Fails only if the plan is malformed.
    pub fn script(&self) -> Result<String, PlanError> {
        self.check()?;
        let mut script = Script::default();
        for (number, step) in (1..).zip(self.steps()) {
            script.step(number, self.len(), step.as_ref());
        }
        Ok(script.finish(&self.command))
    }
}

impl Script {
    fn step(&mut self, number: usize, total: usize, step: &dyn Step) {
        let meta = step.meta();
        let mut text = format!("\n# {number}/{total} {}\n", comment(&meta.why));
        match &meta.shell {
            Shell::Exact(lines) | Shell::Ours(lines) => {
                for line in lines {
                    self.line(&mut text, line);
                }
            }
            Shell::None(reason) => {
                let reason = quote(OsStr::new(&format!(
                    "{}: no such thing in sh: {reason}",
                    meta.id
                )));
                let _ = writeln!(text, "echo {reason} >&2");
                text.push_str("[ \"${BOXKIT_PARTIAL:-}\" = 1 ] || exit 3\n");
            }
        }
        match meta.side {
            Side::Child => self.child.push_str(&text),
            Side::Parent => {
                // The child's steps come between two of the parent's: let it run before this one.
                if !self.child.is_empty() {
                    self.let_go();
                }
                self.parent.push_str(&text);
            }
        }
    }

    fn let_go(&mut self) {
        if self.spawned && !self.gone {
            self.gone = true;
            self.parent
                .push_str("\n# the child's steps run now\necho go >\"$fifo/go\"\n");
        }
    }

    fn line(&mut self, text: &mut String, line: &Line) {
        let _ = match line {
            Line::Run(argv) => writeln!(text, "{}", words(argv)),
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
            Line::Capture { slot, argv } => {
                writeln!(text, "{}=$({})\nexport {0}", slot.0, words(argv))
            }
            Line::Background { slot, argv } => writeln!(text, "{} &\n{}=$!", words(argv), slot.0),
            Line::Spawn { slot, argv } => {
                self.spawned = true;
                write!(
                    text,
                    "mkfifo \"$fifo/pid\" \"$fifo/go\"\n{} sh \"$fifo/child\" &\nchild=$!\n\
                     read -r {slot} <\"$fifo/pid\"\nexport {slot}\n",
                    words(argv),
                    slot = slot.0,
                )
            }
            Line::Exec { argv, env } => {
                let env: Vec<String> = env
                    .iter()
                    .map(|(key, value)| {
                        let mut pair = key.clone();
                        pair.push("=");
                        pair.push(value);
                        quote(&pair)
                    })
                    .collect();
                writeln!(text, "exec env -i {} {}", env.join(" "), words(argv))
            }
            Line::Check { argv, or } => {
                writeln!(
                    text,
                    "{} || {{ echo {} >&2; exit 1; }}",
                    words(argv),
                    quote(OsStr::new(or))
                )
            }
        };
    }

    fn finish(mut self, command: &str) -> String {
        if !self.spawned {
            return format!("{HEAD}# {}\n{}", comment(command), self.parent);
        }
        self.let_go();
        // The whole is one compound command, so that `… --dry-run | sh` has read it before the program of
        // the container reads the same standard input.
        format!(
            "{HEAD}# {}\n{{\nfifo=$(mktemp -d)\ntrap 'rm -rf \"$fifo\"' EXIT\n\
             cat >\"$fifo/child\" <<'END_OF_CHILD'\n{CHILD_HEAD}{}END_OF_CHILD\n{}{WAIT}exit\n}}\n",
            comment(command),
            self.child,
            self.parent,
        )
    }
}

/// The first lines of the child's script: it tells its PID as the host sees it (its /proc is still the
/// host's), and waits. If the parent dies, `read` meets the end of file and the child ends.
const CHILD_HEAD: &str = "set -eu\nread -r self _ </proc/self/stat\necho \"$self\" >\"$fifo/pid\"\n\
                          read -r go <\"$fifo/go\"\n";

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
        for text in [
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
        ] {
            let script = format!("printf %s {}", quote(OsStr::new(text)));
            let out = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(out.stdout).unwrap(), text, "{script}");
        }
    }
}
