//! A profile of config.json as a program of classic BPF. Pure; nothing is loaded here.
//!
//! For each architecture a binary tree over ranges of call numbers that share a verdict: the kernel runs the filter
//! for every number when it is loaded (to learn which are always allowed), so a linear chain is slow at once.
//! The rules' meaning is runc's: unknown names are ignored, and a number above all those the profile names gives
//! ENOSYS, for C libraries fall back on that and give up on EPERM.

use kit_sys::seccomp::Instruction;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg};

use super::SeccompError;
use super::arch::{self, Architecture};
use super::bpf::{ARCH, JUMP, JUMP_EQ, JUMP_GE, LOAD, NUMBER, RETURN, instruction, jump, rule};

/// BPF_MAXINSNS of linux/bpf_common.h.
const MAX_LENGTH: usize = 4096;
pub const ERRNO: u32 = 0x0005_0000;
pub const KILL_PROCESS: u32 = 0x8000_0000;
const NO_SUCH_CALL: u32 = ERRNO | libc::ENOSYS as u32;

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

pub fn compile(profile: &LinuxSeccomp) -> Result<Vec<Instruction>, SeccompError> {
    let listed = profile.architectures().as_deref().unwrap_or_default();
    let mut code = vec![instruction(LOAD, ARCH)];
    for arch in arch::wanted(listed) {
        let mut block = vec![instruction(LOAD, NUMBER)];
        tree(&ranges(profile, &arch)?, &mut block);
        code.push(jump(JUMP_EQ, arch.audit, 1, 0));
        code.push(instruction(JUMP, block.len() as u32));
        code.append(&mut block);
    }
    code.push(instruction(RETURN, KILL_PROCESS));
    if code.len() > MAX_LENGTH {
        return Err(SeccompError::TooLong(code.len()));
    }
    Ok(code)
}

fn ranges<'a>(
    profile: &'a LinuxSeccomp,
    arch: &Architecture,
) -> Result<Vec<Range<'a>>, SeccompError> {
    let otherwise = action(profile.default_action(), profile.default_errno_ret())?;
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
    let lenient = matches!(
        profile.default_action(),
        Action::ScmpActAllow | Action::ScmpActLog
    );
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
    profile: &'a LinuxSeccomp,
    arch: &Architecture,
    default: u32,
) -> Result<Vec<Option<Verdict<'a>>>, SeccompError> {
    let mut by_number: Vec<Option<Verdict>> = Vec::with_capacity(512);
    for each in profile.syscalls().iter().flatten() {
        let action = action(each.action(), each.errno_ret())?;
        let args = each.args().as_deref().unwrap_or_default();
        if let Some(wrong) = args.iter().find(|arg| arg.index() > 5) {
            return Err(SeccompError::Argument(wrong.index()));
        }
        let mut cursor = 0;
        for name in each.names() {
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

/// `ranges` is not empty and its first is the lowest that can be reached here.
fn tree(ranges: &[Range], code: &mut Vec<Instruction>) {
    let (below, from) = ranges.split_at(ranges.len() / 2);
    let Some(pivot) = from.first() else { return };
    if below.is_empty() {
        return leaf(&pivot.verdict, code);
    }
    let at = code.len();
    code.push(jump(JUMP_GE, pivot.start, 0, 0));
    tree(below, code);
    let below = code.len() - at - 1;
    if let Ok(near) = u8::try_from(below) {
        code[at].jt = near;
    } else {
        // A conditional jump reaches 255 instructions, an unconditional one all of them.
        code[at].jf = 1;
        code.insert(at + 1, instruction(JUMP, below as u32));
    }
    tree(from, code);
}

fn leaf(verdict: &Verdict, code: &mut Vec<Instruction>) {
    for (conditions, action) in &verdict.rules {
        rule(conditions, *action, code);
    }
    code.push(instruction(RETURN, verdict.otherwise));
}
