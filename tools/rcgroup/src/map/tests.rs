use super::*;

fn files(settings: &[Setting]) -> Vec<String> {
    settings
        .iter()
        .map(|setting| format!("{}={}", setting.file, setting.text))
        .collect()
}

#[test]
fn the_same_limits_in_both_worlds() {
    let limits = Limits {
        memory_bytes: Some(200),
        memory_swap_bytes: Some(300),
        nano_cpus: Some(500_000_000),
        cpu_shares: Some(512),
        pids: Some(7),
        ..Limits::default()
    };
    assert_eq!(
        files(&v1(&limits)),
        [
            "memory.limit_in_bytes=200",
            "memory.memsw.limit_in_bytes=300",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "cpu.shares=512",
            "pids.max=7"
        ]
    );
    assert_eq!(
        files(&v2(&limits)),
        [
            "memory.max=200",
            "memory.swap.max=100",
            "cpu.max=50000 100000",
            "cpu.weight=50",
            "pids.max=7"
        ]
    );
}

#[test]
fn a_limit_is_lifted_by_the_kernels_word_for_it() {
    let limits = Limits {
        memory_bytes: Some(UNLIMITED),
        memory_reservation_bytes: Some(UNLIMITED),
        nano_cpus: Some(UNLIMITED),
        pids: Some(UNLIMITED),
        ..Limits::default()
    };
    assert_eq!(
        files(&v1(&limits)),
        [
            "memory.limit_in_bytes=-1",
            "memory.memsw.limit_in_bytes=-1",
            "memory.soft_limit_in_bytes=-1",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=-1",
            "pids.max=max"
        ]
    );
    assert_eq!(
        files(&v2(&limits)),
        [
            "memory.max=max",
            "memory.swap.max=max",
            "memory.low=0",
            "cpu.max=max 100000",
            "pids.max=max"
        ]
    );
}

fn map(limits: &Limits) -> Result<Vec<String>, String> {
    let host = Hierarchies {
        v1: std::collections::BTreeMap::new(),
        v2: Some("/sys/fs/cgroup".into()),
        mode: Mode::V2,
    };
    let settings = settings(&host, limits).map_err(|e| e.to_string())?;
    Ok(files(&settings))
}

#[test]
fn numbers_at_the_edge() {
    let huge = Limits {
        memory_bytes: Some(6 << 60),
        ..Limits::default()
    };
    assert_eq!(
        map(&huge).unwrap(),
        [
            "memory.max=6917529027641081856",
            "memory.swap.max=2305843009213693951"
        ]
    );
    let shares = |shares| {
        map(&Limits {
            cpu_shares: Some(shares),
            ..Limits::default()
        })
    };
    assert_eq!(shares(0).unwrap(), [""; 0]);
    assert_eq!(shares(262_144).unwrap(), ["cpu.weight=10000"]);
    for bad in [1, 262_145, u64::MAX] {
        assert_eq!(
            shares(bad).unwrap_err(),
            format!("reading CPU shares \"{bad}\": they are 2 to 262144")
        );
    }
}

#[test]
fn swap_without_a_limit_is_said() {
    let limits = Limits {
        memory_bytes: Some(200),
        memory_swap_bytes: Some(-1),
        ..Limits::default()
    };
    assert_eq!(
        files(&v2(&limits)),
        ["memory.max=200", "memory.swap.max=max"]
    );
    assert_eq!(
        files(&v1(&limits)),
        [
            "memory.limit_in_bytes=200",
            "memory.memsw.limit_in_bytes=-1"
        ]
    );
}

#[test]
fn shares_come_back_from_their_weight() {
    for given in [
        10, 50, 64, 100, 128, 200, 256, 500, 512, 640, 768, 900, 1000, 1024, 1536, 2000, 2048,
        4096, 10_000, 102_400,
    ] {
        assert_eq!(shares(weight(given)), given);
    }
    // Whatever is shown makes the same weight again.
    for kept in 1..=10_000 {
        assert_eq!(weight(shares(kept)), kept);
    }
}
