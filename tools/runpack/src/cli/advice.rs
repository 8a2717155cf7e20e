//! What is said of docker's verbs that are none of ours.

use std::ffi::OsString;

use kit_cli::Failure;

/// What is said of docker's verbs that another tool does. For `kit_cli::advised_by`.
pub fn advice(argv: &[OsString], word: &str) -> Option<Failure> {
    let typed = argv
        .iter()
        .skip(2)
        .rfind(|word| !word.to_string_lossy().starts_with('-'));
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
