fn main() -> std::process::ExitCode {
    kit_cli::run(&[], runpack::cli::dispatch)
}
