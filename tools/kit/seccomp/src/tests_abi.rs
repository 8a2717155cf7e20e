//! One filter, each way into the kernel: what one ABI refuses no other may give.

use std::collections::HashSet;

use super::default_profile;

/// Makes a socket of the family that is its argument by each way into the kernel that this machine has, and says what
/// came of it: 0, or the errno.
const WAYS: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static long wide(long n, long a, long b, long c) {
    long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory"); return r;
}
static int narrow(int n, int a, int b, int c) {
    int r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory"); return r;
}
static long said(long r) { return r < 0 ? -r : 0; }
int main(int argc, char **argv) {
    int family = argc > 1 ? atoi(argv[1]) : 0;
    int *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    low[0] = family; low[1] = 1; low[2] = 0;
    printf("%ld %ld %ld %ld %ld\n", said(wide(41, family, 1, 0)), said(wide(41, family | (1L << 32), 1, 0)),
           said(wide(0x40000000 + 41, family, 1, 0)), said(narrow(359, family, 1, 0)),
           said(narrow(102, 1, (int)(long)low, 0)));
    return 0;
}
"#;

#[test]
#[cfg(target_arch = "x86_64")]
fn no_abi_makes_a_socket_that_another_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("ways.c"), dir.path().join("ways"));
    std::fs::write(&source, WAYS).unwrap();
    let cc = std::process::Command::new("cc")
        .arg("-o")
        .args([&program, &source])
        .status();
    if !cc.is_ok_and(|status| status.success()) {
        println!("skip: no_abi_makes_a_socket_that_another_refuses: no C compiler");
        return;
    }
    let ways = move |family: &str| {
        let out = std::process::Command::new(&program).arg(family).output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    };
    // Unfiltered, each way of this kernel works: or the test would prove nothing.
    let free = ways("1");
    let free: Vec<&str> = free.split_whitespace().collect();
    assert_eq!((free[0], free[1]), ("0", "0"));
    let filtered = std::thread::spawn(move || {
        rustix::thread::set_no_new_privs(true).unwrap();
        let filter = super::Filter::compile(&default_profile(&HashSet::new())).unwrap();
        filter.load().unwrap();
        (ways("1"), ways("40"), ways("38"))
    });
    let (unix, vsock, alg) = filtered.join().unwrap();
    let narrow = if free[3] == "0" {
        ["0", "1"]
    } else {
        [free[3]; 2]
    };
    assert_eq!(unix, format!("0 0 38 {} {}\n", narrow[0], narrow[1]));
    let refused = if free[3] == "0" {
        "1 1 38 1 1\n"
    } else {
        "1 1 38 38 38\n"
    };
    assert_eq!((vsock.as_str(), alg.as_str()), (refused, refused));
}

/// What i386 makes by socketcall(2) and ipc(2), and what is above the 32 bits of an argument of its.
#[test]
fn a_call_is_refused_by_each_way_that_makes_it() {
    use super::arch::I386;
    use super::compile::compile;
    use super::tests::judge;
    let profile = |call: &str| {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [{{"action": "SCMP_ACT_ERRNO", "errnoRet": 13, {call}}}]}}"#
        );
        let profile = serde_json::from_str(&text).unwrap();
        compile(&super::Rules::of(&profile)).unwrap()
    };
    let refused = |code: &[kit_sys::seccomp::Instruction], name: &str, first: u64| {
        let number = I386.number(name).unwrap();
        judge(code, I386.audit, number, &[first, 0, 0, 0, 0, 0])
            == super::compile::ERRNO | libc::EACCES as u32
    };
    let plain = profile(r#""names": ["socket", "shmget"]"#);
    for (name, first, is) in [
        ("socket", 1, true),
        ("socketcall", 1, true),
        ("socketcall", 0x1_0000_0001, true),
        ("socketcall", 2, false),
        ("shmget", 0, true),
        ("ipc", 23, true),
        ("ipc", 0x1_0017, true),
        ("ipc", 24, false),
    ] {
        assert_eq!(refused(&plain, name, first), is, "{name} {first:#x}");
    }
    for (op, value, holds, fails) in [
        ("EQ", 40u64, 40, 41),
        ("EQ", u64::MAX, 0xffff_ffff, 0),
        ("NE", 40, 41, 40),
        ("GT", 40, 41, 40),
        ("GE", 40, 40, 39),
        ("LT", 40, 39, 40),
        ("LE", 40, 40, 41),
    ] {
        let code = profile(&format!(
            r#""names": ["socket"], "args": [{{"index": 0, "op": "SCMP_CMP_{op}", "value": {value}}}]"#
        ));
        for above in [0, 1 << 32, u64::MAX << 32] {
            assert!(
                refused(&code, "socket", holds | above),
                "{op} {value} {above:#x}"
            );
            assert!(
                !refused(&code, "socket", fails | above),
                "{op} {value} {above:#x}"
            );
        }
    }
}
