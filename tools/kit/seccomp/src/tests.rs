//! Filters judged call by call: an interpreter of classic BPF runs ours beside the one that the seccompiler crate
//! makes of the same rules, and the kernel runs the default one.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};

use kit_sys::seccomp::Instruction;
use oci_spec::runtime::{
    Capability, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg,
    LinuxSeccompOperator as Op,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::arch::{AARCH64, Architecture, I386, X86_64};
use super::compile::{ERRNO, KILL_PROCESS};
use super::{Rules, SeccompError, default_profile};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = ERRNO | libc::EPERM as u32;
const EACCES: u32 = ERRNO | libc::EACCES as u32;
const ENOSYS: u32 = ERRNO | libc::ENOSYS as u32;

type Args = [u64; 6];

fn compile(profile: &LinuxSeccomp) -> Result<Vec<Instruction>, SeccompError> {
    super::compile::compile(&Rules::of(profile))
}

/// What the kernel would make of a call: each instruction as Documentation/networking/filter.rst has it.
pub(super) fn judge(code: &[Instruction], audit: u32, number: u32, args: &Args) -> u32 {
    let word = |offset: u32| match offset {
        0 => number,
        4 => audit,
        at => (args[(at as usize - 16) / 8] >> (8 * (at % 8))) as u32,
    };
    let (mut at, mut register) = (0, 0u32);
    loop {
        let each = code[at];
        at += 1;
        let holds = match each.code {
            0x20 => {
                register = word(each.k);
                continue;
            }
            0x54 => {
                register &= each.k;
                continue;
            }
            0x05 => {
                at += each.k as usize;
                continue;
            }
            0x06 => return each.k,
            0x15 => register == each.k,
            0x25 => register > each.k,
            0x35 => register >= each.k,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { each.jt } else { each.jf });
    }
}

fn operator(arg: &LinuxSeccompArg) -> (SeccompCmpOp, u64) {
    let value = arg.value();
    match arg.op() {
        Op::ScmpCmpEq => (SeccompCmpOp::Eq, value),
        Op::ScmpCmpNe => (SeccompCmpOp::Ne, value),
        Op::ScmpCmpLt => (SeccompCmpOp::Lt, value),
        Op::ScmpCmpLe => (SeccompCmpOp::Le, value),
        Op::ScmpCmpGe => (SeccompCmpOp::Ge, value),
        Op::ScmpCmpGt => (SeccompCmpOp::Gt, value),
        Op::ScmpCmpMaskedEq => (SeccompCmpOp::MaskedEq(value), arg.value_two().unwrap_or(0)),
    }
}

/// The crate's filter of the profile's rules that allow; the others are for the caller to judge.
fn reference(profile: &LinuxSeccomp) -> Vec<Instruction> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let calls = profile.syscalls().iter().flatten();
    for call in calls.filter(|call| call.action() == Action::ScmpActAllow) {
        for number in call.names().iter().filter_map(|name| X86_64.number(name)) {
            let rule = rules.entry(number.into()).or_default();
            let args = call.args().iter().flatten();
            let conditions: Vec<_> = args
                .map(|arg| {
                    let (op, value) = operator(arg);
                    let index = arg.index() as u8;
                    SeccompCondition::new(index, SeccompCmpArgLen::Qword, op, value).unwrap()
                })
                .collect();
            if !conditions.is_empty() {
                rule.push(SeccompRule::new(conditions).unwrap());
            }
        }
    }
    let (no, yes) = (SeccompAction::Errno(1), SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, no, yes, TargetArch::x86_64).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    let same = |each: &seccompiler::sock_filter| Instruction {
        code: each.code,
        jt: each.jt,
        jf: each.jf,
        k: each.k,
    };
    program.iter().map(same).collect()
}

/// Values at both sides of each limit that `profile` names, in both halves.
fn interesting(profile: &LinuxSeccomp) -> Vec<u64> {
    let args = profile.syscalls().iter().flatten();
    let mut values = vec![0, 1, u64::MAX, 1 << 32, 0x1_0002_0000, 0x11];
    for arg in args.flat_map(|call| call.args().iter().flatten()) {
        for value in [arg.value(), arg.value_two().unwrap_or(0)] {
            values.extend([value, value.wrapping_add(1), value.wrapping_sub(1)]);
            values.extend([value ^ (1 << 32), value.swap_bytes(), value.rotate_left(32)]);
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

fn parse(text: &str) -> LinuxSeccomp {
    serde_json::from_str(text).unwrap()
}

fn caps(names: &[Capability]) -> HashSet<Capability> {
    names.iter().copied().collect()
}

fn native(code: &[Instruction], name: &str, first: u64) -> u32 {
    let args = [first, 0, 0, 0, 0, 0];
    judge(code, X86_64.audit, X86_64.number(name).unwrap(), &args)
}

#[test]
fn the_default_profile_is_the_crates_filter_call_by_call() {
    let sets = [
        caps(&[]),
        caps(&[Capability::SysAdmin]),
        caps(&[Capability::SysPtrace, Capability::SysTime, Capability::Bpf]),
    ];
    for set in sets {
        let profile = default_profile(&set);
        let (ours, theirs) = (compile(&profile).unwrap(), reference(&profile));
        let highest = X86_64.number("removexattrat").unwrap();
        for number in 0..=highest + 40 {
            for value in interesting(&profile) {
                let args = [value, 0, 0, 0, 0, 0];
                let expected = match judge(&theirs, X86_64.audit, number, &args) {
                    EPERM if number == 435 || number > highest => ENOSYS,
                    other => other,
                };
                let found = judge(&ours, X86_64.audit, number, &args);
                assert_eq!(found, expected, "call {number}, first argument {value:#x}");
            }
        }
    }
}

#[test]
fn every_operator_is_the_crates_in_both_halves() {
    for op in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] {
        for value in [0, 5, 0xffff_ffff, 0x1_0000_0000, 0x7_0000_0009, u64::MAX] {
            let profile = parse(&format!(
                r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{
                "names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [
                {{"index": 5, "op": "SCMP_CMP_{op}", "value": {value}, "valueTwo": 5}},
                {{"index": 0, "op": "SCMP_CMP_NE", "value": 77}}]}}]}}"#
            ));
            let (ours, theirs) = (compile(&profile).unwrap(), reference(&profile));
            let number = X86_64.number("mmap").unwrap();
            for last in interesting(&profile) {
                for first in [0, 77, 77 << 32] {
                    let args = [first, 0, 0, 0, 0, last];
                    assert_eq!(
                        judge(&ours, X86_64.audit, number, &args),
                        judge(&theirs, X86_64.audit, number, &args),
                        "{op} {value:#x}: {args:x?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_the_default_profile_refuses() {
    let code = compile(&default_profile(&caps(&[]))).unwrap();
    let refused = [
        "mount",
        "keyctl",
        "unshare",
        "setns",
        "bpf",
        "io_uring_setup",
        "kexec_load",
    ];
    for name in refused
        .into_iter()
        .chain(["add_key", "reboot", "init_module", "userfaultfd"])
    {
        assert_eq!(native(&code, name, 0), EPERM, "{name}");
    }
    assert_eq!(native(&code, "clone3", 0), ENOSYS);
    assert_eq!(native(&code, "ptrace", 0), ALLOW);
    for flag in [
        0x2_0000,
        0x200_0000,
        0x400_0000,
        0x800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ] {
        assert_eq!(native(&code, "clone", flag | 0x11), EPERM, "{flag:#x}");
    }
    assert_eq!(native(&code, "clone", 0x3d_0f00), ALLOW);
    let socket = |family| native(&code, "socket", family);
    let families = [
        0, 1, 2, 10, 16, 17, 31, 32, 35, 36, 37, 39, 41, 42, 43, 44, 45, 63,
    ];
    for family in families {
        // The kernel does not look at the high half, which may hold anything.
        for garbage in [0, 1 << 32, 0xffff_ffff << 32] {
            assert_eq!(socket(family | garbage), ALLOW, "{family}");
        }
    }
    for family in [38, 40] {
        for garbage in [0, 1 << 32, 0xffff_ffff << 32] {
            assert_eq!(socket(family | garbage), EPERM, "{family}");
        }
    }
    let personality = |value| native(&code, "personality", value);
    assert_eq!((personality(8), personality(0x40_0000)), (ALLOW, EPERM));
}

#[test]
fn a_capability_brings_its_calls() {
    let none = compile(&default_profile(&caps(&[]))).unwrap();
    for (capability, name) in [
        (Capability::SysAdmin, "mount"),
        (Capability::SysAdmin, "clone3"),
        (Capability::DacReadSearch, "open_by_handle_at"),
        (Capability::SysBoot, "reboot"),
        (Capability::SysChroot, "chroot"),
        (Capability::SysModule, "init_module"),
        (Capability::SysPacct, "acct"),
        (Capability::SysPtrace, "kcmp"),
        (Capability::SysRawio, "iopl"),
        (Capability::SysTime, "settimeofday"),
        (Capability::SysTtyConfig, "vhangup"),
        (Capability::SysNice, "mbind"),
        (Capability::Syslog, "syslog"),
        (Capability::Bpf, "bpf"),
        (Capability::Perfmon, "perf_event_open"),
    ] {
        assert_ne!(native(&none, name, 0), ALLOW, "{name}");
        let with = compile(&default_profile(&caps(&[capability]))).unwrap();
        assert_eq!(native(&with, name, 0), ALLOW, "{name}");
    }
}

#[test]
fn other_architectures_have_their_own_numbers_or_die() {
    let code = compile(&default_profile(&caps(&[]))).unwrap();
    let on = |arch: Architecture, number| judge(&code, arch.audit, number, &[0; 6]);
    assert_eq!(on(I386, I386.number("exit").unwrap()), ALLOW);
    assert_eq!(on(I386, I386.number("mount").unwrap()), EPERM);
    let i386 = |name, first| {
        let number = I386.number(name).unwrap();
        judge(&code, I386.audit, number, &[first, 0, 0, 0, 0, 0])
    };
    assert_eq!((i386("socket", 2), i386("socket", 40)), (ALLOW, EPERM));
    assert_eq!(
        (i386("socketcall", 1), i386("socketcall", 9)),
        (EPERM, ALLOW)
    );
    assert_eq!(
        (i386("clone", 0x11), i386("clone", 0x1000_0011)),
        (ALLOW, EPERM)
    );
    assert_eq!(
        i386("ipc", 1),
        ALLOW,
        "its calls are all allowed one by one"
    );
    assert_eq!(on(I386, 4000), ENOSYS);
    assert_eq!(on(AARCH64, 63), KILL_PROCESS);
    assert_eq!(on(X86_64, 0x4000_0000), ENOSYS);
    assert_eq!(on(X86_64, u32::MAX), ENOSYS);
    let only = parse(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
    let only = compile(&only).unwrap();
    assert_eq!(judge(&only, I386.audit, 1, &[0; 6]), KILL_PROCESS);
    assert_eq!(judge(&only, X86_64.audit, 9999, &[0; 6]), ALLOW);
    assert_eq!(judge(&only, X86_64.audit, 0x4000_0001, &[0; 6]), ENOSYS);
}

#[test]
fn rules_mean_what_they_mean_to_runc() {
    let code = compile(&parse(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
        {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["read"], "action": "SCMP_ACT_KILL_PROCESS",
         "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]},
        {"names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [
         {"index": 0, "op": "SCMP_CMP_EQ", "value": 1},
         {"index": 0, "op": "SCMP_CMP_EQ", "value": 2}]},
        {"names": ["close"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["close"], "action": "SCMP_ACT_LOG",
         "args": [{"index": 0, "op": "SCMP_CMP_GE", "value": 9}]}]}"#,
    ))
    .unwrap();
    assert_eq!(
        native(&code, "read", 1),
        ALLOW,
        "no conditions take precedence"
    );
    let write = |fd| native(&code, "write", fd);
    assert_eq!((write(1), write(2)), (EACCES, EACCES), "alternatives");
    assert_eq!(write(3), ENOSYS);
    let close = |fd| native(&code, "close", fd);
    assert_eq!(
        (close(8), close(9)),
        (ENOSYS, 0x7ffc_0000),
        "the default again"
    );
}

#[test]
fn a_profile_that_cannot_be_is_refused() {
    let with = |rule: &str| {
        compile(&parse(&format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["read"], {rule}}}]}}"#
        )))
    };
    assert_eq!(
        with(r#""action": "SCMP_ACT_NOTIFY""#),
        Err(SeccompError::Notify)
    );
    let errno = with(r#""action": "SCMP_ACT_ERRNO", "errnoRet": 70000"#);
    assert_eq!(errno, Err(SeccompError::Errno(70000)));
    let args =
        r#""action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "op": "SCMP_CMP_EQ", "value": 0}]"#;
    assert_eq!(with(args), Err(SeccompError::Argument(6)));
    let one = r#"{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}"#;
    let many = vec![one; 2000].join(",");
    let long = with(&format!(r#""action": "SCMP_ACT_ERRNO", "args": [{many}]"#));
    assert!(matches!(long, Err(SeccompError::TooLong(_))), "{long:?}");
}

/// A filter is the thread's own, so this one ends with it.
#[test]
fn the_kernel_runs_the_default_profile() {
    let filtered = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        let unshare = || kit_sys::process::unshare(rustix::thread::UnshareFlags::empty());
        assert_eq!(unshare(), Ok(()), "nothing to unshare is allowed to all");
        let profile = default_profile(&caps(&[]));
        let start = std::time::Instant::now();
        let code = compile(&profile).unwrap();
        let compiled = start.elapsed();
        let filter = super::Filter::compile(&profile).unwrap();
        filter.load().unwrap();
        let total = start.elapsed();
        let length = code.len();
        println!(
            "{length} instructions: compiled in {compiled:?}, and again and loaded in {total:?}"
        );

        assert_eq!(unshare(), Err(rustix::io::Errno::PERM));
        let none: Option<&str> = None;
        let mount = nix::mount::mount(none, "/nowhere", none, nix::mount::MsFlags::MS_BIND, none);
        assert_eq!(mount, Err(nix::Error::EPERM));
        let vsock = rustix::net::socket(
            rustix::net::AddressFamily::VSOCK,
            rustix::net::SocketType::STREAM,
            None,
        );
        assert_eq!(vsock.err(), Some(rustix::io::Errno::PERM));

        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"written").unwrap();
        let mut text = String::new();
        file.reopen().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "written");
        // Threads (clone3 refused, so clone) and programs are as ever; and they inherit the filter.
        std::thread::spawn(|| ()).join().unwrap();
        let out = std::process::Command::new("unshare")
            .args(["-U", "true"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(text.contains("Operation not permitted"), "{text:?}");
    });
    filtered.join().unwrap();
}
