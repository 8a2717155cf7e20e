//! `rrun ps`: docker's table.

mod filter;

use kit_cli::template::formatted;
use kit_cli::{Result, emit, emit_json, rows_like_docker as table};
use kit_plan::os_text::unescape;
use kit_units::human_duration;
use serde_json::{Value, json};

use box_state::{Container, Containers, Port, RunState, Status};
use filter::Filters;

#[derive(clap::Args)]
pub struct Args {
    /// All of them, not only those that run
    #[arg(short, long)]
    pub all: bool,
    /// The newest one, whatever its state
    #[arg(short, long)]
    pub latest: bool,
    /// The N newest ones, whatever their state
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
    /// IDs only
    #[arg(short, long)]
    pub quiet: bool,
    /// Whole IDs and commands
    #[arg(long)]
    pub no_trunc: bool,
    /// status=…, name=REGEX, id=…, label=K[=V], ancestor=IMAGE, exited=CODE, volume=…, network=…
    #[arg(short, long)]
    pub filter: Vec<String>,
    /// json, a template ({{.Names}}), or table and a template with \t between columns
    #[arg(long, conflicts_with_all = ["quiet", "json", "jsonl"])]
    pub format: Option<String>,
    /// One JSON array
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    pub jsonl: bool,
}

struct Entry {
    container: Container,
    state: RunState,
}

const HEAD: [&str; 7] = [
    "CONTAINER ID",
    "IMAGE",
    "COMMAND",
    "CREATED",
    "STATUS",
    "PORTS",
    "NAMES",
];

pub fn run(args: &Args, containers: &Containers) -> Result {
    let filters = Filters::parse(&args.filter)?;
    let mut all = Vec::new();
    for containers in containers.both() {
        for container in containers.list() {
            // A container that is removed at this moment has no state any more.
            if let Ok(state) = containers.state(&container.id) {
                all.push(Entry { container, state });
            }
        }
    }
    all.sort_by(|a, b| b.container.created.cmp(&a.container.created));
    let limit = if args.latest { Some(1) } else { args.last };
    let shown = |entry: &&Entry| {
        let in_state =
            args.all || limit.is_some() || filters.are_of_states() || entry.state.is_running();
        in_state && filters.pass(entry)
    };
    let entries: Vec<&Entry> = all
        .iter()
        .filter(shown)
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    print(args, &entries)?;
    let is_published = |entry: &&Entry| entry.state.is_running() && !entry.state.ports.is_empty();
    super::port::hint_on_flushed_rules(containers, !args.quiet && entries.iter().any(is_published));
    Ok(0)
}

fn print(args: &Args, entries: &[&Entry]) -> Result<()> {
    if args.quiet {
        let id = |entry: &&Entry| id(entry, args.no_trunc) + "\n";
        return emit(&entries.iter().map(id).collect::<String>());
    }
    let rows: Vec<[String; 7]> = entries
        .iter()
        .map(|entry| cells(entry, args.no_trunc))
        .collect();
    let objects = || {
        entries
            .iter()
            .zip(&rows)
            .map(|(entry, row)| object(entry, row))
    };
    if args.json {
        let all: Vec<Value> = objects().collect();
        return emit_json(&all);
    }
    match args.format.as_deref() {
        None | Some("table") if !args.jsonl => {
            let head = HEAD.map(str::to_owned).to_vec();
            let rows = rows.iter().map(|row| row.to_vec());
            emit(&table(
                &std::iter::once(head).chain(rows).collect::<Vec<_>>(),
            ))
        }
        None | Some("json") => emit(
            &objects()
                .map(|one| one.to_string() + "\n")
                .collect::<String>(),
        ),
        Some(format) => {
            let labelled = objects().zip(entries).map(|(mut object, entry)| {
                // For docker's method: {{.Label "key"}}.
                object["Label"] = json!(entry.container.labels);
                object
            });
            emit(&formatted(format, heads(), labelled, table)?)
        }
    }
}

/// docker's column heads for `--format 'table …'`, as an object with the fields of a row.
fn heads() -> Value {
    json!({"ID": HEAD[0], "Image": HEAD[1], "Command": HEAD[2], "CreatedAt": "CREATED AT",
        "RunningFor": HEAD[3], "Status": HEAD[4], "State": "STATE", "Ports": HEAD[5], "Names": HEAD[6],
        "Labels": "LABELS", "Networks": "NETWORKS", "Mounts": "MOUNTS"})
}

fn id(entry: &Entry, whole: bool) -> String {
    let id = &entry.container.id;
    if whole {
        id.clone()
    } else {
        id.get(..12).unwrap_or(id).to_owned()
    }
}

fn cells(entry: &Entry, whole: bool) -> [String; 7] {
    let Entry { container, state } = entry;
    let image = match (&container.image, &container.rootfs) {
        (Some(image), _) => image.name.clone(),
        (None, Some(rootfs)) => unescape(rootfs).to_string_lossy().into_owned(),
        (None, None) => String::new(),
    };
    // docker's: a word with a space in it is quoted.
    let word = |word: &String| {
        if word.contains(' ') {
            format!("'{word}'")
        } else {
            word.clone()
        }
    };
    let words = container.args.iter().map(word);
    let words = std::iter::once(container.path.clone()).chain(words);
    let mut command = words.collect::<Vec<_>>().join(" ");
    if !whole && command.chars().count() > 20 {
        command = command.chars().take(19).collect::<String>() + "…";
    }
    [
        id(entry, whole),
        image,
        // As docker shows what is not UTF-8: by U+FFFD.
        format!("\"{}\"", unescape(&command).to_string_lossy()),
        format!("{} ago", human_duration(seconds_since(&container.created))),
        status(state),
        ports(container, state),
        container.name.clone(),
    ]
}

fn seconds_since(time: &str) -> i64 {
    let then = time
        .parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_second);
    jiff::Timestamp::now().as_second() - then
}

/// "Up 3 seconds", "Exited (0) 5 seconds ago", "Created".
pub fn status(state: &RunState) -> String {
    if state.is_running() {
        let up = format!("Up {}", human_duration(seconds_since(&state.started_at)));
        return match (state.status, state.is_unattended()) {
            (Status::Paused, _) => up + " (Paused)",
            (_, true) => up + " (unattended)",
            _ => up,
        };
    }
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Exited => {
            format!(
                "Exited ({}) {} ago",
                state.exit_code,
                human_duration(seconds_since(&state.finished_at))
            )
        }
        // Its monitor was killed, so nobody saw its exit code.
        Status::Running | Status::Paused => "Exited (255)".to_owned(),
    }
}

fn ports(container: &Container, state: &RunState) -> String {
    if !state.is_running() {
        return String::new();
    }
    let published = state.ports.iter().map(published);
    let is_published = |text: &str| {
        state
            .ports
            .iter()
            .any(|port| format!("{}/{}", port.container_port, port.proto) == text)
    };
    let exposed = container
        .exposed
        .iter()
        .filter(|text| !is_published(text))
        .cloned();
    published.chain(exposed).collect::<Vec<_>>().join(", ")
}

/// `0.0.0.0:8080->80/tcp`
fn published(port: &Port) -> String {
    format!(
        "{}->{}/{}",
        super::port::host(port),
        port.container_port,
        port.proto
    )
}

fn object(entry: &Entry, row: &[String; 7]) -> Value {
    let labels: Vec<String> = entry
        .container
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mounts: Vec<String> = entry
        .container
        .mounts
        .iter()
        .map(|mount| match mount.name.as_str() {
            "" => mount.source.display().to_string(),
            name => name.to_owned(),
        })
        .collect();
    json!({
        "schema": 1,
        "kind": "container",
        "name": row[6],
        "ID": row[0],
        "Image": row[1],
        "Command": row[2],
        "CreatedAt": entry.container.created,
        "RunningFor": row[3],
        "Status": row[4],
        "State": word(&entry.state),
        "Ports": row[5],
        "Names": row[6],
        "Labels": labels.join(","),
        "Networks": super::docker::mode(&entry.container),
        "Mounts": mounts.join(","),
    })
}

/// Its exit code; 255 if its monitor was killed and nobody saw it.
pub fn exit_code(state: &RunState) -> i32 {
    match state.status {
        Status::Running | Status::Paused if !state.is_running() => 255,
        _ => state.exit_code,
    }
}

/// docker's word for a state.
pub fn word(state: &RunState) -> &'static str {
    match state.status {
        Status::Created => "created",
        Status::Running if state.is_running() => "running",
        Status::Paused if state.is_running() => "paused",
        _ => "exited",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_nobody_saw_end() {
        // state.json says that it runs, but there is no such process.
        let state = RunState {
            status: Status::Running,
            ..RunState::default()
        };
        let seen = (word(&state), exit_code(&state), status(&state));
        assert_eq!(seen, ("exited", 255, "Exited (255)".to_owned()));
    }

    #[test]
    fn a_table_is_aligned_and_cannot_steer_the_terminal() {
        let rows = [["A", "NAMES"], ["é1", "\u{1b}[2J"], ["", "x"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        assert_eq!(
            table(&rows),
            "A         NAMES\né1        \\u{1b}[2J\n          x\n"
        );
    }
}
