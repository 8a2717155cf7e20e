fn main() -> std::process::ExitCode {
    kit_cli::run(&[], rveth::cli::dispatch)
}
