//! `rrun top`: a container's processes, as ps(1) of this host shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::{Command, Output};

use kit_cli::{Failure, Result, emit_bytes};

use super::steps::{fault, find};
use box_state::Containers;

#[derive(clap::Args)]
pub struct Args {
    /// A container; - reads several from standard input
    pub container: String,
    /// Options of ps(1), -ef by default
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PS OPTIONS"
    )]
    pub options: Vec<OsString>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(std::slice::from_ref(&args.container), &["container"])?;
    kit_cli::each(&names, |name| one(name, &args.options, containers))
}

fn one(name: &str, options: &[OsString], containers: &Containers) -> Result<()> {
    let of = find(containers, name)?;
    let state = of.containers.state(&of.container.id).map_err(fault)?;
    let init = state.process.as_ref().filter(|_| state.is_running());
    let pids = init.and_then(|init| pids(init.pid)).ok_or_else(|| {
        let text = format!("listing the processes of container \"{name}\": it is not running");
        Failure::new(text).hint(format!("rrun start {name} starts it"))
    })?;
    emit_bytes(&ps(options, &pids)?)
}

/// The processes in the PID namespace of this one, and what they have started in namespaces below it; none if it has gone. Not
/// those in its cgroup: there may be none of its own, and what an `exec` waits with is in it.
fn pids(init: i32) -> Option<BTreeSet<i32>> {
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let its = namespace(init)?;
    let names = std::fs::read_dir("/proc").ok()?.flatten();
    let all = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: BTreeMap<i32, i32> = all.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let of_it = |pid: &i32| namespace(*pid).as_ref() == Some(&its);
    let mut found: BTreeSet<i32> = parents.keys().copied().filter(of_it).collect();
    loop {
        let below = |(pid, parent): &(&i32, &i32)| found.contains(parent) && !found.contains(pid);
        let more: Vec<i32> = parents.iter().filter(below).map(|(pid, _)| *pid).collect();
        if more.is_empty() {
            return Some(found);
        }
        found.extend(more);
    }
}

/// The fourth field of /proc/PID/stat: after the name, which may have anything in it but ends at the last parenthesis.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    stat.rsplit_once(')')?.1.split(' ').nth(2)?.parse().ok()
}

/// What ps(1) prints of these processes.
fn ps(options: &[OsString], pids: &BTreeSet<i32>) -> Result<Vec<u8>> {
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let chosen = run_ps(options, &[format!("-q{}", list.join(","))])?;
    // Nothing is said of those that have gone meanwhile.
    if chosen.stderr.is_empty() {
        return Ok(chosen.stdout);
    }
    // Some options cannot be used together with -q: trees, and those that choose processes by something else.
    let all = run_ps(options, &[])?;
    if !all.stderr.is_empty() {
        let said = String::from_utf8_lossy(&all.stderr);
        let said = said.lines().find(|line| !line.trim().is_empty());
        let said = said.unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(format!("running ps: {said}"));
        return Err(failure.hint("what follows CONTAINER is for ps(1)"));
    }
    of_these(&all.stdout, pids).ok_or_else(|| {
        Failure::new("reading what ps prints: it has no column PID")
            .hint("with these options one of the columns must be pid: -eo pid,args")
    })
}

fn run_ps(options: &[OsString], more: &[String]) -> Result<Output> {
    let mut command = Command::new("ps");
    if options.is_empty() {
        command.arg("-ef");
    }
    command.args(options).args(more).output().map_err(|e| {
        Failure::doing("running ps", e).hint("it is of Debian's package procps: apt install procps")
    })
}

/// The head, and the lines whose column PID has one of these; none if there is no such column. Lines of threads have a dash
/// there, and come after their process's (`m`).
fn of_these(table: &[u8], pids: &BTreeSet<i32>) -> Option<Vec<u8>> {
    let mut lines = table.split_inclusive(|byte| *byte == b'\n');
    let head = lines.next()?;
    let titles = words(head);
    let column = titles.iter().position(|(title, _)| title == "PID")?;
    let mut kept = head.to_vec();
    let mut is_kept = false;
    for line in lines {
        let words = words(line);
        // ps aligns it at its end. What stands before may have blanks (`lstart`), or be too long for its own column.
        let ends_there = words.iter().find(|(_, end)| *end == titles[column].1);
        let pid = ends_there.or(words.get(column)).map(|(word, _)| word);
        if pid.is_none_or(|pid| pid != "-") {
            let pid = pid.and_then(|pid| pid.parse().ok());
            is_kept = pid.is_some_and(|pid| pids.contains(&pid));
        }
        if is_kept {
            kept.extend_from_slice(line);
        }
    }
    Some(kept)
}

/// The words of a line, and where each ends, in characters.
fn words(line: &[u8]) -> Vec<(String, usize)> {
    let mut words: Vec<(String, usize)> = Vec::new();
    let mut is_inside = false;
    for (at, letter) in String::from_utf8_lossy(line).chars().enumerate() {
        let goes_on = std::mem::replace(&mut is_inside, !letter.is_ascii_whitespace());
        match words.last_mut() {
            _ if !is_inside => {}
            Some((word, end)) if goes_on => {
                word.push(letter);
                *end = at + 1;
            }
            _ => words.push((letter.into(), at + 1)),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_as_they_are() {
        let kept = |table: &str| {
            let kept = of_these(table.as_bytes(), &BTreeSet::from([7, 40]))?;
            Some(String::from_utf8(kept).unwrap())
        };
        let table = "USER  PID CMD\nroot    7 sh -c 40\nroot   70 7\nroot   40  \\_ a\n";
        let wanted = "USER  PID CMD\nroot    7 sh -c 40\nroot   40  \\_ a\n";
        assert_eq!(kept(table).as_deref(), Some(wanted));
        // What is too long shifts the rest, and a column may have blanks.
        let shifted = "USER   PID CMD\naverylonguser 7 sh\nroot     7 a\nroot    70 7\n";
        let wanted = "USER   PID CMD\naverylonguser 7 sh\nroot     7 a\n";
        assert_eq!(kept(shifted).as_deref(), Some(wanted));
        let dated = "         STARTED   PID\nSun Nov 29 13:44     7\nSun Nov  7 13:44    70\n";
        let wanted = "         STARTED   PID\nSun Nov 29 13:44     7\n";
        assert_eq!(kept(dated).as_deref(), Some(wanted));
        let threads = "PID LWP\n  7 -\n  - 7\n  - 8\n  9 -\n  - 9\n";
        assert_eq!(
            kept(threads).as_deref(),
            Some("PID LWP\n  7 -\n  - 7\n  - 8\n")
        );
        assert_eq!(kept("PPID CMD\n7 sh\n"), None);
        assert_eq!(kept(""), None);
    }
}
