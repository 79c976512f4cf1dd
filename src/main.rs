//! The `autoresearch` binary; everything is in the library.

fn main() -> std::process::ExitCode {
    autoresearch::run().into()
}
