//! Questions, always at the terminal itself: a pipe can't answer for a person.

use super::fault::Fault;
use coldsign::storage::{Terminal, restore_terminal_on_signals};
use zeroize::Zeroizing;

/// A secret, typed without being shown.
pub fn secret(prompt: &str) -> Result<Zeroizing<String>, Fault> {
    restore_terminal_on_signals();
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| match error.raw_os_error() {
        // ENXIO, ENOENT, ENOTTY: there is no controlling terminal.
        Some(6 | 2 | 25) => Fault::NoTerminal("name a file with --passphrase-file"),
        _ => Fault::Terminal(error),
    })
}

/// A new secret, typed twice.
pub fn new_secret(prompt: &str, again: &str, name: &'static str) -> Result<Zeroizing<String>, Fault> {
    let first = secret(prompt)?;
    let second = secret(again)?;
    if *first == *second { Ok(first) } else { Err(Fault::NotTheSame(name)) }
}

/// An answer; `default` where only Enter was pressed.
pub fn line(question: &str, default: Option<&str>) -> Result<String, Fault> {
    let mut terminal = Terminal::open().map_err(|_| Fault::NoTerminal("give the answers as options, see --help"))?;
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    loop {
        terminal.write(&format!("{question}{shown}: ")).map_err(Fault::Terminal)?;
        let answer = terminal.read_line().map_err(Fault::Terminal)?;
        match (answer.trim(), default) {
            ("", Some(default)) => return Ok(default.to_owned()),
            ("", None) => {}
            (answer, _) => return Ok(answer.to_owned()),
        }
    }
}

/// Text that only the person at the terminal sees: it never goes to stdout or stderr.
pub fn tell(text: &str) -> Result<(), Fault> {
    let mut terminal = Terminal::open().map_err(|_| Fault::NoTerminal("give the answers as options, see --help"))?;
    terminal.write(text).map_err(Fault::Terminal)
}

/// Yes, written out.
pub fn confirm(question: &str) -> Result<(), Fault> {
    if line(&format!("{question} Confirm with Yes (exactly)"), None)? == "Yes" {
        Ok(())
    } else {
        Err(Fault::NotConfirmed)
    }
}
