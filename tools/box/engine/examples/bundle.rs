//! Runs an OCI bundle in the foreground: `bundle DIR ID`. The program's streams are ours, its exit code too. When it has
//! ended, or anything failed, or this program was asked to stop, nothing of it is left; after a SIGKILL of this program
//! the next one of the same ID, or `rrun gc`, undoes what was made.

use std::error::Error;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use box_engine::{Bundle, Engine, hooks, is_terminal, program};
use kit_plan::{Plan, Roots, Session};
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
    let engine = Engine::new(id, bundle.clone(), &run_dir).cgroup_parent(roots.instance.name());
    let plan = engine.plan(&Hierarchies::detect()?, format!("bundle {dir} {id}"))?;
    let mut session = Session::open(&roots, id, Kernel::new())?;
    let mut make = std::fs::DirBuilder::new();
    make.recursive(true).mode(0o700).create(&run_dir)?;

    let ended = start(&mut session, plan);
    let left = session.undo();
    for error in &left.errors {
        eprintln!("bundle: {error}");
    }
    // Also after a start that failed (runtime.md, "Lifecycle").
    for error in hooks::poststop(id, &bundle) {
        eprintln!("bundle: {error}");
    }
    std::fs::remove_dir(&run_dir)?;
    ended
}

/// Starts the program and waits until it has ended; its exit code as a shell's.
fn start(session: &mut Session, plan: Plan) -> Result<i32, Box<dyn Error>> {
    session.apply(plan)?;
    let program = program(session.context())?;
    Ok(shell_code(session.wait(&program)?))
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
