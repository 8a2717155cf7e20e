fn main() -> std::process::ExitCode {
    kit_cli::advised_by(rnetns::cli::advice);
    kit_cli::run(&["exec"], rnetns::cli::dispatch)
}
