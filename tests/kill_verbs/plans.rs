//! The plans of the verbs that have several steps, as their commands make them.

use std::path::Path;

use kit_plan::{Instance, Plan};
use rbridge::Place;
use rcgroup::{Hierarchies, Limits};
use rmount::bind::BindOptions;
use rmount::inroot::Make;
use rmount::overlay::{Lowers, Overlay, OverlayOptions, Upper};
use rmount::step::{MakePlace, MountBind, MountOverlay, MountTmpfs};
use rmount::tmpfs::Tmpfs;
use rnetns::Netns;
use rveth::{Link, MacvlanMode};

/// Each verb of several steps, by a name of ours.
pub fn plan_of(verb: &str, instance: &Instance) -> Plan {
    let here = std::env::current_dir().unwrap();
    match verb {
        "netns" => rnetns::add::plan("green", false).unwrap(),
        "pair" | "pair away" | "gateway unreachable" => pair(verb),
        "macvlan" => {
            let a = wanted("mac0@blue", &["10.9.0.7/24"], &[]);
            rveth::add::macvlan(&a, "v0", MacvlanMode::Bridge).unwrap()
        }
        "set" => {
            let changes = rveth::set::Wanted {
                up: Some(true),
                netns: Some(Netns::parse("blue").unwrap()),
                name: Some("moved".to_owned()),
                mac: Some("02:00:00:00:09:01".parse().unwrap()),
                mtu: Some(1300),
                addrs: vec!["10.9.0.9/24".parse().unwrap()],
                del_addrs: Vec::new(),
            };
            rveth::set::plan(&Link::parse("v0").unwrap(), &changes).unwrap()
        }
        "bridge" | "bridge away" | "bridge address twice" | "nat" | "nat away" => {
            bridge(verb, instance)
        }
        "overlay" => {
            let at = |name: &str| here.join(name);
            let overlay = Overlay {
                lowers: Lowers::topmost_first([at("l1"), at("l2")]),
                upper: Some(Upper {
                    upper: at("new/up"),
                    work: at("new/work"),
                }),
                options: OverlayOptions::default(),
            };
            let places = ["new/up", "new/work", "new/m"].map(|name| place(&here.join(name)));
            let target = at("new/m");
            rmount::step::plan(
                "overlay".into(),
                places.into(),
                MountOverlay { overlay, target },
            )
        }
        "bind" => {
            let (source, target) = (here.join("l1"), here.join("new/m"));
            let options = BindOptions::default();
            let bind = MountBind {
                source,
                target: target.clone(),
                options,
            };
            rmount::step::plan("bind".into(), vec![place(&target)], bind)
        }
        "tmpfs" => {
            let target = here.join("new/m");
            let tmpfs = Tmpfs::default();
            rmount::step::plan(
                "tmpfs".into(),
                vec![place(&target)],
                MountTmpfs { tmpfs, target },
            )
        }
        "cgroup" | "cgroup set" => cgroup(verb, &here),
        other => panic!("no verb {other}"),
    }
}

fn place(path: &Path) -> MakePlace {
    MakePlace {
        path: path.to_owned(),
        make: Make::Dir,
    }
}

fn wanted(link: &str, addrs: &[&str], gateways: &[&str]) -> rveth::add::Wanted {
    rveth::add::Wanted {
        link: Link::parse(link).unwrap(),
        addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
        gateways: gateways.iter().map(|addr| addr.parse().unwrap()).collect(),
        mac: None,
        mtu: Some(1400),
    }
}

fn pair(verb: &str) -> Plan {
    let (a, b) = match verb {
        "pair" => ("left", "right@blue"),
        _ => ("left@green", "right@blue"),
    };
    let gateway = match verb {
        "gateway unreachable" => "10.8.0.1",
        _ => "10.9.0.1",
    };
    rveth::add::pair(
        &wanted(a, &["10.9.0.1/24", "fd09::1/64"], &[]),
        &wanted(b, &["10.9.0.2/24"], &[gateway]),
    )
    .unwrap()
}

fn bridge(verb: &str, instance: &Instance) -> Plan {
    let place = match verb {
        "bridge away" | "nat away" => Place::new(Some(Netns::parse("blue").unwrap())),
        _ => Place::default(),
    };
    if verb.starts_with("nat") {
        return rbridge::nat::on_plan(instance, &place, "br0").unwrap();
    }
    let second = match verb {
        "bridge address twice" => "10.7.0.1/24",
        _ => "fd07::1/64",
    };
    let addrs = ["10.7.0.1/24", second].map(|addr| addr.parse().unwrap());
    rbridge::bridge::add_plan(instance, &place, "br1", &addrs).unwrap()
}

/// The name of the scratch directory makes one that nobody else has.
pub fn group(here: &Path) -> String {
    format!(
        "kill{}",
        here.file_name().unwrap().to_str().unwrap().replace('.', "")
    )
}

fn cgroup(verb: &str, here: &Path) -> Plan {
    let host = Hierarchies::detect().unwrap();
    let limits = Limits {
        memory_bytes: Some(64 << 20),
        nano_cpus: Some(500_000_000),
        pids: Some(20),
        cpuset_cpus: Some("0".to_owned()),
        ..Limits::default()
    };
    let name = group(here);
    if verb == "cgroup set" {
        return rcgroup::set::plan(&host, &format!("{name}-there"), &limits).unwrap();
    }
    rcgroup::create::plan(&host, &format!("{name}/below/leaf"), &limits).unwrap()
}
