//! How a verb's plans are carried out: one container after the other is found and planned, and then all go side by side.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::OnceLock;

use box_ops::{OpsError, Subject, Watch, Work};
use box_state::Containers;
use kit_cli::{Act, Failure, Result, emit};
use kit_plan::{Context, Mark, Observer, Plan, Vars};

/// The container that a user means.
pub fn find(containers: &Containers, name: &str) -> Result<Subject> {
    Subject::find(containers, name)
        .map_err(OpsError::from)
        .map_err(fault)
}

/// The containers that a user means by these words; `-` reads more from standard input. A table of `ps`, which
/// `$(rrun ps)` without `-q` pastes, is refused: a verb must act on none of its words.
pub fn names(args: &[String], verb: &str) -> Result<Vec<String>> {
    let names = kit_cli::names(args, &["container"])?;
    match a_table(names.iter().map(String::as_str), verb) {
        Some(failure) => Err(failure),
        None => Ok(names),
    }
}

/// What is said of a table of `ps` in the place of names.
pub fn a_table<'a>(names: impl Iterator<Item = &'a str>, verb: &str) -> Option<Failure> {
    let words: Vec<&str> = names.flat_map(str::split_whitespace).collect();
    let head = |one: &[&str]| {
        matches!(
            one,
            ["CONTAINER", "ID"] | ["STATUS", "PORTS"] | ["PORTS", "NAMES"]
        )
    };
    words.windows(2).any(head).then(|| {
        Failure::usage(
            "the containers are given as a table of \"rrun ps\", and not as names or IDs",
        )
        .hint(format!(
            "-q prints the IDs alone: rrun {verb} $(rrun ps -aq)"
        ))
    })
}

/// An error of a verb's on its way to the error line.
pub fn fault(error: impl Into<OpsError>) -> Failure {
    error.into().into()
}

/// Carries out the plans of many containers side by side: each failure is reported, and stops none of the others. Prints
/// each name when its work is done; with `--dry-run` one script for all of them.
pub fn each(
    act: Act,
    command: &str,
    names: &[String],
    containers: &Containers,
    stages: impl Fn(&Subject) -> Result<Vec<Plan>>,
) -> Result {
    let mut failures = kit_cli::Failures::default();
    let mut later: Vec<String> = names.to_vec();
    let mut script = Plan::new(format!("rrun {command} {}", names.join(" ")));
    let mut watch = observer(act, Vars::of_roots(&containers.roots))?;
    while !later.is_empty() && !failures.is_interrupted() {
        let mut works = Vec::new();
        let mut seen = HashSet::new();
        for name in std::mem::take(&mut later) {
            let of = match find(containers, &name) {
                Ok(of) => of,
                Err(error) => {
                    failures.add(error);
                    continue;
                }
            };
            // A name that was given twice is looked up again when the first work is done.
            if !seen.insert(of.container.id.clone()) {
                later.push(name);
                continue;
            }
            match stages(&of) {
                Ok(stages) => works.push(Work { name, stages }),
                Err(error) => failures.add(error),
            }
        }
        if act.dry_run {
            works
                .into_iter()
                .flat_map(|work| work.stages)
                .for_each(|stage| script.extend(stage));
            // Nothing has changed, so a name given twice means the same again.
            break;
        }
        let mut turns = InTurn::new(&works);
        box_ops::side_by_side(
            &containers.roots,
            works,
            watch.as_mut(),
            &mut |name, came_to| turns.end(name, came_to, &mut failures),
        );
        turns.rest(&mut failures);
    }
    if act.dry_run {
        act.emit_script(&script, &Vars::of_roots(&containers.roots))?;
    }
    failures.end()
}

/// Prints the result of each, as docker does: in the order of the names, as soon as all before it are done.
struct InTurn {
    order: VecDeque<String>,
    ended: HashMap<String, std::result::Result<(), OpsError>>,
}

impl InTurn {
    fn new(works: &[Work]) -> Self {
        Self {
            order: works.iter().map(|work| work.name.clone()).collect(),
            ended: HashMap::new(),
        }
    }

    fn end(
        &mut self,
        name: &str,
        came_to: std::result::Result<(), OpsError>,
        failures: &mut kit_cli::Failures,
    ) {
        self.ended.insert(name.to_owned(), came_to);
        while let Some(came_to) = self.order.front().and_then(|name| self.ended.remove(name)) {
            let name = self.order.pop_front().unwrap_or_default();
            let told = came_to
                .map_err(fault)
                .and_then(|()| emit(&format!("{name}\n")));
            if let Err(error) = told {
                failures.add(error);
            }
        }
    }

    /// Reports what is left: an interruption leaves gaps in the order.
    fn rest(self, failures: &mut kit_cli::Failures) {
        for error in self
            .ended
            .into_values()
            .filter_map(std::result::Result::err)
        {
            failures.add(fault(error));
        }
    }
}

/// The observer of this process's plans that a test sets, in place of `--explain` and `--trace`.
static WATCH: OnceLock<Watching> = OnceLock::new();

pub type Watching = fn() -> Box<dyn Observer>;

/// Used by `--stepwise` and by the kill tests; not reachable from the command line.
pub fn watched_by(watch: Watching) {
    let _ = WATCH.set(watch);
}

/// The observer of this process's plans.
pub fn observer(act: Act, vars: Vars) -> Result<Box<dyn Observer>> {
    match WATCH.get() {
        Some(watch) => Ok(watch()),
        None => act.observer(vars),
    }
}

/// The names of the long parts of a container's paths, for the explanation of its steps.
pub fn vars(containers: &Containers, id: &str) -> Vars {
    Vars::of_roots(&containers.roots).and("C", id)
}

/// What a client of a monitor wants to see of its plan.
pub fn watching(act: Act, vars: &Vars) -> Watch {
    act.begin_list(vars);
    Watch {
        explain: act.explain,
        trace: act.trace,
        to: Some(|line| {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        }),
        tell: Some(kit_cli::explain),
    }
}

/// Carries out a plan, or prints its script.
pub fn carry_out(act: Act, plan: &Plan, containers: &Containers) -> Result<()> {
    let vars = Vars::of_roots(&containers.roots);
    if act.dry_run {
        return act.emit_script(plan, &vars);
    }
    let mark = Mark::new(containers.roots.instance.clone());
    apply(act, plan, mark, vars).map(drop)
}

/// Carries out a plan. The context holds what the steps have kept, locks among it, until the caller drops it.
pub fn apply(act: Act, plan: &Plan, mark: Mark, vars: Vars) -> Result<Context> {
    let mut watch = observer(act, vars)?;
    Ok(box_ops::apply(plan, mark, watch.as_mut())?)
}
