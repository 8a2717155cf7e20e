//! One side of a row: what is timed, and what is done around it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, which};
use crate::rows::{Row, Unit};

/// Scripts are for sh, in the row's directory. The words `{dir}` and so on are the place's.
pub struct Side {
    pub name: &'static str,
    /// Programs without which this side is left out.
    pub needs: &'static [&'static str],
    /// Once, before the first round.
    pub setup: &'static str,
    /// Before and after each time, untimed.
    pub before: &'static str,
    pub after: &'static str,
    /// Commands of plain words, run one after the other and timed as one; `<FILE` is standard input and `>FILE`
    /// standard output. Where the row's unit is no time, a script that prints the figure.
    pub timed: &'static [&'static str],
    /// Once, at the end.
    pub clean: &'static str,
}

impl Side {
    /// A side that prepares nothing.
    pub const fn new(name: &'static str, timed: &'static [&'static str]) -> Self {
        Self {
            name,
            needs: &[],
            setup: "",
            before: "",
            after: "",
            timed,
            clean: "",
        }
    }
}

/// The first of these programs that is not installed.
pub fn missing(programs: &[&'static str]) -> Option<&'static str> {
    programs.iter().copied().find(|name| which(name).is_none())
}

/// A side that is ready to be timed.
pub struct Running<'a> {
    place: &'a Place,
    side: &'a Side,
    unit: Unit,
    timed: Vec<Line>,
}

struct Line {
    program: PathBuf,
    words: Vec<String>,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
}

impl<'a> Running<'a> {
    pub fn new(place: &'a Place, row: &'a Row, side: &'a Side) -> Result<Self, String> {
        // The row's setup is for our side, and what it makes is there for the peers.
        if std::ptr::eq(side, &raw const row.ours) {
            place.sh(row.setup)?;
        }
        place.sh(side.setup)?;
        // A figure that is no time is printed by a script.
        let lines: &[&str] = if row.unit == Unit::Ms {
            side.timed
        } else {
            &[]
        };
        let timed: Result<Vec<Line>, String> =
            lines.iter().map(|text| Line::new(place, text)).collect();
        Ok(Self {
            place,
            side,
            unit: row.unit,
            timed: timed?,
        })
    }

    pub fn name(&self) -> &'static str {
        self.side.name
    }

    pub fn is_timed(&self) -> bool {
        self.unit == Unit::Ms
    }

    /// One figure, in the row's unit.
    pub fn once(&self, idle: Duration) -> Result<f64, String> {
        if let Err(reason) = self.place.sh(self.side.before) {
            let _ = self.place.sh(self.side.after);
            return Err(reason);
        }
        let figure = self.figure(idle);
        // A failure leaves nothing either, and is what is reported.
        let after = self.place.sh(self.side.after);
        let figure = figure?;
        after?;
        Ok(figure)
    }

    fn figure(&self, idle: Duration) -> Result<f64, String> {
        if self.unit == Unit::Ms {
            let mut commands = Vec::new();
            for line in &self.timed {
                commands.push(line.command(self.place)?);
            }
            std::thread::sleep(idle);
            let begun = Instant::now();
            for command in &mut commands {
                run(command)?;
            }
            return Ok(begun.elapsed().as_secs_f64() * 1e3);
        }
        let printed = self.place.printed(&self.side.timed.join("\n"))?;
        printed
            .parse()
            .map_err(|_| format!("{}: no number but {printed:?}", self.side.name))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Err(reason) = self.place.sh(self.side.clean) {
            eprintln!("bench: clearing away: {reason}");
        }
    }
}

impl Line {
    fn new(place: &Place, text: &str) -> Result<Self, String> {
        let filled = place.fill(text);
        let (mut words, mut input, mut output) = (Vec::new(), None, None);
        for word in filled.split_whitespace() {
            if let Some(file) = word.strip_prefix('<') {
                input = Some(PathBuf::from(file));
            } else if let Some(file) = word.strip_prefix('>') {
                output = Some(PathBuf::from(file));
            } else {
                words.push(word.to_owned());
            }
        }
        let program = place.program(&words.remove(0))?;
        Ok(Self {
            program,
            words,
            input,
            output,
        })
    }

    fn text(&self) -> String {
        format!("{} {}", self.program.display(), self.words.join(" "))
    }

    /// Everything is opened, so that what is timed is the command alone.
    fn command(&self, place: &Place) -> Result<Command, String> {
        let failed = |error| format!("{}: {error}", self.text());
        let mut command = Command::new(&self.program);
        command.args(&self.words).envs(place.env());
        command.current_dir(place.path());
        command.stdin(match &self.input {
            Some(file) => File::open(file).map_err(failed)?.into(),
            None => Stdio::null(),
        });
        command.stdout(match &self.output {
            Some(file) => File::create(file).map_err(failed)?.into(),
            None => Stdio::null(),
        });
        Ok(command)
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{status}: {command:?}")),
        Err(error) => Err(format!("{error}: {command:?}")),
    }
}
