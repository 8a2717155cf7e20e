//! The half of a script that is about a child.
//!
//! The child runs in three stages: `$child` under `unshare`, which tells its PID, waits for "go" and mounts;
//! then a command that gives up privileges (it lives in the host's root, so it must come before the pivot);
//! then `$program`, made of builtins alone, which says "ready", waits while the parent does the steps that need
//! the host's tools from outside, and becomes the program. If the parent dies, a `read` meets the end of file
//! and the child ends.

use std::ffi::OsStr;
use std::fmt::Write;

use crate::script::{quote, simple_line, word, words};
use crate::shell::{Line, Program};
use crate::{Undo, Value, Vars};

/// What belongs to the parent, to the child, and between the two.
#[derive(Default)]
pub(crate) struct Family {
    vars: Vars,
    pub parent: String,
    pub child: String,
    outside: String,
    program: String,
    /// Where the child's PID is, once it is started.
    spawned: Option<&'static str>,
    /// Slots that the parent fills after the clone: told with "go".
    late: Vec<&'static str>,
    /// Printed once the child runs, which is in the background then.
    printed: Option<String>,
    /// Last first: what the script's trap undoes.
    undo: Vec<String>,
}

/// Exits as a shell does that was ended by the signal.
const TRAPS: &str = "trap cleanup EXIT\ntrap 'code=129; exit' HUP\ntrap 'code=130; exit' INT\ntrap 'code=143; exit' TERM\n";

/// `/proc` is still the host's, so what the child reads there is its PID as the host sees it.
const CHILD_HEAD: &str =
    "set -eu\nread -r pid _ </proc/self/stat\necho \"$pid\" >&5\nread -r _ <&6 || exit 125\n";

const PROGRAM_HEAD: &str = "set -eu\necho ready >&5\nread -r _ <&6 || exit 125\n";

const WAIT: &str = "\n# go; then wait for the program\necho go >&9\n";

impl Family {
    pub fn new(vars: &Vars, printed: Option<&str>) -> Self {
        Self {
            vars: vars.clone(),
            printed: printed.map(str::to_owned),
            ..Self::default()
        }
    }

    pub fn line(&mut self, text: &mut String, line: &Line) {
        match line {
            Line::Spawn { slot, argv } => {
                self.spawned = Some(slot.0);
                let streams = match self.printed {
                    // Its output would go to the log that a monitor writes.
                    Some(_) => "</dev/null >/dev/null 2>&1 7>&-",
                    None => "<&3",
                };
                spawn(text, (slot.0, streams), &words(argv, &self.vars));
            }
            Line::Exec(program) => self.exec(text, program),
            Line::Outside(_) => simple_line(&mut self.outside, line, &self.vars),
            other => simple_line(text, other, &self.vars),
        }
    }

    /// Notes what the lines of a parent's step fill that the child, which is there already, may read.
    pub fn pass_on(&mut self, lines: &[Line]) {
        let filled = lines.iter().filter_map(|line| match line {
            Line::Capture { slot, .. } | Line::Background { slot, .. } => Some(slot.0),
            _ => None,
        });
        if self.spawned.is_some() {
            self.late.extend(filled);
        }
    }

    fn exec(&mut self, text: &mut String, program: &Program) {
        let path = "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        let _ = writeln!(
            text,
            "exec {path} {} sh -c \"$program\" program",
            words(&program.through, &self.vars)
        );
        let mut own = String::from(PROGRAM_HEAD);
        let _ = writeln!(
            own,
            "cd {}\nunset PWD OLDPWD",
            quote(program.cwd.as_os_str())
        );
        for pair in &program.env {
            let _ = writeln!(own, "export {}", quote(pair));
        }
        if let Some(umask) = program.umask {
            let _ = writeln!(own, "umask {umask:04o}");
        }
        let stdin = if program.stdin { "" } else { " </dev/null" };
        // The environment is the program's by now: no variable of the script's is in it.
        let _ = writeln!(
            own,
            "exec {}{stdin} 5>&- 6<&-",
            words(&program.argv, &Vars::default())
        );
        self.program = own;
    }

    /// Whatever came of the step.
    pub fn undo(&mut self, undo: &[Undo]) {
        self.undo_if("", undo);
    }

    /// Only if the step came to its end.
    pub fn undo_when_done(&mut self, number: usize, undo: &[Undo]) {
        if !undo.is_empty() {
            let _ = writeln!(self.parent, "done{number}=yes");
            self.undo_if(&format!("[ -z \"${{done{number}:-}}\" ] || "), undo);
        }
    }

    fn undo_if(&mut self, condition: &str, undo: &[Undo]) {
        let line = |undo: &Undo| {
            let at = |path: &std::path::Path| word(&Value::from(path), &self.vars);
            Some(match undo {
                Undo::Unmount { path, .. } => format!("umount -l {}", at(path)),
                Undo::Cgroup { path, .. } | Undo::Rmdir { path, .. } => {
                    format!("rmdir {}", at(path))
                }
                Undo::Unlink { path, .. } => format!("rm -f {}", at(path)),
                Undo::Tree { path, .. } => format!("rm -rf {}", at(path)),
                Undo::Link {
                    netns: None, name, ..
                } => format!("ip link del {}", quote(OsStr::new(name))),
                Undo::NftElement {
                    netns: None,
                    family,
                    table,
                    map,
                    text: Some(key),
                    ..
                } => {
                    let element = quote(OsStr::new(&format!("{{ {key} }}")));
                    format!(
                        "nft delete element {} {table} {map} {element}",
                        family.name()
                    )
                }
                // It prints what it deletes, and the script's output is the program's.
                Undo::Flows {
                    netns: None,
                    ip,
                    port,
                } => {
                    let to = ip.map(|ip| format!(" --orig-dst {ip}")).unwrap_or_default();
                    format!("conntrack -D -p udp{to} --orig-port-dst {port} >/dev/null")
                }
                _ => return None,
            })
        };
        // The last first, as the journal undoes them.
        for line in undo.iter().filter_map(line) {
            self.undo
                .insert(0, format!("    {condition}{line} 2>/dev/null\n"));
        }
    }

    /// The variables that `text` uses, for it and for the child.
    fn defined(&self, text: &str) -> String {
        let lines = self.vars.definitions(text);
        let names = lines.iter().filter_map(|line| line.split('=').next());
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return String::new();
        }
        format!("{}\nexport {}\n", lines.join("\n"), names.join(" "))
    }

    pub fn finish(self, command: &str) -> String {
        let Some(pid) = self.spawned else {
            let defined = self.defined(&self.parent);
            return format!("#!/bin/sh\n# {command}\nset -eu\n{defined}{}", self.parent);
        };
        let tell = |slot: &&str| format!("printf '%s\\n' \"${slot}\" >&9\n");
        let hear = |slot: &&str| format!("IFS= read -r {slot} <&6 || exit 125\nexport {slot}\n");
        let told: String = self.late.iter().map(tell).collect();
        let heard: String = self.late.iter().map(hear).collect();
        let between = if self.outside.is_empty() {
            String::new()
        } else {
            let or = "{ wait \"$job\" || code=$?; exit; }";
            format!("read -r _ <&8 || {or}\n{}echo go >&9\n", self.outside)
        };
        let cleanup = format!(
            "job= {pid}= code=125 fifo=$(mktemp -d)\ncleanup() {{\n    trap '' INT TERM HUP\n    set +e\n\
             \x20   if [ -n \"$job\" ]; then kill -KILL \"${{{pid}:-$job}}\" 2>/dev/null; wait \"$job\" 2>/dev/null; fi\n\
             {}    rm -rf \"$fifo\"\n    exit \"$code\"\n}}\n{TRAPS}",
            self.undo.concat(),
        );
        let defined = self.defined(
            &[&self.child, &cleanup, &self.parent, &between]
                .map(String::as_str)
                .concat(),
        );
        let head = format!("#!/bin/sh\n# {command}\nset -eu\n");
        let (from, started) = match &self.printed {
            Some(id) => (
                "exec 7>&1 >/dev/null\n",
                format!("echo {} >&7\nexec 7>&- 2>/dev/null\n", quote(id)),
            ),
            None => ("", String::new()),
        };
        let body = format!(
            "{from}umask 022\n{defined}{}{}export program\n{cleanup}{}{WAIT}{told}{between}exec 8<&- 9>&-\n{started}\
             code=0; wait \"$job\" || code=$?\njob=\n",
            variable("child", &format!("{CHILD_HEAD}{heard}{}", self.child)),
            variable("program", &self.program),
            self.parent,
        );
        if self.printed.is_none() {
            return head + &body;
        }
        // The end of file comes once the child runs, or the script has failed.
        format!(
            "{head}{}printed=$(setsid sh -c \"$script\" script </dev/null &)\n[ -n \"$printed\" ] || exit 125\nprintf '%s\\n' \"$printed\"\n",
            variable("script", &format!("set -eu\n{body}")),
        )
    }
}

/// A background job of sh has no standard input and ignores INT and QUIT: both are given back. Opening a FIFO
/// waits for its other side, so both sides open them in the same order.
fn spawn(text: &mut String, (slot, streams): (&str, &str), command: &str) {
    let _ = write!(
        text,
        "mkfifo -m 600 \"$fifo/said\" \"$fifo/go\"\nexec 3<&0\n\
         env --default-signal=INT,QUIT {command} sh -c \"$child\" child {streams} 3<&- 5>\"$fifo/said\" 6<\"$fifo/go\" &\n\
         job=$!\nexec 3<&- 8<\"$fifo/said\" 9>\"$fifo/go\"\n\
         read -r {slot} <&8 || {{ wait \"$job\" || code=$?; exit; }}\nexport {slot}\n",
    );
}

/// `name` with exactly this text. The delimiter is one that is no line of it.
fn variable(name: &str, text: &str) -> String {
    let mut end = format!("END_{}", name.to_uppercase());
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("{name}=$(cat <<'{end}'\n{text}{end}\n)\n")
}
