//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::round::Pace;

/// Time our commands beside their peers, run by run in turn, and print the ratios
#[derive(Parser)]
#[command(name = "bench")]
pub struct Args {
    /// Rows to take: a part of a row's name, or a pattern with *; without one, all
    pub rows: Vec<String>,
    /// List the rows and stop
    #[arg(long)]
    pub list: bool,
    /// Rounds of each row; without it 25, 15 of what takes over a second
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: Option<u32>,
    /// Only back to back, or only after 0.1 s of idle
    #[arg(long, value_name = "warm|cold")]
    pub pace: Option<Pace>,
    /// Compare with another build of ours, in BINDIR, and with no peer
    #[arg(long, value_name = "BINDIR")]
    pub against: Option<PathBuf>,
    /// Print everything as JSON, with each single figure
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print the README's table, with the date and the machine; =zh in Chinese
    #[arg(long, value_name = "LANGUAGE", num_args = 0..=1, require_equals = true, default_missing_value = "en")]
    pub markdown: Option<String>,
    /// Print what --json printed earlier, and measure nothing
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Our commands
    #[arg(long, value_name = "BINDIR", default_value = "target/release")]
    pub bins: PathBuf,
    /// A directory on the disk
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub disk: PathBuf,
    /// A directory on a tmpfs
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub memory: PathBuf,
    /// Where the big image is kept between two calls
    #[arg(long, value_name = "DIR", default_value = "target/bench-image")]
    pub cache: PathBuf,
    /// Something to tell about the machine, NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    pub fact: Vec<String>,
    /// What cargo bench says to a bench
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Args {
    /// Whether a row of this name was asked for.
    pub fn names(&self, id: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|pattern| matches(pattern, id))
    }

    pub fn takes(&self, pace: Pace) -> bool {
        self.pace.is_none_or(|wanted| wanted == pace)
    }
}

/// A part of the name; with a star, the whole name by its pieces.
fn matches(pattern: &str, id: &str) -> bool {
    let pieces: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = pieces.as_slice() else {
        return id.contains(pattern);
    };
    let Some(mut rest) = id.strip_prefix(first) else {
        return false;
    };
    for piece in middle {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}
