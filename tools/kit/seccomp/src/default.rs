//! The default profile: docker's, as data. What is not here gives EPERM.
//!
//! moby's lists, without io_uring (as docker since 25: it has been a road around filters), and with the calls of
//! Linux 6.5 to 6.17 that are older ones in new clothes. A group that goes with a capability is allowed with it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::BuildHasher;

use oci_spec::runtime::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArgBuilder,
    LinuxSeccompOperator as Op,
};

use super::rules::{Names, Rule, Rules};

/// Allowed to everybody.
const ALLOWED: &str = "\
    accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 \
    clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 \
    clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 \
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old \
    eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate \
    fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync \
    fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync \
    ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat \
    get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 \
    getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority \
    getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt \
    gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 \
    inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit \
    ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self \
    lchown lchown32 lgetxattr link linkat listen listxattr listxattrat llistxattr _llseek lremovexattr lseek \
    lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir \
    mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open \
    mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl \
    msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect \
    open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect \
    poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv \
    process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink \
    readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr \
    removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 \
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr \
    sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity \
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop \
    semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list \
    set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups \
    setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid \
    setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat \
    shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketpair \
    splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee \
    tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
    timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times \
    tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat \
    utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/// Calls that only some architectures have; unknown names are ignored on the others.
const ARCHITECTURES: &str = "\
    arch_prctl arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush modify_ldt set_tls \
    sync_file_range2";

/// Allowed to those who have the capability.
const WITH_CAPABILITY: &[(Capability, &str)] = &[
    (
        Capability::SysAdmin,
        "\
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie \
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree \
        open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog \
        umount umount2 unshare",
    ),
    (Capability::DacReadSearch, "open_by_handle_at"),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (
        Capability::SysModule,
        "delete_module finit_module init_module",
    ),
    (Capability::SysPacct, "acct"),
    (Capability::SysPtrace, "kcmp pidfd_getfd process_madvise"),
    (Capability::SysRawio, "ioperm iopl"),
    (
        Capability::SysTime,
        "clock_settime clock_settime64 settimeofday stime",
    ),
    (Capability::SysTtyConfig, "vhangup"),
    (
        Capability::SysNice,
        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    ),
    (Capability::Syslog, "syslog"),
    (Capability::Bpf, "bpf"),
    (Capability::Perfmon, "perf_event_open"),
];

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h: a new user namespace gives
/// capabilities, and with them kernel code that has had many holes.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// personality(2): Linux, Linux with 32-bit uname, the same without address randomisation's layout, and the query.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Families of sockets that are allowed: all but AF_ALG (38), whose kernel code has let users write to files that they
/// may only read (CVE-2026-31431), and AF_VSOCK (40), which reaches past the network namespace, to the host. The kernel
/// looks at the low half of the argument alone, so that is what is compared: by a mask and a value, up to family 63.
const FAMILIES: [(u64, u64); 8] = [
    (0xffff_ffe0, 0),
    (0xffff_fffc, 32),
    (0xffff_fffe, 36),
    (0xffff_ffff, 39),
    (0xffff_ffff, 41),
    (0xffff_fffe, 42),
    (0xffff_fffc, 44),
    (0xffff_fff0, 48),
];

/// SYS_SOCKET of linux/net.h. i386's socketcall(2) has the family in memory, where no filter sees it, so it makes no
/// socket at all: 32-bit programs have socket(2) since Linux 4.3.
const MAKE_SOCKET: u64 = 1;

/// docker's default profile for a process that has the capabilities `caps`, for this machine and its 32-bit programs.
pub fn default_profile<S: BuildHasher>(caps: &HashSet<Capability, S>) -> LinuxSeccomp {
    rules(caps).written_out()
}

/// The same, without a copy of each name: it is made at each start.
pub(crate) fn rules<S: BuildHasher>(caps: &HashSet<Capability, S>) -> Rules<'static> {
    let mut rules = vec![allow(ALLOWED), allow(ARCHITECTURES)];
    for (capability, names) in WITH_CAPABILITY {
        if caps.contains(capability) {
            rules.push(allow(names));
        }
    }
    for (mask, family) in FAMILIES {
        rules.push(allow_if("socket", Op::ScmpCmpMaskedEq, mask, family));
    }
    // Calls of socketcall(2) are 1 to 20; the kernel knows no other.
    rules.push(allow_if("socketcall", Op::ScmpCmpGt, MAKE_SOCKET, 0));
    for value in PERSONALITIES {
        rules.push(allow_if("personality", Op::ScmpCmpEq, value, 0));
    }
    if !caps.contains(&Capability::SysAdmin) {
        rules.push(allow_if("clone", Op::ScmpCmpMaskedEq, NEW_NAMESPACES, 0));
        // Its flags are in memory, where no filter sees them; on ENOSYS a C library takes clone(2) instead.
        rules.push(Rule {
            action: Action::ScmpActErrno,
            errno: Some(libc::ENOSYS as u32),
            ..allow("clone3")
        });
    }
    Rules {
        action: Action::ScmpActErrno,
        errno: Some(libc::EPERM as u32),
        architectures: Cow::Borrowed(ARCHES),
        calls: rules,
    }
}

const ARCHES: &[Arch] = if cfg!(target_arch = "aarch64") {
    &[Arch::ScmpArchAarch64]
} else {
    &[Arch::ScmpArchX86_64, Arch::ScmpArchX86]
};

const fn allow(names: &'static str) -> Rule<'static> {
    Rule {
        names: Names::Text(names),
        args: Cow::Borrowed(&[]),
        action: Action::ScmpActAllow,
        errno: None,
    }
}

/// A condition on the first argument; for a mask, that its bits are `masked`.
fn allow_if(name: &'static str, op: Op, value: u64, masked: u64) -> Rule<'static> {
    let arg = LinuxSeccompArgBuilder::default()
        .op(op)
        .value(value)
        .value_two(masked)
        .build()
        .expect("every field of the builder has a default");
    Rule {
        args: Cow::Owned(vec![arg]),
        ..allow(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;

    #[test]
    fn it_is_the_same_filter_written_out_or_not() {
        for caps in [
            HashSet::new(),
            HashSet::from([Capability::SysAdmin, Capability::Bpf]),
        ] {
            let written = default_profile(&caps);
            assert_eq!(compile(&Rules::of(&written)), compile(&rules(&caps)));
        }
    }
}
