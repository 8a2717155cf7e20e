//! An image of this machine's programs, so that no test needs a registry.

/// The programs of the image "tools".
const PROGRAMS: [&str; 20] = [
    "sh", "ls", "cat", "ip", "id", "ps", "sleep", "hostname", "grep", "readlink", "head", "tail",
    "socat", "touch", "stat", "env", "kill", "stty", "mkdir", "rm",
];

/// The command that packs them.
pub fn pack() -> String {
    format!("runpack pack -t tools --bin {}", PROGRAMS.join(" "))
}
