//! `--explain`: the list that a learner reads on standard error. A process has one, however many plans it carries out, and
//! whichever of its processes does them: numbers go on from one to the next.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::Instant;

use kit_plan::{Detail, Lang, Part, StepTold, Told, UndoTold, Vars};

use crate::visible;

/// How wide it is at most.
const WIDTH: usize = 100;
/// Number and time, with the blanks between.
const NUMBER: usize = 5;
const TIME: usize = 10;

static LIST: Mutex<Option<List>> = Mutex::new(None);

struct List {
    lang: Lang,
    detail: Detail,
    vars: Vars,
    width: usize,
    colour: bool,
    begun: Instant,
    /// Variables that were explained already.
    defined: Vec<(&'static str, String)>,
    under: Option<(Part, bool)>,
    /// Number, ID, microseconds.
    steps: Vec<(usize, String, u64)>,
    failed: bool,
    undoing: bool,
}

/// What the list says besides the steps.
struct Words {
    inside: &'static str,
    unit: &'static str,
    undone: &'static str,
    hint: &'static str,
    left: &'static str,
    gone: &'static str,
}

const EN: Words = Words {
    inside: "inside the container: ",
    unit: "ms",
    undone: "and this was undone, the last first",
    hint: "hint: ",
    left: "left alone: ",
    gone: "gone already",
};

const ZH: Words = Words {
    inside: "容器内：",
    unit: "ms",
    undone: "随后撤销，后做的先撤",
    hint: "提示：",
    left: "保留：",
    gone: "已经不在",
};

/// Begins the list, or goes on with it.
pub(crate) fn begin(lang: Option<Lang>, detail: Detail, vars: &Vars) {
    let Ok(mut list) = LIST.lock() else { return };
    match list.as_mut() {
        Some(list) => list.vars = vars.clone(),
        None => *list = Some(List::new(lang.unwrap_or_else(Lang::from_env), detail, vars)),
    }
}

/// Says what happened.
pub fn explain(told: &Told) {
    let Ok(mut list) = LIST.lock() else { return };
    if let Some(list) = list.as_mut() {
        let text = list.line(told);
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Ends the list with what all of it took: when the verb is done, or the program that it starts is running.
pub fn explained() {
    let list = LIST.lock().ok().and_then(|mut list| list.take());
    if let Some(list) = list.filter(|list| !list.failed && !list.steps.is_empty()) {
        let _ = std::io::stderr().write_all(list.total().as_bytes());
    }
}

impl List {
    fn new(lang: Lang, detail: Detail, vars: &Vars) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let columns = if terminal {
            rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col.into())
        } else {
            0
        };
        Self {
            lang,
            detail,
            vars: vars.clone(),
            width: if columns < 40 {
                WIDTH
            } else {
                WIDTH.min(columns)
            },
            colour: terminal && !dumb && !set("NO_COLOR"),
            begun: Instant::now(),
            defined: Vec::new(),
            under: None,
            steps: Vec::new(),
            failed: false,
            undoing: false,
        }
    }

    fn words(&self) -> &'static Words {
        match self.lang {
            Lang::En => &EN,
            Lang::Zh => &ZH,
        }
    }

    fn line(&mut self, told: &Told) -> String {
        let mut text = String::new();
        match told {
            Told::Step(step) => self.step(&mut text, step),
            Told::Undone { says, came_to } => {
                let mut line = visible(&self.vars.shorten(says.text(self.lang)));
                // What was taken back took no time that anybody would sum up.
                self.failed = true;
                self.define(&mut text, &line);
                if !std::mem::replace(&mut self.undoing, true) {
                    self.heading(&mut text, self.words().undone);
                }
                let _ = match came_to {
                    UndoTold::Removed => Ok(()),
                    UndoTold::Gone => write!(line, " ({})", self.words().gone),
                    UndoTold::Left(why) => {
                        write!(line, " ({}{})", self.words().left, visible(why))
                    }
                };
                self.wrapped(&mut text, "     ", &line, "");
            }
        }
        text
    }

    fn step(&mut self, text: &mut String, step: &StepTold) {
        // A child that had not heard yet of the failure outside went on: the list ends with the step that failed.
        if self.failed && step.inside {
            return;
        }
        let part = step.says.part;
        let mut says = self.vars.shorten(step.says.text(self.lang));
        self.define(text, &format!("{says} {}", step.lines.join(" ")));
        if self.under != Some((part, step.inside)) {
            self.under = Some((part, step.inside));
            let inside = if step.inside { self.words().inside } else { "" };
            self.heading(text, &format!("{inside}{}", part.text(self.lang)));
        }
        let number = self.steps.len() + 1;
        let indent = if step.inside { "  " } else { "" };
        if let Some(note) = &step.note {
            let _ = write!(says, " ({})", note.text(self.lang));
        }
        let unit = if number == 1 { self.words().unit } else { "  " };
        let took = format!("{} {unit}", milliseconds(step.usec));
        let head = format!("{number:>3}  {indent}");
        self.wrapped(text, &head, &visible(&says), &took);
        let under = " ".repeat(NUMBER + indent.len() + 4);
        for line in &step.lines {
            let _ = writeln!(text, "{}", self.dim(&format!("{under}{}", visible(line))));
        }
        if let Some((cause, hint)) = &step.failed {
            self.failed = true;
            let under = " ".repeat(NUMBER + indent.len());
            let cause = visible(cause);
            let _ = writeln!(text, "{under}{}", self.styled("31", &cause));
            if let Some(hint) = hint {
                let _ = writeln!(text, "{under}{}{}", self.words().hint, visible(hint));
            }
        }
        self.steps.push((number, step.id.clone(), step.usec));
    }

    /// Says what the variables stand for, each once: those of a container on top where commands or calls are listed, since
    /// most of its steps have one, and above what is undone; else before the first line that has one.
    fn define(&mut self, text: &mut String, line: &str) {
        let many = self.failed || !matches!(self.detail, Detail::Steps);
        let needed = if many && self.vars.all().iter().any(|(name, _)| *name == "C") {
            self.vars.all()
        } else {
            self.vars.used(line)
        };
        for pair in needed {
            if !self.defined.contains(&pair) {
                let _ = writeln!(text, "${} = {}", pair.0, pair.1);
                self.defined.push(pair);
            }
        }
    }

    fn heading(&self, text: &mut String, heading: &str) {
        let _ = writeln!(text, "{}", self.styled("1", heading));
    }

    /// `words` after `head`, on as many lines as they take, and `took` at the right edge of the first.
    fn wrapped(&self, text: &mut String, head: &str, words: &str, took: &str) {
        let room = self.width.saturating_sub(head.len() + TIME).max(20);
        let mut lines = wrap(words, room).into_iter();
        let first = lines.next().unwrap_or_default();
        if took.is_empty() {
            let _ = writeln!(text, "{head}{first}");
        } else {
            let blanks = " ".repeat((self.width - TIME).saturating_sub(head.len() + width(&first)));
            // A Chinese unit is two letters of double width, or the blanks in its place.
            let pad = " ".repeat(TIME.saturating_sub(width(took)));
            let line = self.dim(&format!("{pad}{took}"));
            let _ = writeln!(
                text,
                "{}",
                format!("{head}{first}{blanks}{line}").trim_end()
            );
        }
        for line in lines {
            let _ = writeln!(text, "{}{line}", " ".repeat(head.len()));
        }
    }

    fn total(&self) -> String {
        let count = self.steps.len();
        let all = milliseconds(self.begun.elapsed().as_micros() as u64);
        let mut longest: Vec<_> = self.steps.iter().collect();
        longest.sort_by_key(|(_, _, usec)| std::cmp::Reverse(*usec));
        longest.truncate(3);
        let each: Vec<String> = longest
            .iter()
            .map(|(number, id, usec)| format!("{number} {id} {}", milliseconds(*usec)))
            .collect();
        let each = each.join(", ");
        match (self.lang, count) {
            (Lang::En, 1) => format!("1 step, {all} ms.\n"),
            (Lang::En, _) => format!(
                "{count} steps, {all} ms. The longest: {each}.\n{}",
                self.others()
            ),
            (Lang::Zh, 1) => format!("1 步，{all} 毫秒。\n"),
            (Lang::Zh, _) => format!(
                "{count} 步，{all} 毫秒。最久的：{each}。\n{}",
                self.others()
            ),
        }
    }

    /// The other forms of the same.
    fn others(&self) -> &'static str {
        match (self.detail, self.lang) {
            (Detail::Steps, Lang::En) => {
                "With the tools' commands: --explain=sh. With the system calls: --explain=calls. A script: --dry-run.\n"
            }
            (Detail::Steps, Lang::Zh) => {
                "工具的命令：--explain=sh。系统调用：--explain=calls。脚本：--dry-run。\n"
            }
            _ => "",
        }
    }

    fn dim(&self, text: &str) -> String {
        self.styled("2", text)
    }

    fn styled(&self, style: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn milliseconds(usec: u64) -> String {
    format!("{}.{}", usec / 1000, usec % 1000 / 100)
}

/// Columns that a text takes in a terminal: a letter of East Asia's takes two.
fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6)
    };
    text.chars().map(|c| 1 + usize::from(wide(c))).sum()
}

/// Lines of at most `room` columns, cut at blanks, or beside a wide letter; a longer word has a line of its own.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = piece(rest);
        let (next, after) = rest.split_at(end);
        if width(&line) + width(next.trim_end()) > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        line.push_str(next);
        rest = after;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Where the first piece that is not cut ends: a word and the blanks after it, or a wide letter.
fn piece(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        let Some((at, next)) = chars.peek().copied() else {
            break;
        };
        let is_wide = |c: char| width(c.encode_utf8(&mut [0; 4])) == 2;
        let stays = next == ' ' || "，。：；、）".contains(next);
        if (c == ' ' && next != ' ') || ((is_wide(c) || is_wide(next)) && !stays && c != '（') {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_blanks_and_beside_wide_letters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(
            wrap("a-word-longer-than-that b", 8),
            ["a-word-longer-than-that", "b"]
        );
        assert_eq!(wrap("挂载 /proc：只见", 10), ["挂载", "/proc：只", "见"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
