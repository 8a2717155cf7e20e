fn main() -> std::process::ExitCode {
    kit_cli::advised_by(runpack::cli::advice);
    kit_cli::run(&[], runpack::cli::dispatch)
}
