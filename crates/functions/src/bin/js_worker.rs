//! A worker alone, for the tests of this crate: the server has the same behind a hidden sub-command.

fn main() -> std::process::ExitCode {
    campanile_functions::worker_main()
}
