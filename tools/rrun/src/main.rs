fn main() -> std::process::ExitCode {
    let words = rrun::cli::words(std::env::args_os());
    rrun::cli::ahead(&words);
    kit_cli::advised_by(rrun::cli::advice);
    kit_cli::run_words(words, &["run", "exec"], rrun::cli::dispatch)
}
