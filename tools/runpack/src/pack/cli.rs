//! The command line of `runpack pack`: flags become a [`Request`] and [`Settings`], and these a plan.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use kit_cli::{Act, Failure};
use kit_plan::Roots;

use super::image::{PackImage, Settings};
use super::{Add, Host, PackError, Request, collect, search_path, split_words};
use crate::change::exposed;
use crate::cli::progress::Bar;
use crate::{Progress, Reference};

#[allow(missing_docs)] // a doc comment would be the help of the verb
#[derive(Debug, clap::Args)]
pub struct PackArgs {
    #[command(flatten)]
    act: Act,
    /// The image's name; more than one may be given
    #[arg(short = 't', long = "tag", value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Programs: names looked up through PATH, or paths
    #[arg(long = "bin", value_name = "PROGRAM", num_args = 1.., required_unless_present = "add")]
    programs: Vec<OsString>,
    /// Copy a file, or what is in a directory; SRC alone keeps its path
    #[arg(long, value_name = "SRC[:DEST]")]
    add: Vec<OsString>,
    /// What a container runs: words, or a JSON array; the first program, if this and --entrypoint are left out
    #[arg(long, value_name = "WORDS")]
    cmd: Option<String>,
    /// What a container always runs; the command becomes its arguments
    #[arg(long, value_name = "WORDS")]
    entrypoint: Option<String>,
    /// The environment of a container
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// A port that the image's program listens on
    #[arg(long, value_name = "PORT[-PORT][/PROTO]")]
    expose: Vec<String>,
    /// The directory a container starts in; it is made
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Whose rights a container has
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// A note on the image
    #[arg(short, long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// A directory whose content outlives a container; it is made
    #[arg(long, value_name = "DIR")]
    volume: Vec<String>,
}

/// `runpack pack`.
pub fn run(args: &PackArgs) -> kit_cli::Result {
    let roots = Roots::from_env()?;
    let mut image = prepare(args, roots.root.clone())?;
    for path in &image.packed.left_out {
        eprintln!("runpack: adding {path:?}: a socket, FIFO or device, left out");
    }
    let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
    if !args.act.dry_run {
        roots.prepare()?;
    }
    let bar = Bar::new(args.act, "packing");
    image.progress = bar.progress();
    args.act.run(&image.plan())?;
    drop(bar);
    if !args.act.dry_run {
        kit_cli::emit(&format!("{}\n", names.join("\n")))?;
    }
    Ok(0)
}

/// Reads the machine, changes nothing.
fn prepare(args: &PackArgs, root: PathBuf) -> Result<PackImage, Failure> {
    let names = args.names.iter().map(|name| Reference::parse(name));
    let names = names.collect::<Result<_, _>>()?;
    let settings = args.settings()?;
    let mut request = Request::here(args.programs.clone());
    request.adds = args
        .add
        .iter()
        .map(|spec| Add::parse(spec))
        .collect::<Result<_, _>>()?;
    let pairs = settings.env.iter().rev();
    let mut of_image = pairs.filter_map(|pair| pair.strip_prefix("LD_LIBRARY_PATH="));
    request.image_library_path = search_path(OsStr::new(of_image.next().unwrap_or_default()));
    request.dirs = settings
        .workdir
        .iter()
        .chain(&settings.volumes)
        .map(PathBuf::from)
        .collect();
    let host = Host::new("/");
    let packed = collect(&host, &request)?;
    settings.check(&host, &packed.tree)?;
    Ok(PackImage {
        packed,
        settings,
        names,
        root,
        time: source_date(std::env::var_os("SOURCE_DATE_EPOCH").as_deref())?,
        words: args.words(),
        host,
        progress: Progress::default(),
    })
}

impl PackArgs {
    fn settings(&self) -> Result<Settings, PackError> {
        let words = |flag, text: &Option<String>| {
            text.as_ref()
                .map(|text| split_words(flag, text))
                .transpose()
        };
        let each = |flag, list: &[String], check: fn(&str) -> bool, reason| {
            let bad = list.iter().find(|value| !check(value));
            bad.map_or(Ok(()), |value| Err(bad_value(flag, value, reason)))
        };
        let is_pair = |text: &str| text.find('=').is_some_and(|at| at > 0);
        let absolute = |text: &str| text.starts_with('/');
        each("--env", &self.env, is_pair, "not KEY=VALUE")?;
        each("--label", &self.label, is_pair, "not KEY=VALUE")?;
        each("--volume", &self.volume, absolute, "not an absolute path")?;
        each(
            "--workdir",
            self.workdir.as_slice(),
            absolute,
            "not an absolute path",
        )?;
        let pair = |text: &String| {
            text.split_once('=')
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
        };
        Ok(Settings {
            entrypoint: words("--entrypoint", &self.entrypoint)?,
            cmd: words("--cmd", &self.cmd)?,
            env: self.env.clone(),
            expose: self
                .expose
                .iter()
                .map(|port| exposed(port).map_err(|reason| bad_value("--expose", port, reason)))
                .collect::<Result<Vec<_>, _>>()?
                .concat(),
            workdir: self.workdir.clone(),
            user: self.user.clone(),
            labels: self.label.iter().filter_map(pair).collect(),
            volumes: self.volume.clone(),
        })
    }

    /// The command line again, without the flags that say how to act.
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["runpack".into(), "pack".into()];
        let mut flag = |name: &str, values: &mut dyn Iterator<Item = &OsStr>| {
            for value in values {
                words.extend([OsString::from(name), value.to_owned()]);
            }
        };
        flag("-t", &mut self.names.iter().map(OsStr::new));
        flag("--bin", &mut self.programs.iter().map(OsString::as_os_str));
        flag("--add", &mut self.add.iter().map(OsString::as_os_str));
        flag("--entrypoint", &mut self.entrypoint.iter().map(OsStr::new));
        flag("--cmd", &mut self.cmd.iter().map(OsStr::new));
        flag("--env", &mut self.env.iter().map(OsStr::new));
        flag("--expose", &mut self.expose.iter().map(OsStr::new));
        flag("--workdir", &mut self.workdir.iter().map(OsStr::new));
        flag("--user", &mut self.user.iter().map(OsStr::new));
        flag("--label", &mut self.label.iter().map(OsStr::new));
        flag("--volume", &mut self.volume.iter().map(OsStr::new));
        words
    }
}

fn bad_value(flag: &'static str, value: &str, reason: &'static str) -> PackError {
    PackError::BadValue {
        flag,
        value: value.to_owned(),
        reason,
    }
}

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date(value: Option<&OsStr>) -> Result<u64, PackError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(0);
    };
    let text = value.to_string_lossy();
    text.parse()
        .map_err(|_| bad_value("SOURCE_DATE_EPOCH", &text, "not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    #[command(name = "runpack", no_binary_name = true)]
    struct Probe {
        #[command(flatten)]
        args: PackArgs,
    }

    fn parse(words: &[&str]) -> PackArgs {
        Probe::try_parse_from(words).unwrap().args
    }

    fn refusal(words: &[&str]) -> String {
        prepare(&parse(words), PathBuf::from("/nowhere"))
            .err()
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_script_is_the_command_line_again_quoted() {
        Probe::command().debug_assert();
        let words = [
            "-t",
            "a:1",
            "--bin",
            "sh",
            "ls",
            "--add",
            "/etc/hosts",
            "--cmd",
            "[\"sh\"]",
            "-e",
            "A=it's $HOME",
            "--expose",
            "80",
            "--label",
            "k=v",
            "--volume",
            "/d",
            "-u",
            "root",
            "-w",
            "/d",
        ];
        let image = prepare(&parse(&words), PathBuf::from("/nowhere")).unwrap();
        let script = image.plan().script().unwrap();
        let line = script
            .lines()
            .find(|line| line.starts_with("runpack"))
            .unwrap();
        assert!(
            line.starts_with("runpack pack -t a:1 --bin sh --bin ls --add /etc/hosts --cmd "),
            "{line}"
        );
        let out = std::process::Command::new("sh")
            .args([
                "-euc",
                &format!("runpack() {{ printf '%s\\n' \"$@\"; }}\n{line}"),
            ])
            .output();
        let said = String::from_utf8(out.unwrap().stdout).unwrap();
        let again: Vec<_> = said.lines().skip(1).collect();
        let again = parse(&again);
        assert_eq!(again.words(), parse(&words).words());
        assert_eq!(again.env, parse(&words).env);
    }

    #[test]
    fn bad_flags_are_refused_before_anything_is_read() {
        let bad = |flag: &str, value: &str| refusal(&["-t", "x", "--bin", "sh", flag, value]);
        assert_eq!(bad("--env", "A"), "--env \"A\": not KEY=VALUE");
        assert_eq!(bad("--label", "=v"), "--label \"=v\": not KEY=VALUE");
        assert_eq!(
            bad("--workdir", "srv"),
            "--workdir \"srv\": not an absolute path"
        );
        assert_eq!(
            bad("--volume", "data"),
            "--volume \"data\": not an absolute path"
        );
        assert_eq!(
            bad("--expose", "http"),
            "--expose \"http\": not a port from 1 to 65535, PORT-PORT, or either with /tcp, /udp, /sctp"
        );
        assert_eq!(bad("--cmd", "'a"), "--cmd \"'a\": a quote is not closed");
        assert!(Probe::try_parse_from(["-t", "x"]).is_err());
        assert!(Probe::try_parse_from(["--bin", "sh"]).is_err());
    }

    #[test]
    fn ports_get_their_protocol() {
        assert_eq!(exposed("8080").unwrap(), ["8080/tcp"]);
        assert_eq!(exposed("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(exposed("1-3").unwrap(), ["1/tcp", "2/tcp", "3/tcp"]);
        for bad in ["0", "65536", "x", "80/ip", "", "3-1", "1-", "1-2-3"] {
            assert!(exposed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_date_is_that_of_the_environment_or_1970() {
        assert_eq!(source_date(None).unwrap(), 0);
        assert_eq!(
            source_date(Some("1700000000".as_ref())).unwrap(),
            1_700_000_000
        );
        let said = source_date(Some("now".as_ref())).unwrap_err().to_string();
        assert_eq!(said, "SOURCE_DATE_EPOCH \"now\": not a number of seconds");
    }
}
