fn main() -> std::process::ExitCode {
    rrun::cli::ahead(std::env::args_os());
    kit_cli::run(&["run", "exec"], rrun::cli::dispatch)
}
