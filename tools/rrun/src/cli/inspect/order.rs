//! The order of keys in docker's `inspect`: Id first. `serde_json` sorts them, as Go sorts the keys of maps alone.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A value whose objects begin with the keys that docker's begin with.
pub struct InOrder<'a>(pub &'a Value);

/// Of containers and images, each object's in docker's order (moby, `api/types/container` and `api/types/image`). What is
/// not here, labels and ports among it, comes after, sorted.
const KEYS: &str = "Id RepoTags RepoDigests Parent Comment Created Author Path Args \
    State Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt \
    Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd \
    Image Volumes WorkingDir Entrypoint OnBuild Config \
    ResolvConfPath HostnamePath HostsPath LogPath Type Name RestartCount Source Destination Driver Mode RW Propagation Platform \
    MountLabel ProcessLabel AppArmorProfile ExecIDs \
    HostConfig Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom \
    CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Links OomScoreAdj PidMode Privileged \
    PublishAllPorts ReadonlyRootfs SecurityOpt Tmpfs UTSMode UsernsMode ShmSize Runtime Isolation CpuShares Memory NanoCpus \
    CgroupParent BlkioWeight CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap \
    OomKillDisable PidsLimit Ulimits MaskedPaths ReadonlyPaths Init \
    Architecture Variant Os OsVersion Size GraphDriver SizeRw SizeRootFs Mounts Labels StopSignal StopTimeout \
    NetworkSettings Bridge SandboxID SandboxKey Ports RootFS Metadata NetworkID EndpointID IPAddress IPPrefixLen Gateway MacAddress Networks";

/// Of the configuration in a container's object: it comes late there, and early in an image's.
fn place(key: &str, is_container: bool) -> usize {
    let place = KEYS.split_whitespace().position(|known| known == key);
    match key {
        "Config" if is_container => KEYS
            .split_whitespace()
            .position(|known| known == "Mounts")
            .map_or(0, |mounts| mounts + 1),
        _ => place.unwrap_or(usize::MAX),
    }
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(all) => {
                let is_container = all.contains_key("HostConfig");
                let mut entries: Vec<(&String, &Value)> = all.iter().collect();
                // Stable: what is not known stays sorted.
                entries.sort_by_key(|(key, _)| place(key, is_container));
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &InOrder(value))?;
                }
                map.end()
            }
            Value::Array(all) => to.collect_seq(all.iter().map(InOrder)),
            other => other.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn id_is_first_and_labels_are_sorted() {
        let value = json!({"Args": [], "Config": {"Image": "x", "Cmd": [], "Labels": {"b": "1", "a": "2"}}, "Id": "1",
            "HostConfig": {}, "Mounts": [{"Destination": "/b", "Source": "/a", "Type": "bind"}], "Created": "now"});
        let text = serde_json::to_string(&InOrder(&value)).unwrap();
        let expected = r#"{"Id":"1","Created":"now","Args":[],"HostConfig":{},"Mounts":[{"Type":"bind","Source":"/a","Destination":"/b"}],"Config":{"Cmd":[],"Image":"x","Labels":{"a":"2","b":"1"}}}"#;
        assert_eq!(text, expected);
    }
}
