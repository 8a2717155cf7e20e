//! A sandbox out of the primitives: a network namespace at the end of a cable, a cgroup with limits, an image as its root,
//! a program; and all of it gone afterwards, after an error, Ctrl-C, and, by the next start, after SIGKILL.
//!
//!     sandbox busybox:latest sh -c 'ip addr; hostname'

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

use kit_plan::{Roots, Session};
use kit_sys::spawn::Spawn;
use rcgroup::{Cgroup, Hierarchies};
use rmount::Overlay;
use rnetns::Netns;
use runpack::Store;
use rveth::Pair;

fn sandbox(image: &str, program: &[String]) -> Result<u8, Box<dyn Error>> {
    let roots = Roots::from_env()?;
    let (host, store) = (Hierarchies::detect()?, Store::open(&roots.root));
    let group = Cgroup::named("bd1").memory("64m").pids(50);
    let cable = Pair::new("bd1h", "eth0@bd1").peer_addr("10.213.1.2/24".parse()?);
    let cable = cable.addr("10.213.1.1/24".parse()?);
    let (dir, root) = (roots.run.join("bd1"), roots.run.join("bd1/root"));

    let mut run = Session::open(&roots, "bd1", kit_undo::Kernel::new())?;
    run.apply(store.pin_plan(image, "bd1")?)?;
    run.apply(rnetns::add("bd1")?)?;
    run.apply(cable.plan()?)?;
    run.apply(group.plan(&host)?)?;
    run.apply(rmount::scratch(&dir))?;
    run.apply(Overlay::new(store.lowers(image)?).upper(&dir).plan(&root))?;

    let inside = Spawn::new(program).cgroup(group.open(&host)?);
    let inside = inside.netns(Netns::parse("bd1")?.open()?).root(&root);
    let status = run.wait(&inside.spawn()?)?;

    let left = run.undo();
    if !left.is_empty() {
        eprintln!("sandbox: {left}");
    }
    let killed = status.signal().map(|signal| 128 + signal);
    Ok(status.code().or(killed).unwrap_or(1).try_into()?)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [image, program @ ..] = &words[..] else {
        eprintln!("usage: sandbox IMAGE PROGRAM [WORD…]");
        return ExitCode::from(2);
    };
    sandbox(image, program).map_or_else(
        |error| {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}
