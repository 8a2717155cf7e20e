//! `rrun ps`: docker's table.

mod filter;
mod object;

use std::collections::BTreeMap;

use kit_cli::template::{asked, formatted};
use kit_cli::{Result, emit, emit_json, rows_like_docker as table};
use kit_plan::os_text::unescape;
use kit_units::{human_duration, human_size};
use serde_json::{Value, json};

use box_ops::frozen::Freezers;
use box_state::{Container, Containers, Port, RunState, Status};
use filter::Filters;
use object::{heads, object};

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
    /// Measure what each wrote, and its whole size
    #[arg(short, long)]
    pub size: bool,
    /// status=…, name=REGEX, id=…, label=K[=V], ancestor=IMAGE, exited=CODE, volume=…, network=…, since=CONTAINER,
    /// before=CONTAINER, publish=PORT[-PORT][/udp], expose=…
    #[arg(short, long)]
    pub filter: Vec<String>,
    /// json, a template ({{.Names}}), or table and a template with \t between columns
    #[arg(long, conflicts_with_all = ["json", "jsonl"])]
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
    /// The image's name, or its ID if the name is another image's now.
    image: String,
    /// Where it was asked for: `1.2kB (virtual 4.49MB)`.
    size: Option<String>,
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
    let filters = Filters::parse(&args.filter, containers)?;
    let mut images = Images::new(containers);
    let freezers = Freezers::default();
    let mut all = Vec::new();
    for containers in containers.both() {
        for container in containers.list() {
            // A container that is removed at this moment has no state any more.
            if let Ok(state) = freezers.state(&containers, &container) {
                let image = images.shown(&container, args.no_trunc);
                let size = None;
                all.push(Entry {
                    container,
                    state,
                    image,
                    size,
                });
            }
        }
    }
    all.sort_by(|a, b| b.container.created.cmp(&a.container.created));
    let limit = if args.latest { Some(1) } else { args.last };
    let shown = |entry: &Entry| {
        let in_state =
            args.all || limit.is_some() || filters.are_of_states() || entry.state.is_running();
        in_state && filters.pass(entry)
    };
    all.retain(shown);
    all.truncate(limit.unwrap_or(usize::MAX));
    let asks = args
        .format
        .as_deref()
        .is_some_and(|text| text.contains(".Size"));
    if args.size || asks {
        for entry in &mut all {
            entry.size = Some(size(containers, &entry.container));
        }
    }
    print(args, &all)?;
    let is_published = |entry: &Entry| entry.state.is_running() && !entry.state.ports.is_empty();
    super::port::hint_on_flushed_rules(containers, !args.quiet && all.iter().any(is_published));
    Ok(0)
}

fn print(args: &Args, entries: &[Entry]) -> Result<()> {
    if args.quiet {
        if args.format.is_some() {
            let text =
                b"WARNING: Ignoring custom format, because both --format and --quiet are set.\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
        }
        let id = |entry: &Entry| id(entry, args.no_trunc) + "\n";
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
    match asked(args.format.as_deref()) {
        None | Some("table") if !args.jsonl => {
            let size = args.size.then(|| "SIZE".to_owned());
            let head = HEAD.map(str::to_owned).into_iter().chain(size).collect();
            let rows = entries.iter().zip(&rows).map(|(entry, row)| {
                let size = entry.size.clone().filter(|_| args.size);
                row.iter().cloned().chain(size).collect()
            });
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
                if format.contains(".Label ") {
                    object["Label"] = json!(entry.container.labels);
                }
                object
            });
            emit(&formatted(format, heads(), labelled, table)?)
        }
    }
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
    let Entry {
        container,
        state,
        image,
        ..
    } = entry;
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
        image.clone(),
        // As docker shows what is not UTF-8: by U+FFFD.
        format!("\"{}\"", unescape(&command).to_string_lossy()),
        format!("{} ago", human_duration(seconds_since(&container.created))),
        status(state),
        ports(container, state),
        container.name.clone(),
    ]
}

/// The names of images, each looked up once.
struct Images {
    store: runpack::Store,
    known: BTreeMap<String, Option<String>>,
}

impl Images {
    fn new(containers: &Containers) -> Self {
        Self {
            store: runpack::Store::open(&containers.roots.root),
            known: BTreeMap::new(),
        }
    }

    /// As docker's: the name that the container was made by, while it is that image's, else the ID.
    fn shown(&mut self, container: &Container, whole: bool) -> String {
        let image = match (&container.image, &container.rootfs) {
            (Some(image), _) => image,
            (None, Some(rootfs)) => return unescape(rootfs).to_string_lossy().into_owned(),
            (None, None) => return String::new(),
        };
        let store = &self.store;
        let named = self
            .known
            .entry(image.name.clone())
            .or_insert_with(|| store.id_of(&image.name).map(|id| id.to_string()));
        if named.as_ref() == Some(&image.id) {
            return image.name.clone();
        }
        let digits = image.id.trim_start_matches("sha256:");
        let short = digits.get(..12).filter(|_| !whole);
        short.unwrap_or(&image.id).to_owned()
    }
}

/// What a container wrote, and that with its image, as docker's `ps -s` has them.
fn size(containers: &Containers, container: &Container) -> String {
    let written = super::docker::written(containers, container);
    let virtual_size = super::docker::image_size(containers, container) + written;
    let (written, whole) = (human_size(written), human_size(virtual_size));
    format!("{written} (virtual {whole})")
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
