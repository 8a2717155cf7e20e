//! Which program runs: `--entrypoint` and the words after IMAGE over the image's ENTRYPOINT and CMD.

use super::SpecError;

/// The words of the command line that choose the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// `--entrypoint`; `Some("")` takes the image's away.
    pub entrypoint: Option<String>,
    /// The words after IMAGE.
    pub args: Vec<String>,
}

/// The words of the entrypoint, with which the program and its arguments begin.
pub fn entrypoint(flags: &Command, image: &[String]) -> Vec<String> {
    match &flags.entrypoint {
        None => image.to_vec(),
        Some(word) if word.is_empty() => Vec::new(),
        Some(word) => vec![word.clone()],
    }
}

/// The program and its arguments. An `--entrypoint` of any kind drops the image's CMD, which was written for the image's
/// own entrypoint.
///
/// # Errors
/// [`SpecError::NoCommand`]: neither the words nor the image name a program.
pub fn command(
    flags: &Command,
    of_image: &[String],
    cmd: &[String],
) -> Result<Vec<String>, SpecError> {
    let mut argv = entrypoint(flags, of_image);
    if flags.args.is_empty() && flags.entrypoint.is_none() {
        argv.extend_from_slice(cmd);
    } else {
        argv.extend_from_slice(&flags.args);
    }
    if argv.first().is_none_or(String::is_empty) {
        return Err(SpecError::NoCommand);
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(Into::into).collect()
    }
    fn run(entrypoint: Option<&str>, args: &str, image: (&str, &str)) -> String {
        let flags = Command {
            entrypoint: entrypoint.map(Into::into),
            args: words(args),
        };
        command(&flags, &words(image.0), &words(image.1))
            .map_or_else(|e| e.to_string(), |argv| argv.join(" "))
    }

    #[test]
    fn entrypoint_and_cmd() {
        assert_eq!(run(None, "", ("", "sh")), "sh");
        assert_eq!(run(None, "ls -l", ("", "sh")), "ls -l");
        assert_eq!(run(None, "", ("nginx -g", "daemon")), "nginx -g daemon");
        assert_eq!(run(None, "-h", ("nginx", "daemon")), "nginx -h");
        assert_eq!(run(Some("sh"), "", ("nginx", "daemon")), "sh");
        assert_eq!(run(Some("sh"), "-c x", ("nginx", "daemon")), "sh -c x");
        assert_eq!(run(Some(""), "ls", ("nginx", "daemon")), "ls");
        assert_eq!(
            run(Some(""), "", ("nginx", "daemon")),
            "no command specified"
        );
        assert_eq!(run(None, "", ("", "")), "no command specified");
    }
}
