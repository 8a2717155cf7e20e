fn main() -> std::process::ExitCode {
    kit_cli::run(&[], rmount::cli::dispatch)
}
