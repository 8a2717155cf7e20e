fn main() -> std::process::ExitCode {
    kit_cli::run(&["exec"], rcgroup::cli::dispatch)
}
