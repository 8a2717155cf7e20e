//! Which network namespace a verb works in: ours, or another, entered for the moment of each call.

use std::os::fd::AsFd;
use std::path::PathBuf;

use kit_net::{Link, NetError, Netlink, Nft};
use kit_plan::{Context, Line, Value};
use kit_sys::calls;
use rnetns::Netns;

use crate::BridgeError;

/// Our own namespace, or another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Option<Netns>);

impl Place {
    /// Of a verb's `--netns`.
    pub fn new(netns: Option<Netns>) -> Self {
        Self(netns)
    }

    /// Whether it is the caller's.
    pub fn is_ours(&self) -> bool {
        self.0.is_none()
    }

    /// Its file, for journals and scripts.
    pub fn path(&self) -> Option<PathBuf> {
        self.0.as_ref().map(Netns::path)
    }

    /// A link of this namespace as every verb takes it: `LINK`, or `LINK@NETNS`.
    pub fn named(&self, link: &str) -> String {
        match self.label() {
            None => link.to_owned(),
            Some(netns) => format!("{link}@{netns}"),
        }
    }

    /// As a user writes it; `None` for our own.
    fn label(&self) -> Option<String> {
        Some(match self.0.as_ref()? {
            Netns::Name(name) => name.clone(),
            Netns::Pid(pid) => format!("pid:{pid}"),
            Netns::Path(path) => path.display().to_string(),
        })
    }

    /// Does one thing there, and comes back.
    pub fn within<T>(
        &self,
        act: impl FnOnce() -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        match &self.0 {
            None => act(),
            Some(netns) => kit_net::within(netns.open()?.as_fd(), act),
        }
    }

    /// A socket there, for links, addresses and routes.
    pub fn netlink(&self) -> Result<Netlink, BridgeError> {
        self.within(|| Ok(Netlink::open()?))
    }

    /// A socket there, for nftables.
    pub fn nft(&self) -> Result<Nft, BridgeError> {
        self.within(|| Ok(Nft::open()?))
    }

    /// The context's nftables socket, which stays open as long as the context: see [`kit_net::nft`].
    pub(crate) fn with_nft<T>(
        &self,
        cx: &mut Context,
        act: impl FnOnce(&Nft) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        if self.is_ours() {
            act(cx
                .kept_or(Nft::open)
                .map_err(|error: NetError| BridgeError::from(error))?)
        } else {
            act(&self.nft()?)
        }
    }

    /// A bridge by its name.
    pub fn bridge(&self, name: &str) -> Result<Link, BridgeError> {
        let link = self.netlink()?.link(name)?;
        let link = link.ok_or_else(|| BridgeError::NoBridge {
            name: self.named(name),
        })?;
        if link.kind.as_deref() == Some("bridge") {
            return Ok(link);
        }
        Err(BridgeError::NotBridge {
            name: self.named(name),
            kind: link.what().to_owned(),
        })
    }

    /// `argv`, in this namespace.
    pub(crate) fn words(&self, argv: Vec<Value>) -> Vec<Value> {
        let mut words = Vec::new();
        if let Some(path) = self.path() {
            let mut net = std::ffi::OsString::from("--net=");
            net.push(path);
            words.extend([Value::from("nsenter"), Value::from(net)]);
        }
        words.extend(argv);
        words
    }

    pub(crate) fn run(&self, argv: Vec<Value>) -> Line {
        Line::Run(self.words(argv))
    }

    /// A batch for nft(8).
    pub(crate) fn feed(&self, text: impl Into<Value>) -> Line {
        Line::Feed {
            argv: self.words(kit_plan::words!["nft", "-f", "-"]),
            text: text.into(),
        }
    }

    /// A sysctl: `ipv4/ip_forward`.
    pub(crate) fn write(&self, sysctl: &str, value: &str) -> Line {
        let path = sysctl_path(sysctl);
        if self.is_ours() {
            return Line::Write {
                path: path.into(),
                text: value.into(),
            };
        }
        let argv = kit_plan::words!["sh", "-c", "echo \"$1\" >\"$2\"", "sh", value, path];
        self.run(argv)
    }

    pub(crate) fn read_sysctl(&self, sysctl: &str) -> Result<String, BridgeError> {
        let path = sysctl_path(sysctl);
        self.within(|| {
            let text =
                std::fs::read_to_string(&path).map_err(BridgeError::io("reading", path.clone()))?;
            Ok(text.trim_end().to_owned())
        })
    }

    /// By one write(2), without O_CREAT, which would turn "no such sysctl" into "permission denied".
    pub(crate) fn write_sysctl(&self, sysctl: &str, value: &str) -> Result<(), BridgeError> {
        let path = sysctl_path(sysctl);
        self.within(|| {
            let text = value.as_bytes();
            let written = calls::told(
                || calls::fs::written(&path, text, "O_WRONLY"),
                || {
                    let file = std::fs::OpenOptions::new().write(true).open(&path);
                    file.and_then(|mut file| std::io::Write::write_all(&mut file, text))
                },
            );
            written.map_err(BridgeError::io("writing", path.clone()))
        })
    }
}

pub(crate) fn sysctl_path(sysctl: &str) -> PathBuf {
    PathBuf::from("/proc/sys/net").join(sysctl)
}
