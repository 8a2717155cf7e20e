//! What the configuration is built from: environment, capabilities, the filter of system calls, the OOM score.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use kit_cli::{Failure, Result};
use kit_plan::os_text::{escape, unescape};
use oci_spec::runtime::Mount;

use super::usage;
use crate::cli::flags::Create;
use box_ops::spec::build::{Seccomp, Wanted};
use box_ops::spec::env::{EnvChange, parse_env, parse_env_file};
use box_ops::spec::sizes::{check_oom_score_adj, parse_ulimit};
use box_state::Net;
use kit_home::read_small;
use kit_seccomp::read_profile;

pub(super) fn wanted(
    flags: &Create,
    net: &Net,
    hostname: &str,
    argv: Vec<String>,
    mounts: Vec<Mount>,
) -> Result<Wanted> {
    let env = changes(&flags.env_file, &flags.env)?;
    let ulimits: std::result::Result<Vec<_>, _> =
        flags.ulimit.iter().map(|text| parse_ulimit(text)).collect();
    let oom_score_adj = oom_score(flags)?;
    let (no_new_privileges, seccomp, profile) = security(flags)?;
    let mut wanted = Wanted {
        argv,
        env,
        workdir: flags.workdir.clone(),
        hostname: hostname.to_owned(),
        tty: flags.tty,
        readonly: flags.read_only,
        privileged: flags.privileged,
        cap_add: flags.cap_add.clone(),
        cap_drop: flags.cap_drop.clone(),
        no_new_privileges,
        mounts,
        ulimits: ulimits.map_err(usage)?,
        oom_score_adj,
        shares_net: matches!(net, Net::Host | Net::Container(_) | Net::Ns(_)),
        seccomp: Seccomp::Default,
        init: flags.init,
        ..Wanted::default()
    };
    wanted.seccomp = match profile {
        None => seccomp,
        // The capabilities decide which of the profile's rules apply.
        Some(Profile { doing, text }) => {
            let caps = box_ops::spec::capabilities::capabilities(&wanted).map_err(usage)?;
            let profile =
                read_profile(&text, &caps).map_err(|e| Failure::new(format!("{doing}: {e}")))?;
            Seccomp::Profile(Box::new(profile))
        }
    };
    Ok(wanted)
}

/// In docker's words, whose parser is Go's.
fn oom_score(flags: &Create) -> Result<Option<i32>> {
    let Some(text) = &flags.oom_score_adj else {
        return Ok(None);
    };
    let score = text.parse().map_err(|_| {
        Failure::usage(format!(
            "invalid argument \"{text}\" for \"--oom-score-adj\" flag: parsing \"{text}\": invalid syntax"
        ))
    })?;
    Ok(Some(check_oom_score_adj(score).map_err(usage)?))
}

/// What `--env-file` and then `-e` do to the environment.
pub fn changes(files: &[PathBuf], texts: &[String]) -> Result<Vec<EnvChange>> {
    let host = |key: &str| std::env::var_os(unescape(key)).map(escape);
    let mut env = Vec::new();
    for file in files {
        let text = read_small(file)
            .map_err(|e| Failure::new(format!("reading --env-file {file:?}: {e}")))?;
        let text = escape(OsString::from_vec(text));
        env.extend(parse_env_file(&text, &host).map_err(usage)?);
    }
    for text in texts {
        env.push(parse_env(text, &host).map_err(usage)?);
    }
    Ok(env)
}

/// The text of a profile, and what to say if it cannot be read.
struct Profile {
    doing: String,
    text: Vec<u8>,
}

fn security(flags: &Create) -> Result<(bool, Seccomp, Option<Profile>)> {
    let (mut locked, mut seccomp, mut profile) = (false, Seccomp::Default, None);
    for option in &flags.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (key, value) {
            ("no-new-privileges", "" | "true") => locked = true,
            ("no-new-privileges", "false") => locked = false,
            ("seccomp", "unconfined") => (seccomp, profile) = (Seccomp::Unconfined, None),
            ("seccomp", "builtin") if !flags.privileged => {
                (seccomp, profile) = (Seccomp::Default, None);
            }
            // What is so already: no label and no profile of a security module is set.
            ("label", "disable") | ("apparmor", "unconfined") => {}
            ("writable-cgroups", "false") if !flags.privileged => {}
            ("seccomp", file) if !file.is_empty() => {
                let doing = format!("reading seccomp profile {file:?}");
                let text =
                    read_small(file.as_ref()).map_err(|e| Failure::new(format!("{doing}: {e}")))?;
                profile = Some(Profile { doing, text });
            }
            _ => {
                return Err(
                    Failure::usage(format!("invalid --security-opt: \"{option}\""))
                        .hint("no-new-privileges, seccomp=unconfined, seccomp=FILE"),
                );
            }
        }
    }
    Ok((locked, seccomp, profile))
}
