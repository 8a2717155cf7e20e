//! What undoing a record is, for a learner.

use crate::{Saying, Undo};

mod says {
    crate::sayings! {
        Network {
            link(name): "Delete link {name}", "删除网卡 {name}";
            addr(addr, name): "Take address {addr} off {name}", "从 {name} 上取下地址 {addr}";
            link_state(name): "Give link {name} back what it was", "恢复网卡 {name} 原来的设置";
            table(table): "Delete nftables table {table}", "删除 nftables 表 {table}";
            rule(table, chain): "Delete the rule in chain {chain} of table {table}", "删除表 {table} 中链 {chain} 的规则";
            element(table, map): "Take the element out of {map} of nftables table {table}", "从 nftables 表 {table} 的 {map} 中取出元素";
            flows(port): "Forget the UDP flows of port {port}", "清除端口 {port} 的 UDP 连接跟踪";
        }
        Cgroup {
            cgroup(path): "Remove cgroup {path}, its processes killed first", "先杀死其中的进程，再删除 cgroup {path}";
        }
        Root {
            unmount(path): "Unmount {path}", "卸载 {path}";
        }
        Files {
            unlink(path): "Remove file {path}", "删除文件 {path}";
            rmdir(path): "Remove directory {path}", "删除目录 {path}";
            tree(path): "Remove directory {path} with all in it", "删除目录 {path} 及其全部内容";
            restore(path, was): "Write {was} back to {path}", "把 {was} 写回 {path}";
        }
        Program {
            kill(): "Kill the process: its namespaces and what is mounted in them go with it", "杀死该进程：它的命名空间和其中的挂载随之消失";
        }
    }
}

impl Undo {
    /// What undoing this is.
    pub fn says(&self) -> Saying {
        match self {
            Self::Link { name, .. } => says::link(name),
            Self::Addr { name, addr, .. } => says::addr(addr, name),
            Self::LinkState { name, .. } => says::link_state(name),
            Self::NftTable { table, .. } => says::table(table),
            Self::NftRule { table, chain, .. } => says::rule(table, chain),
            Self::NftElement { table, map, .. } => says::element(table, map),
            Self::Flows { port, .. } => says::flows(port),
            Self::Cgroup { path, .. } => says::cgroup(path.display()),
            Self::Unmount { path, .. } => says::unmount(path.display()),
            Self::Unlink { path, .. } => says::unlink(path.display()),
            Self::Rmdir { path, .. } => says::rmdir(path.display()),
            Self::Tree { path, .. } => says::tree(path.display()),
            Self::Kill { .. } => says::kill(),
            Self::Restore { path, was, .. } => says::restore(path.display(), was.trim()),
        }
    }
}
