//! Times our commands beside their peers, run by run in turn, and prints the ratios. `scripts/bench` starts it.
//!
//! Two series taken one after the other compare two moments of a machine as much as two programs. Here each round runs
//! every side once, in an order that rotates, and the ratio is taken inside the round; what is printed is the median
//! of the ratios with its quartiles.

mod args;
mod machine;
mod place;
mod record;
mod report;
mod round;
mod rows;
mod side;
mod spread;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use machine::Watch;
use place::{Host, Medium, Place};
use record::{Pair, Record, Skipped};
use round::{Pace, Rounds};
use rows::{Media, ROWS, Row};
use side::{Running, Side};

fn main() -> ExitCode {
    let args = Args::parse();
    let chosen: Vec<&Row> = ROWS
        .iter()
        .flat_map(|group| group.iter().copied())
        .filter(|row| args.names(row.id))
        .collect();
    if args.list {
        for row in chosen {
            println!("{:24} {}", row.id, row.what);
        }
        return ExitCode::SUCCESS;
    }
    let outcome = match &args.from {
        Some(file) => Record::read(file),
        None => time(&args, &chosen),
    };
    match outcome {
        Ok(record) => {
            report::whole(&args, &record);
            ExitCode::from(u8::from(!record.failed.is_empty()))
        }
        Err(reason) => {
            eprintln!("bench: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Every chosen row, on each filesystem and at each pace.
fn time(args: &Args, chosen: &[&Row]) -> Result<Record, String> {
    if chosen.is_empty() {
        return Err(format!(
            "no row is named {:?}: scripts/bench --list",
            args.rows
        ));
    }
    let host = Host::new(args)?;
    let mut record = Record::new(args);
    report::head(args);
    for row in chosen {
        for medium in media(row, &host) {
            if let Err(reason) = one(args, &host, row, medium, &mut record) {
                eprintln!("bench: {} on {}: {reason}", row.id, host.kind(medium));
                record.failed.push(Skipped::new(row.id, reason));
            }
        }
    }
    Ok(record)
}

fn media(row: &Row, host: &Host) -> Vec<Medium> {
    match row.media {
        Media::Memory => vec![Medium::Memory],
        Media::Disk => vec![Medium::Disk],
        Media::Both => {
            if host.kind(Medium::Disk) != "ext4" {
                eprintln!(
                    "skip: {} on ext4: {} is {}; --disk DIR names another directory",
                    row.id,
                    host.disk.display(),
                    host.kind(Medium::Disk)
                );
                return vec![Medium::Memory];
            }
            vec![Medium::Memory, Medium::Disk]
        }
    }
}

/// The sides of a row that can be measured here; those that cannot are named.
fn sides<'a>(args: &Args, row: &'a Row, record: &mut Record) -> Vec<&'a Side> {
    let able = |side: &&Side| {
        let Some(program) = side::missing(side.needs) else {
            return true;
        };
        let reason = format!("no {program} on this machine");
        eprintln!("skip: {} beside {}: {reason}", row.id, side.name);
        let what = format!("{} beside {}", row.id, side.name);
        record.skipped.push(Skipped::new(&what, reason));
        false
    };
    let peers = row.peers.iter().filter(|_| args.against.is_none());
    peers.filter(able).collect()
}

fn one(
    args: &Args,
    host: &Host,
    row: &Row,
    medium: Medium,
    record: &mut Record,
) -> Result<(), String> {
    if let Some(program) = side::missing(row.needs) {
        let reason = format!("no {program} on this machine");
        eprintln!("skip: {}: {reason}", row.id);
        record.skipped.push(Skipped::new(row.id, reason));
        return Ok(());
    }
    let peers = sides(args, row, record);
    let apart = row.apart;
    // A thread's own network namespace is its children's, and the host's links stay out of it.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if apart {
                place::own_network()?;
            }
            row_here(args, host, row, medium, &peers, record)
        });
        thread.join().map_err(|_| "it panicked".to_owned())?
    })
}

/// One row on one filesystem, in the network namespace of this thread.
fn row_here(
    args: &Args,
    host: &Host,
    row: &Row,
    medium: Medium,
    peers: &[&Side],
    record: &mut Record,
) -> Result<(), String> {
    let place = Place::new(host, medium, &host.bins, "a")?;
    let other = match &host.against {
        Some(bins) => Some(Place::new(host, medium, bins, "b")?),
        None => None,
    };
    let mut running = vec![Running::new(&place, row, &row.ours)?];
    for peer in peers {
        running.push(Running::new(&place, row, peer)?);
    }
    if let Some(other) = &other {
        running.push(Running::new(other, row, &row.ours)?);
    }
    for pace in row.paces.iter().copied().filter(|pace| args.takes(*pace)) {
        let watch = Watch::begin();
        let rounds = Rounds::take(&running, pace, args.pairs)?;
        let busy = watch.end();
        let what = format!("{} on {}, {pace}", row.id, host.kind(medium));
        busy.warn(&what);
        let names = running.iter().skip(1).map(|side| match &args.against {
            Some(dir) => dir.display().to_string(),
            None => side.name().to_owned(),
        });
        let pairs = Pair::of(row, host.kind(medium), pace, &rounds, names, busy);
        for pair in pairs {
            report::line(args, &pair);
            record.pairs.push(pair);
        }
    }
    Ok(())
}

impl Pace {
    /// Idle time before each run: what a person's command meets, and what hides in the kernel's grace periods.
    pub fn idle(self) -> std::time::Duration {
        std::time::Duration::from_millis(match self {
            Self::Warm => 0,
            Self::Cold => 100,
        })
    }
}
