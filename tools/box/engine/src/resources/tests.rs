//! What config.json says, as kernel files of either version of cgroups.

use std::collections::BTreeMap;

use super::*;

fn host(mode: Mode) -> Hierarchies {
    let controllers = [
        "cpu", "cpuset", "memory", "blkio", "pids", "hugetlb", "net_cls", "net_prio", "rdma",
    ];
    let v1 = controllers.map(|name| (name.to_owned(), format!("/cg/{name}").into()));
    Hierarchies {
        v1: if mode == Mode::V2 {
            BTreeMap::new()
        } else {
            BTreeMap::from(v1)
        },
        v2: Some("/cg".into()),
        mode,
    }
}

/// `file=text` of each setting, or the error.
fn files(mode: Mode, resources: &str) -> Result<Vec<String>, String> {
    let resources: LinuxResources = serde_json::from_str(resources).unwrap();
    let settings = settings(&host(mode), &resources).map_err(|e| e.to_string())?;
    let line = |setting: Setting| format!("{}={}", setting.file, setting.text);
    Ok(settings.into_iter().map(line).collect())
}

#[test]
fn each_field_has_its_file_in_either_version() {
    for (json, v1, v2) in [
        (
            r#"{"memory":{"limit":8388608}}"#,
            &["memory.limit_in_bytes=8388608"][..],
            &["memory.max=8388608"][..],
        ),
        (
            r#"{"memory":{"limit":8388608,"swap":16777216}}"#,
            &[
                "memory.limit_in_bytes=8388608",
                "memory.memsw.limit_in_bytes=16777216",
            ],
            &["memory.max=8388608", "memory.swap.max=8388608"],
        ),
        (
            r#"{"memory":{"reservation":4096}}"#,
            &["memory.soft_limit_in_bytes=4096"],
            &["memory.low=4096"],
        ),
        (r#"{"memory":{"limit":-1},"pids":{"limit":0}}"#, &[], &[]),
        (
            r#"{"cpu":{"quota":50000,"period":100000}}"#,
            &["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"],
            &["cpu.max=50000 100000"],
        ),
        (
            r#"{"cpu":{"quota":20000,"period":50000}}"#,
            &["cpu.cfs_period_us=50000", "cpu.cfs_quota_us=20000"],
            &["cpu.max=20000 50000"],
        ),
        (
            r#"{"cpu":{"period":50000}}"#,
            &["cpu.cfs_period_us=50000"],
            &["cpu.max=max 50000"],
        ),
        (
            r#"{"cpu":{"burst":1000,"idle":1}}"#,
            &["cpu.cfs_burst_us=1000", "cpu.idle=1"],
            &["cpu.max.burst=1000", "cpu.idle=1"],
        ),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":9}],"weightDevice":[{"major":8,"minor":0,"weight":20}]}}"#,
            &[
                "blkio.bfq.weight_device=8:0 20",
                "blkio.throttle.read_bps_device=8:0 9",
            ],
            &["io.bfq.weight=8:0 20", "io.max=8:0 rbps=9"],
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":7}]}"#,
            &["hugetlb.2MB.limit_in_bytes=7"],
            &["hugetlb.2MB.max=7"],
        ),
        (
            r#"{"rdma":{"mlx5_0":{"hcaHandles":3}}}"#,
            &["rdma.max=mlx5_0 hca_handle=3"],
            &["rdma.max=mlx5_0 hca_handle=3"],
        ),
    ] {
        assert_eq!(files(Mode::Hybrid, json).unwrap(), v1, "{json}");
        assert_eq!(files(Mode::V2, json).unwrap(), v2, "{json}");
    }
}

#[test]
fn what_one_version_lacks_is_refused_there_by_its_name() {
    for (json, field) in [
        (r#"{"memory":{"swappiness":10}}"#, "memory.swappiness"),
        (r#"{"memory":{"kernelTCP":10}}"#, "memory.kernelTCP"),
        (
            r#"{"memory":{"disableOOMKiller":true}}"#,
            "memory.disableOOMKiller",
        ),
        (r#"{"cpu":{"realtimeRuntime":10}}"#, "cpu.realtimeRuntime"),
        (r#"{"network":{"classID":10}}"#, "network.classID"),
        (
            r#"{"network":{"priorities":[{"name":"eth0","priority":1}]}}"#,
            "network.priorities",
        ),
    ] {
        assert!(files(Mode::Hybrid, json).is_ok(), "{json}");
        let said = files(Mode::V2, json).unwrap_err();
        assert!(
            said.starts_with(&format!("carrying out \"linux.resources.{field}\"")),
            "{said}"
        );
    }
    let high = r#"{"unified":{"memory.high":"1"}}"#;
    assert_eq!(files(Mode::V2, high).unwrap(), ["memory.high=1"]);
    assert!(
        files(Mode::Hybrid, high)
            .unwrap_err()
            .contains("linux.resources.unified")
    );
    for bad in ["../memory.high", "", "a/b"] {
        let json = format!(r#"{{"unified":{{"{bad}":"1"}}}}"#);
        assert!(
            files(Mode::V2, &json)
                .unwrap_err()
                .contains("names no file"),
            "{bad}"
        );
    }
}

/// `rrun inspect` shows what `rrun run` was given.
#[test]
fn dockers_limits_come_back() {
    let given = Limits {
        memory_bytes: Some(64 << 20),
        memory_swap_bytes: Some(-1),
        memory_reservation_bytes: Some(32 << 20),
        nano_cpus: Some(1_500_000_000),
        cpu_shares: Some(512),
        cpuset_cpus: Some("0".to_owned()),
        cpuset_mems: Some("0".to_owned()),
        pids: Some(20),
        blkio_weight: Some(300),
    };
    assert_eq!(limits(&to_resources(&given)), given);
    assert_eq!(limits(&to_resources(&Limits::default())), Limits::default());
    let memory = Limits {
        memory_bytes: Some(8 << 20),
        ..Limits::default()
    };
    assert_eq!(
        limits(&to_resources(&memory)).memory_swap_bytes,
        Some(16 << 20)
    );
}
