//! A profile of config.json as a program of classic BPF. Pure; nothing is loaded here.
//!
//! For each architecture a binary tree over runs of call numbers that share a verdict but for a few: the kernel tries the
//! filter with every number when it is loaded (to learn which are always allowed), so a linear chain is slow at once.
//! The rules' meaning is runc's: unknown names are ignored, and a number above all those the profile names gives
//! ENOSYS, for C libraries fall back on that and give up on EPERM.

use kit_sys::seccomp::Instruction;
use oci_spec::runtime::{LinuxSeccompAction as Action, LinuxSeccompArg};

use super::SeccompError;
use super::arch::{self, Architecture};
use super::backwards::{Backwards, Place};
use super::bpf::{ARCH, JUMP_EQ, JUMP_GE, LOAD, NUMBER, RETURN, instruction, rule};
use super::rules::Rules;

/// BPF_MAXINSNS of linux/bpf_common.h.
const MAX_LENGTH: usize = 4096;
pub const ERRNO: u32 = 0x0005_0000;
pub const KILL_PROCESS: u32 = 0x8000_0000;
const NO_SUCH_CALL: u32 = ERRNO | libc::ENOSYS as u32;
/// How many numbers of a run are compared one by one.
const MAX_EXCEPT: usize = 6;

/// What becomes of one call: the first of `rules` whose conditions hold, else `otherwise`.
#[derive(Clone, PartialEq)]
struct Verdict<'a> {
    rules: Vec<(&'a [LinuxSeccompArg], u32)>,
    otherwise: u32,
}

/// From this number on, until the next range starts.
struct Range<'a> {
    start: u32,
    verdict: Verdict<'a>,
}

/// Ranges of one verdict, and the single numbers among them that have another: to compare a number is one instruction,
/// to end a range before it and begin one after it are two.
struct Run<'a> {
    start: u32,
    verdict: Verdict<'a>,
    except: Vec<Range<'a>>,
}

pub fn compile(profile: &Rules) -> Result<Vec<Instruction>, SeccompError> {
    let wanted = arch::wanted(&profile.architectures);
    let mut all = Vec::with_capacity(wanted.len());
    for arch in &wanted {
        all.push((arch, runs(ranges(profile, arch)?)));
    }
    let mut program = Program::default();
    let mut next = program.code.push(instruction(RETURN, KILL_PROCESS));
    for (arch, runs) in all.iter().rev() {
        program.wide = arch.wide;
        let root = program.tree(runs);
        program.code.lead_to(root);
        let block = program.code.push(instruction(LOAD, NUMBER));
        next = program.code.branch(JUMP_EQ, arch.audit, block, next);
    }
    program.code.lead_to(next);
    program.code.push(instruction(LOAD, ARCH));
    let code = program.code.finish();
    if code.len() > MAX_LENGTH {
        return Err(SeccompError::TooLong(code.len()));
    }
    Ok(code)
}

fn ranges<'a>(profile: &'a Rules, arch: &Architecture) -> Result<Vec<Range<'a>>, SeccompError> {
    let otherwise = action(profile.action, profile.errno)?;
    let plain = Verdict {
        rules: Vec::new(),
        otherwise,
    };
    let verdicts = verdicts(profile, arch, otherwise)?;
    let end = verdicts.len() as u32;
    let mut found: Vec<Range> = Vec::new();
    let all = verdicts
        .into_iter()
        .map(|verdict| verdict.unwrap_or_else(|| plain.clone()));
    for (start, verdict) in (0..).zip(all) {
        push(&mut found, start, verdict);
    }
    let nosys = Verdict {
        rules: Vec::new(),
        otherwise: NO_SUCH_CALL,
    };
    let lenient = matches!(profile.action, Action::ScmpActAllow | Action::ScmpActLog);
    push(&mut found, end, if lenient { plain } else { nosys.clone() });
    if let Some(x32) = arch.x32 {
        push(&mut found, x32, nosys);
    }
    Ok(found)
}

fn push<'a>(ranges: &mut Vec<Range<'a>>, start: u32, verdict: Verdict<'a>) {
    if ranges.last().is_none_or(|last| last.verdict != verdict) {
        ranges.push(Range { start, verdict });
    }
}

/// By call number, up to the highest that the profile names. A rule that says what the default says is no rule; one
/// without conditions takes precedence over those with, and the first over the later.
fn verdicts<'a>(
    profile: &'a Rules,
    arch: &Architecture,
    default: u32,
) -> Result<Vec<Option<Verdict<'a>>>, SeccompError> {
    let mut by_number: Vec<Option<Verdict>> = Vec::with_capacity(512);
    for each in &profile.calls {
        let action = action(each.action, each.errno)?;
        let args = &*each.args;
        if let Some(wrong) = args.iter().find(|arg| arg.index() > 5) {
            return Err(SeccompError::Argument(wrong.index()));
        }
        let mut cursor = 0;
        for name in each.names.iter() {
            let Some(number) = arch.number_after(&mut cursor, name) else {
                continue;
            };
            let number = number as usize;
            if by_number.len() <= number {
                by_number.resize(number + 1, None);
            }
            if action != default {
                add(&mut by_number[number], args, action, default);
            }
        }
    }
    Ok(by_number)
}

fn add<'a>(slot: &mut Option<Verdict<'a>>, args: &'a [LinuxSeccompArg], action: u32, default: u32) {
    let verdict = slot.get_or_insert(Verdict {
        rules: Vec::new(),
        otherwise: default,
    });
    if verdict.otherwise != default {
        return;
    }
    if args.is_empty() {
        verdict.rules.clear();
        verdict.otherwise = action;
    } else if repeats(args) {
        // Two conditions on one argument are alternatives: so runc and crun read such profiles.
        verdict
            .rules
            .extend(args.chunks(1).map(|arg| (arg, action)));
    } else {
        verdict.rules.push((args, action));
    }
}

fn repeats(args: &[LinuxSeccompArg]) -> bool {
    let mut rest = args.iter();
    std::iter::from_fn(|| rest.next().map(|arg| (arg.index(), rest.as_slice())))
        .any(|(index, later)| later.iter().any(|arg| arg.index() == index))
}

/// SECCOMP_RET_* of linux/seccomp.h with its 16 bits of data. A notification needs a listener, which none is here.
fn action(action: Action, errno: Option<u32>) -> Result<u32, SeccompError> {
    match action {
        Action::ScmpActNotify => Err(SeccompError::Notify),
        Action::ScmpActErrno | Action::ScmpActTrace => {
            let errno = errno.unwrap_or(libc::EPERM as u32);
            let data = u16::try_from(errno).map_err(|_| SeccompError::Errno(errno))?;
            Ok(action.as_u32(Some(data.into())))
        }
        plain => Ok(plain.as_u32(None)),
    }
}

fn runs(ranges: Vec<Range>) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut rest = ranges.into_iter().peekable();
    while let Some(range) = rest.next() {
        if let (Some(run), Some(next)) = (found.last_mut(), rest.peek())
            && next.start - range.start == 1
            && next.verdict == run.verdict
            && run.except.len() < MAX_EXCEPT
        {
            run.except.push(range);
            rest.next();
            continue;
        }
        found.push(Run {
            start: range.start,
            verdict: range.verdict,
            except: Vec::new(),
        });
    }
    found
}

/// The program that is being made, and the leaves in it, the last one made last.
#[derive(Default)]
struct Program<'a> {
    code: Backwards,
    /// Of the architecture that it is at.
    wide: bool,
    /// With the width of the arguments that they compare, if any.
    leaves: Vec<(&'a Verdict<'a>, bool, Place)>,
}

impl<'a> Program<'a> {
    /// `runs` is not empty and its first is the lowest that can be reached here.
    fn tree(&mut self, runs: &'a [Run<'a>]) -> Place {
        let (below, from) = runs.split_at(runs.len() / 2);
        match (below, from) {
            ([], [run, ..]) => self.run(run),
            (_, [pivot, ..]) => {
                let (from, below) = (self.tree(from), self.tree(below));
                self.code.branch(JUMP_GE, pivot.start, from, below)
            }
            (_, []) => self.code.push(instruction(RETURN, KILL_PROCESS)),
        }
    }

    fn run(&mut self, run: &'a Run<'a>) -> Place {
        let mut place = self.leaf(&run.verdict);
        for range in &run.except {
            let leaf = self.leaf(&range.verdict);
            place = self.code.branch(JUMP_EQ, range.start, leaf, place);
        }
        place
    }

    /// The leaf that is there already, if it can be reached.
    fn leaf(&mut self, verdict: &'a Verdict<'a>) -> Place {
        let wide = self.wide || verdict.rules.is_empty();
        let mut there = self.leaves.iter().rev();
        let there = there.find(|(each, width, _)| *each == verdict && *width == wide);
        if let Some((.., place)) = there.filter(|(.., place)| self.code.reaches(*place)) {
            return *place;
        }
        let mut leaf = Vec::new();
        for (conditions, action) in &verdict.rules {
            rule(conditions, wide, *action, &mut leaf);
        }
        leaf.push(instruction(RETURN, verdict.otherwise));
        let place = self.code.push_all(&leaf);
        self.leaves.push((verdict, wide, place));
        place
    }
}
