fn main() -> std::process::ExitCode {
    kit_cli::run(&["exec"], rnetns::cli::dispatch)
}
