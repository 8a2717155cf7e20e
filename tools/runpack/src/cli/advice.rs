//! What is said of docker's verbs that are none of ours.

use std::ffi::OsString;

use kit_cli::Failure;

/// docker's flags with a value, of these verbs.
const WITH_VALUE: [&str; 9] = [
    "--platform",
    "--filter",
    "--format",
    "--limit",
    "--name",
    "-e",
    "-f",
    "-t",
    "-v",
];

/// What is said of docker's verbs that another tool does. For `kit_cli::advised_by`.
pub fn advice(argv: &[OsString], word: &str) -> Option<Failure> {
    let is_flag = |word: &OsString| word.to_string_lossy().starts_with('-');
    let with_value = |word: &OsString| WITH_VALUE.iter().any(|flag| word == flag);
    let pairs = argv.get(1..).unwrap_or_default().windows(2);
    let typed = pairs.filter(|pair| !is_flag(&pair[1]) && !with_value(&pair[0]));
    let typed = typed.map(|pair| &pair[1]).next_back();
    // A word beside a flag of login's may be a password.
    let typed = typed.filter(|_| word != "login" || !argv.iter().any(is_flag));
    let image = typed.map_or_else(|| "IMAGE".to_owned(), kit_plan::quote);
    let local = image.starts_with("localhost") || image.starts_with("127.");
    // A registry on this machine seldom speaks TLS.
    let tls = |flag: &str| {
        if local {
            format!(" --{flag}=false")
        } else {
            String::new()
        }
    };
    let hint = match word {
        "pull" => format!(
            "skopeo copy -q{} docker://{image} docker-archive:/dev/stdout:{image} | runpack load",
            tls("src-tls-verify")
        ),
        "push" => format!(
            "(file=$(mktemp); trap 'rm -f $file' EXIT; runpack save -o $file {image} && skopeo copy{} docker-archive:$file docker://{image})",
            tls("dest-tls-verify")
        ),
        "search" => format!("skopeo list-tags{} docker://{image}", tls("tls-verify")),
        "login" | "logout" => {
            let registry = typed.map_or_else(|| "REGISTRY".to_owned(), kit_plan::quote);
            format!("skopeo {word}{} {registry}", tls("tls-verify"))
        }
        "build" => "runpack pack -t NAME --bin PROGRAM makes an image of programs of this machine"
            .to_owned(),
        "run" | "create" => format!("rrun {word} {image}"),
        _ => return None,
    };
    let text = format!("\"{word}\" is not a verb of runpack");
    Some(Failure::usage(text).hint(hint))
}
