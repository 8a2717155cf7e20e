//! The fields of `linux.resources` that docker has no flag for, as the kernel documents their files.

use std::fmt::Write;

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources, LinuxThrottleDevice};
use rcgroup::Setting;

use super::{PERIOD_USEC, has_dockers_period};
use crate::EngineError;

/// The settings of these fields.
pub struct Raw {
    pub v2: bool,
    pub settings: Vec<Setting>,
}

impl Raw {
    fn put(
        &mut self,
        controller: &'static str,
        file: impl Into<std::borrow::Cow<'static, str>>,
        text: impl std::fmt::Display,
        formula: &'static str,
    ) {
        self.settings
            .push(Setting::raw(controller, file, text, formula));
    }

    /// One line of a file that has one for each device.
    fn put_line(
        &mut self,
        controller: &'static str,
        file: impl Into<std::borrow::Cow<'static, str>>,
        text: impl std::fmt::Display,
        formula: &'static str,
    ) {
        let setting = Setting::raw(controller, file, text, formula);
        self.settings.push(setting.one_of_many());
    }

    /// A setting whose file only v1 has.
    fn v1_only(
        &mut self,
        field: &str,
        (controller, file): (&'static str, &'static str),
        text: Option<impl std::fmt::Display>,
    ) -> Result<(), EngineError> {
        let Some(text) = text else { return Ok(()) };
        if self.v2 {
            let field = format!("linux.resources.{field}");
            return Err(EngineError::unsupported(
                field,
                format!("cgroup v2 has no {file}, and this host has no v1"),
            ));
        }
        self.put(controller, file, text, "as config.json has it");
        Ok(())
    }

    pub fn cpu(&mut self, cpu: &LinuxCpu) -> Result<(), EngineError> {
        let quota = cpu.quota().filter(|quota| *quota != 0);
        let period = cpu.period().filter(|period| *period != 0);
        if !has_dockers_period(cpu) {
            let period = period.unwrap_or(PERIOD_USEC);
            let formula = "a quota of CPU time in each period, in microseconds";
            if self.v2 {
                let quota = quota.filter(|quota| *quota > 0);
                let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
                self.put("cpu", "cpu.max", format!("{quota} {period}"), formula);
            } else {
                self.put("cpu", "cpu.cfs_period_us", period, formula);
                if let Some(quota) = quota {
                    self.put("cpu", "cpu.cfs_quota_us", quota, formula);
                }
            }
        }
        if let Some(burst) = cpu.burst() {
            let file = if self.v2 {
                "cpu.max.burst"
            } else {
                "cpu.cfs_burst_us"
            };
            self.put(
                "cpu",
                file,
                burst,
                "CPU time that may be saved up, in microseconds",
            );
        }
        if let Some(idle) = cpu.idle() {
            self.put("cpu", "cpu.idle", idle, "1: it runs when nobody else does");
        }
        self.v1_only(
            "cpu.realtimePeriod",
            ("cpu", "cpu.rt_period_us"),
            cpu.realtime_period().filter(|period| *period != 0),
        )?;
        self.v1_only(
            "cpu.realtimeRuntime",
            ("cpu", "cpu.rt_runtime_us"),
            cpu.realtime_runtime().filter(|runtime| *runtime != 0),
        )
    }

    pub fn memory(&mut self, memory: &LinuxMemory) -> Result<(), EngineError> {
        let tcp = ("memory", "memory.kmem.tcp.limit_in_bytes");
        self.v1_only("memory.kernelTCP", tcp, memory.kernel_tcp())?;
        let swappiness = ("memory", "memory.swappiness");
        self.v1_only("memory.swappiness", swappiness, memory.swappiness())?;
        // memory.oom_control reads back as three lines, so that it is not compared.
        if memory.disable_oom_killer() == Some(true) {
            self.v1_only(
                "memory.disableOOMKiller",
                ("memory", "memory.oom_control"),
                Some(1),
            )?;
            self.settings
                .last_mut()
                .into_iter()
                .for_each(|last| last.alone = false);
        }
        Ok(())
    }

    pub fn block_io(&mut self, io: &LinuxBlockIo) {
        for device in io.weight_device().iter().flatten() {
            let Some(weight) = device.weight() else {
                continue;
            };
            let text = format!("{}:{} {weight}", device.major(), device.minor());
            let formula = "the weight of one device, for the bfq scheduler";
            if self.v2 {
                self.put_line("io", "io.bfq.weight", text, formula);
            } else {
                self.put_line("blkio", "blkio.bfq.weight_device", text, formula);
            }
        }
        let bytes = "bytes a second, of one device";
        let operations = "operations a second, of one device";
        self.throttle(
            io.throttle_read_bps_device().as_ref(),
            ("read_bps", "rbps"),
            bytes,
        );
        self.throttle(
            io.throttle_write_bps_device().as_ref(),
            ("write_bps", "wbps"),
            bytes,
        );
        self.throttle(
            io.throttle_read_iops_device().as_ref(),
            ("read_iops", "riops"),
            operations,
        );
        self.throttle(
            io.throttle_write_iops_device().as_ref(),
            ("write_iops", "wiops"),
            operations,
        );
    }

    fn throttle(
        &mut self,
        devices: Option<&Vec<LinuxThrottleDevice>>,
        (v1, v2): (&str, &str),
        formula: &'static str,
    ) {
        for device in devices.into_iter().flatten() {
            let (major, minor, rate) = (device.major(), device.minor(), device.rate());
            if self.v2 {
                self.put_line(
                    "io",
                    "io.max",
                    format!("{major}:{minor} {v2}={rate}"),
                    formula,
                );
            } else {
                let file = format!("blkio.throttle.{v1}_device");
                self.put_line("blkio", file, format!("{major}:{minor} {rate}"), formula);
            }
        }
    }

    pub fn rest(&mut self, resources: &LinuxResources) -> Result<(), EngineError> {
        for page in resources.hugepage_limits().iter().flatten() {
            let end = if self.v2 { "max" } else { "limit_in_bytes" };
            let file = format!(
                "hugetlb.{}.{end}",
                checked_part(page.page_size(), "hugepageLimits")?
            );
            self.put(
                "hugetlb",
                file,
                page.limit(),
                "huge pages of this size, in bytes",
            );
        }
        if let Some(network) = resources.network() {
            self.v1_only(
                "network.classID",
                ("net_cls", "net_cls.classid"),
                network.class_id(),
            )?;
            for link in network.priorities().iter().flatten() {
                let text = format!("{} {}", link.name(), link.priority());
                self.v1_only(
                    "network.priorities",
                    ("net_prio", "net_prio.ifpriomap"),
                    Some(text),
                )?;
                self.settings
                    .last_mut()
                    .into_iter()
                    .for_each(|last| last.alone = false);
            }
        }
        let mut devices: Vec<_> = resources.rdma().iter().flatten().collect();
        devices.sort_by_key(|(name, _)| *name);
        for (name, most) in devices {
            let mut text = name.clone();
            for (word, value) in [
                ("hca_handle", most.hca_handles()),
                ("hca_object", most.hca_objects()),
            ] {
                if let Some(value) = value {
                    let _ = write!(text, " {word}={value}");
                }
            }
            self.put_line(
                "rdma",
                "rdma.max",
                text,
                "handles and objects of one RDMA device",
            );
        }
        self.unified(resources)
    }

    fn unified(&mut self, resources: &LinuxResources) -> Result<(), EngineError> {
        let mut files: Vec<_> = resources.unified().iter().flatten().collect();
        files.sort();
        if let (false, Some((file, _))) = (self.v2, files.first()) {
            let reason =
                format!("{file} is a file of cgroup v2, and this host's controllers are on v1");
            return Err(EngineError::unsupported("linux.resources.unified", reason));
        }
        for (file, text) in files {
            let file = checked_part(file, "unified")?;
            // Found by the part before the dot when its controller is to be enabled.
            let controller = V2_CONTROLLERS
                .iter()
                .find(|name| file.split('.').next() == Some(name));
            self.put_line(
                controller.copied().unwrap_or("cgroup"),
                file,
                text,
                "as config.json has it",
            );
        }
        Ok(())
    }
}

/// Controllers of cgroup v2 (cgroup-v2.rst).
const V2_CONTROLLERS: [&str; 9] = [
    "cpu",
    "cpuset",
    "memory",
    "io",
    "pids",
    "rdma",
    "hugetlb",
    "misc",
    "perf_event",
];

/// A part of a control file's name, which leaves no directory.
fn checked_part(text: &str, field: &str) -> Result<String, EngineError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        let reason = format!("{text:?} names no file of a cgroup");
        return Err(EngineError::invalid(
            format!("linux.resources.{field}"),
            reason,
        ));
    }
    Ok(text.to_owned())
}
