fn main() -> std::process::ExitCode {
    kit_cli::run(&["run", "exec"], rrun::cli::dispatch)
}
