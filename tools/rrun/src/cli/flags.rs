//! The flags that `run` and `create` share, and what they mean.

use clap::{ArgAction, Args};
use kit_cli::Act;
use kit_plan::os_text::escape;

use super::ours::Neutral;

// docker's flags. Whatever follows IMAGE belongs to the program.
#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    pub act: Act,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// Its name
    #[arg(long)]
    pub name: Option<String>,
    /// Set a variable, or pass the caller's on
    #[arg(short, long, value_name = "K[=V]", value_parser = Bytes)]
    pub env: Vec<String>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<std::path::PathBuf>,
    /// Working directory
    #[arg(short, long, default_value = "", hide_default_value = true, value_parser = Bytes)]
    pub workdir: String,
    /// User, or UID, and :group
    #[arg(short, long, value_parser = Bytes)]
    pub user: Option<String>,
    /// Host name
    #[arg(short = 'h', long)]
    pub hostname: Option<String>,
    /// Run this instead of the image's entrypoint
    #[arg(long, value_parser = Bytes)]
    pub entrypoint: Option<String>,
    /// Set a label
    #[arg(short, long, value_name = "K=V")]
    pub label: Vec<String>,
    /// Write the ID to a file that must not exist
    #[arg(long, value_name = "FILE", value_parser = Bytes)]
    pub cidfile: Option<String>,
    /// Mount a volume or a directory: [SOURCE:]PATH[:ro,create=dir|file]
    #[arg(short, long, value_parser = Bytes)]
    pub volume: Vec<String>,
    /// Mount: type=bind|volume|tmpfs,source=…,target=…[,readonly]
    #[arg(long, value_parser = Bytes)]
    pub mount: Vec<String>,
    /// Mount memory: PATH[:size=…,mode=…]
    #[arg(long, value_parser = Bytes)]
    pub tmpfs: Vec<String>,
    /// Publish a port: [IP:][PORT:]PORT[/udp]
    #[arg(short, long)]
    pub publish: Vec<String>,
    /// Publish every exposed port at a free one
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Expose a port, for -P
    #[arg(long)]
    pub expose: Vec<String>,
    /// Memory limit, like 100m
    #[arg(short, long)]
    pub memory: Option<String>,
    /// Memory and swap together; -1 for no limit
    #[arg(long, allow_hyphen_values = true)]
    pub memory_swap: Option<String>,
    /// Memory that is left alone while there is enough
    #[arg(long)]
    pub memory_reservation: Option<String>,
    /// CPUs, like 1.5
    #[arg(long)]
    pub cpus: Option<String>,
    /// CPU weight, 1024 by default
    #[arg(short, long)]
    pub cpu_shares: Option<u64>,
    /// CPUs to run on
    #[arg(long)]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes to use
    #[arg(long)]
    pub cpuset_mems: Option<String>,
    /// Limit of processes
    #[arg(long, allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,
    /// Block I/O weight
    #[arg(long, value_parser = blkio_weight)]
    pub blkio_weight: Option<u16>,
    /// Whom the kernel kills when memory runs out: -1000, never this one, to 1000, first
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub oom_score_adj: Option<String>,
    /// bridge, none, host, container:NAME, ns:NETNS
    #[arg(long, visible_alias = "net")]
    pub network: Vec<String>,
    /// A root that cannot be written
    #[arg(long)]
    pub read_only: bool,
    /// All capabilities, no mask, no filter
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub privileged: bool,
    /// Add a capability
    #[arg(long)]
    pub cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long)]
    pub cap_drop: Vec<String>,
    /// no-new-privileges, seccomp=unconfined, seccomp=FILE
    #[arg(long)]
    pub security_opt: Vec<String>,
    /// TYPE=SOFT[:HARD]
    #[arg(long)]
    pub ulimit: Vec<String>,
    /// The signal that stop sends
    #[arg(long)]
    pub stop_signal: Option<String>,
    /// Seconds until stop kills
    #[arg(long)]
    pub stop_timeout: Option<u32>,
    /// An init of ours as PID 1, which reaps and passes signals on
    #[arg(long)]
    pub init: bool,
    /// No image: this directory is the root
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<std::path::PathBuf>,
    /// Join this cgroup instead of one of its own
    #[arg(long, value_name = "NAME")]
    pub cgroup: Option<String>,
    /// The image's platform, OS/ARCHITECTURE: another one is refused
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    #[command(flatten)]
    pub neutral: Neutral,
    /// Print help
    #[arg(long, action = ArgAction::HelpLong)]
    pub help: Option<bool>,
    /// IMAGE [COMMAND [ARG…]]; with --rootfs, the command
    #[arg(trailing_var_arg = true, value_name = "IMAGE COMMAND", value_parser = Bytes)]
    pub words: Vec<String>,
}

/// Text of any bytes: a path, an argument, a variable, a user's name. What is not UTF-8 in it is escaped, since
/// config.json has strings. Names of containers, labels and host names are text: other bytes in them are refused.
#[derive(Clone)]
pub struct Bytes;

impl clap::builder::TypedValueParser for Bytes {
    type Value = String;

    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        Ok(escape(value))
    }
}

/// 10 to 1000; 0 is docker's for none.
fn blkio_weight(text: &str) -> Result<u16, kit_cli::BadValue> {
    let weight = text.parse().ok();
    weight
        .filter(|weight| matches!(weight, 0 | 10..=1000))
        .ok_or(kit_cli::BadValue("it is a number from 10 to 1000"))
}

impl Create {
    pub fn network(&self) -> &str {
        self.network.first().map_or("bridge", String::as_str)
    }
}
