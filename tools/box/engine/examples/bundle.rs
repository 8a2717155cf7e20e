//! Runs an OCI bundle in the foreground: `bundle DIR ID`. The program's streams are ours, its exit code too. When it has
//! ended, or anything failed, or this program was asked to stop, nothing of it is left; after a SIGKILL of this program
//! the next one of the same ID, or `rrun gc`, undoes what was made.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use box_engine::{Bundle, Engine, is_terminal};
use kit_plan::{Roots, Session};
use kit_sys::clone::shell_code;
use kit_undo::Kernel;
use rcgroup::Hierarchies;

fn run(dir: &str, id: &str) -> Result<i32, Box<dyn Error>> {
    let bundle = Bundle::open(Path::new(dir))?;
    if is_terminal(&bundle.spec) {
        return Err("this example has no terminal to lend: set process.terminal to false".into());
    }
    let roots = Roots::from_env()?;
    let run_dir = roots.run.join("bundles").join(id);
    let engine = Engine::new(id, bundle, run_dir).cgroup_parent(roots.instance.name());
    let prepared = engine.prepare(&Hierarchies::detect()?, format!("bundle {dir} {id}"))?;

    let mut container = prepared.start(Session::open(&roots, id, Kernel::new())?)?;
    let ended = container.wait();
    for error in container.delete().errors() {
        eprintln!("bundle: {error}");
    }
    Ok(shell_code(ended?))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, id] = args.as_slice() else {
        eprintln!("usage: bundle DIR ID");
        return ExitCode::from(2);
    };
    match run(dir, id) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Err(error) => {
            eprintln!("bundle: {error}");
            ExitCode::from(125)
        }
    }
}
