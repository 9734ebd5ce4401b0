//! The command `coldsign`.

mod bin;

use std::process::ExitCode;

fn main() -> ExitCode {
    bin::main()
}
