fn main() -> std::process::ExitCode {
    kit_cli::run(&[], rbridge::cli::dispatch)
}
