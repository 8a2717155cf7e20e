//! Files of networks that an earlier boxkit wrote are read; those that cannot be read, or that a later one wrote, are refused in words and
//! stay as they are.

use std::path::Path;

use kit_plan::Fault;
use rbridge::{choice, repair::repair};

use super::*;

const HURT: [(&str, &str, &str); 2] = [
    (
        "{\"na",
        "EOF while parsing a string at line 1 column 4",
        "rm PATH removes it, and boxkit goes on as if it had never been",
    ),
    (
        "{\"version\":2}",
        "it is of version 2, and this boxkit knows 1",
        "a later boxkit wrote it: use that one",
    ),
];

/// Each of `calls` refuses the file at `path`, whose text stays.
fn refused(path: &Path, calls: &[&dyn Fn() -> Option<BridgeError>]) {
    for (text, reason, hint) in HURT {
        std::fs::write(path, text).unwrap();
        for call in calls {
            let error = call().expect("it goes on without the file");
            assert_eq!(error.to_string(), format!("reading {path:?}: {reason}"));
            let hint = hint.replace("PATH", path.to_str().unwrap());
            assert_eq!(error.hint().as_deref(), Some(&hint[..]));
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }
}

#[test]
fn a_record_that_is_not_understood_is_not_overwritten() {
    own_netns();
    let (_dir, roots) = roots();
    let nft = Nft::open().unwrap();
    let network = ensure(&roots, &nft).unwrap();
    let path = Dir::new(&roots, "bridge").path().join("network.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"version\":1,\"name\":"), "{text}");
    let before = sh("ip -j link; nft list ruleset");
    refused(
        &path,
        &[
            &|| preview(&roots).err(),
            &|| ensure(&roots, &nft).err(),
            &|| remove(&roots, &nft, "bridge").err(),
            &|| repair(&roots, &nft).err(),
            &|| choice::show(&roots).err(),
        ],
    );
    assert_eq!(sh("ip -j link; nft list ruleset"), before);
    let old = text.replace("\"version\":1,", "");
    std::fs::write(&path, &old).unwrap();
    assert_eq!(ensure(&roots, &nft).unwrap(), network);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), old);
    assert!(remove(&roots, &nft, "bridge").unwrap());
}

#[test]
fn a_lease_that_is_not_understood_is_not_taken_over() {
    own_netns();
    let (_dir, roots) = roots();
    let nft = Nft::open().unwrap();
    let mut network = ensure(&roots, &nft).unwrap();
    // Room for one container.
    network.prefix = 30;
    let dir = Dir::new(&roots, "bridge");
    let addr = acquire(&dir, &network, "c1").unwrap();
    let path = dir.path().join("leases").join(addr.to_string());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("{\"version\":1,\"owner\":\"c1\""),
        "{text}"
    );
    refused(
        &path,
        &[
            &|| leases(&dir).err(),
            &|| sweep(&dir).err(),
            &|| acquire(&dir, &network, "c2").err(),
            &|| repair(&roots, &nft).err(),
            &|| remove(&roots, &nft, "bridge").err(),
        ],
    );
    std::fs::write(&path, "{\"owner\":\"c1\"}").unwrap();
    assert_eq!(leases(&dir).unwrap()[0].1.owner, "c1");
    assert_eq!(acquire(&dir, &network, "c2").unwrap(), addr);
    std::fs::remove_file(path).unwrap();
    assert!(remove(&roots, &nft, "bridge").unwrap());
}

#[test]
fn chosen_addresses_that_are_not_understood_are_not_overwritten() {
    own_netns();
    let (_dir, roots) = roots();
    let path = roots.root.join("default-network.json");
    let chosen = || choice::plan(&roots, Some("10.99.0.1/16".parse().unwrap()));
    refused(
        &path,
        &[
            &|| preview(&roots).err(),
            &|| choice::show(&roots).err(),
            &|| chosen().err(),
            &|| choice::plan(&roots, None).err(),
        ],
    );
    std::fs::write(&path, "{\"gateway\":\"10.98.0.1\",\"prefix\":24}").unwrap();
    assert_eq!(preview(&roots).unwrap().gateway.to_string(), "10.98.0.1");
    let mark = Mark::new(roots.instance.clone());
    let mut journal = Journal::in_memory(Header::new(&mark, "test").unwrap());
    let mut cx = Context::new(mark);
    let plan = chosen().unwrap();
    plan.apply(&mut cx, &mut journal, &Kernel::new(), &mut Silent)
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "{\"version\":1,\"gateway\":\"10.99.0.1\",\"prefix\":16}\n"
    );
    assert_eq!(
        std::fs::read_dir(&roots.root).unwrap().count(),
        1,
        "no file beside it"
    );
}
