//! Becoming the program, in sh: what the steps of `process` do by system calls, by util-linux's commands. Pure.
//!
//! Nothing of the container's is executed here, and its files are only read: this runs with the host's privileges.

use std::path::{Path, PathBuf};

use kit_plan::os_text::unescape;
use kit_plan::{Line, Program, Value, run};
use oci_spec::runtime::{LinuxPersonality, Process};

use crate::attributes;
use crate::user::wanted;

/// Enters a command in the user's place. `$1` is where the root is mounted, `$2` USER[:GROUP], `$3` the supplementary
/// groups, or `-` for those of the user; the rest goes to setpriv(1). The rules are those of [`crate::resolve`]. A link of
/// the image's to another place is not followed to the host's own files.
const AS_USER: &str = r#"
set -eu
at=$(readlink -f "$1") user=${2%%:*} group= groups=${3#-} given=$3 uid= gid=0 name= home=/
case $2 in *:*) group=${2#*:} ;; esac
shift 3
number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
none() { echo "unable to find $1: no matching entries in $2 file" >&2; exit 125; }
of_root() {
    file=$(readlink -f "$at/etc/$1") && [ -f "$file" ] || file=/dev/null
    case $file in "$at"/* | /dev/null) ;; *) echo "/etc/$1 is a link out of the root" >&2; exit 125 ;; esac
}
of_root passwd
while IFS=: read -r n _ u g _ h _ || [ -n "$n" ]; do
    case $n in '' | '#'*) continue ;; esac
    number "$u" && number "$g" || continue
    if [ -z "$user" ]; then [ "$u" -eq 0 ]; elif number "$user"; then [ "$u" -eq "$user" ]; else [ "$n" = "$user" ]; fi || continue
    uid=$u gid=$g name=$n home=${h:-/}
    break
done <"$file"
[ -n "$uid$user" ] || user=0
[ -n "$uid" ] || number "$user" || none "user $user" passwd
of_root group
found=
while IFS=: read -r n _ g m _ || [ -n "$n" ]; do
    case $n in '' | '#'*) continue ;; esac
    number "$g" || continue
    if [ -n "$group" ]; then
        [ "$n" != "$group" ] || [ -n "$found" ] || found=$g
    elif [ -n "$name" ]; then
        case ",$m," in *[,\ ]"$name"[,\ ]*) groups=$groups,$g ;; esac
    fi
done <"$file"
if number "$group"; then gid=$group; elif [ -n "$group" ]; then gid=${found:-$(none "group $group" group)}; fi
if [ "$given" = - ]; then case $groups, in *,"$gid",*) ;; *) groups=$gid$groups ;; esac; fi
groups=${groups#,}
if [ -n "$groups" ]; then groups=--groups=$groups; else groups=--clear-groups; fi
export HOME="$home"
exec setpriv --reuid="${uid:-$user}" --regid="$gid" "$groups" "$@"
"#;

/// Makes the working directory `$1` if it is missing, unless a link leads it out of the root in `$2`.
const MAKE_CWD: &str =
    r#"case $(readlink -m -- "$1") in "$(readlink -f -- "$2")"/*) exec mkdir -p -- "$1" ;; esac"#;

/// What the script is to know besides config.json.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Where the root is mounted.
    pub at: PathBuf,
    /// Standard input is the caller's; else it is /dev/null.
    pub stdin: bool,
}

/// The lines; `user` as given to `-u`, `None` for config.json's numbers.
pub fn lines(
    process: &Process,
    user: Option<&str>,
    personality: Option<&LinuxPersonality>,
    script: &Script,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let cwd = &PathBuf::from(unescape(process.cwd()));
    if cwd != Path::new("/") {
        let made = script.at.join(cwd.strip_prefix("/").unwrap_or(cwd));
        lines.push(run!["sh", "-c", MAKE_CWD, "sh", made, &script.at]);
    }
    if let Some(score) = process.oom_score_adj() {
        lines.push(Line::Write {
            path: "/proc/self/oom_score_adj".into(),
            text: score.to_string().into(),
        });
    }
    let argv = process.args().iter().flatten();
    let env = process.env().iter().flatten();
    let mut through = attributes::through(process, personality);
    through.extend(rlimits(process));
    through.extend(as_user(process, user, &script.at));
    lines.push(Line::Exec(Program {
        through,
        argv: argv.map(|word| Value::from(unescape(word))).collect(),
        env: env.map(unescape).collect(),
        cwd: cwd.clone(),
        umask: process.user().umask(),
        stdin: script.stdin,
    }));
    lines
}

/// prlimit(1) calls them as setrlimit(2) does.
fn rlimits(process: &Process) -> Vec<Value> {
    let mut words: Vec<Value> = Vec::new();
    for limit in process.rlimits().iter().flatten() {
        if words.is_empty() {
            words.push("prlimit".into());
        }
        let name = limit.typ().to_string().to_lowercase();
        let bound = |value: u64| match value {
            u64::MAX => "unlimited".to_owned(),
            value => value.to_string(),
        };
        let (soft, hard) = (bound(limit.soft()), bound(limit.hard()));
        words.push(format!("--{}={soft}:{hard}", name.trim_start_matches("rlimit_")).into());
    }
    words
}

fn as_user(process: &Process, user: Option<&str>, at: &Path) -> Vec<Value> {
    let groups = if user.is_some() {
        "-".to_owned()
    } else {
        let groups = process.user().additional_gids().iter().flatten();
        let groups: Vec<String> = groups.map(ToString::to_string).collect();
        groups.join(",")
    };
    let user = unescape(wanted(user, process));
    let mut words = kit_plan::words!["sh", "-c", AS_USER, "sh", at, user, groups];
    let bounding = process
        .capabilities()
        .as_ref()
        .and_then(|caps| caps.bounding().as_ref());
    let mut names: Vec<String> = bounding
        .into_iter()
        .flatten()
        .map(|cap| cap.to_string().to_lowercase())
        .collect();
    names.sort();
    let bounding = names.iter().fold(String::new(), |all, name| {
        all + ",+" + name.trim_start_matches("cap_")
    });
    words.push(format!("--bounding-set=-all{bounding}").into());
    words.push("--inh-caps=-all".into());
    if process.no_new_privileges() == Some(true) {
        words.push("--no-new-privs".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "# users\nroot:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/var/www:/bin/sh\n1000:x:7:7::/odd:\nlast:x:8:9::";
    const GROUP: &str = "root:x:0:\nwww:x:34:\nlog:x:4:adm, web\ndisk:x:6:web,x\ncob:x:5:webs,cobweb\nlate:x:9:last,web";

    /// What setpriv would be told, with `HOME`.
    fn told(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("etc")).unwrap();
        std::fs::write(at("etc/passwd"), PASSWD).unwrap();
        std::fs::write(at("etc/group"), GROUP).unwrap();
        let script = AS_USER.replace("exec setpriv", "echo \"$HOME\"");
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &script, "sh"]).arg(dir.path());
        let out = sh.args([text, "-", "rest"]).output().unwrap();
        String::from_utf8(if out.status.success() {
            out.stdout
        } else {
            out.stderr
        })
        .unwrap()
    }

    #[test]
    fn sh_finds_the_user_that_we_find() {
        for text in [
            "", "web", "33", "web:disk", "web:99", "4242", "1000", ":disk", "0", "0:0", "last",
            "x", "web:x", "5:6", ":", "web:", "broken", "7:www",
        ] {
            let (passwd, group) = (PASSWD.as_bytes(), GROUP.as_bytes());
            let ours = match crate::resolve::resolve_user(text.as_bytes(), passwd, group) {
                Ok(user) => {
                    let groups: Vec<String> = user.groups.iter().map(u32::to_string).collect();
                    format!(
                        "{} --reuid={} --regid={} --groups={} rest\n",
                        user.home.display(),
                        user.uid,
                        user.gid,
                        groups.join(",")
                    )
                }
                Err(error) => format!("{error}\n"),
            };
            assert_eq!(told(text), ours, "{text:?}");
        }
    }

    #[test]
    fn a_link_of_the_images_does_not_lead_to_the_hosts_users() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("etc/passwd")).unwrap();
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", AS_USER, "sh"]).arg(dir.path());
        let out = sh.args(["root", "", "true"]).output().unwrap();
        assert_eq!(out.status.code(), Some(125));
        assert_eq!(out.stderr, b"/etc/passwd is a link out of the root\n");
    }
}
