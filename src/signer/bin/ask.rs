//! Questions, always at the terminal itself: a pipe can't answer for a person.
//!
//! A question may quote a journal or a file that somebody else wrote. It is one line, escaped as
//! every line on the screen is.

use super::context::secret_in;
use super::fault::Fault;
use coldsign::keystore::{Passphrase, RecoveryCode};
use coldsign::refusal::Refusal;
use coldsign::storage::{Terminal, restore_terminal_on_signals};
use coldsign_verify::escape::{self, escaped};
use std::path::Path;
use zeroize::Zeroizing;

/// A secret, typed without being shown.
pub fn secret(prompt: &str) -> Result<Zeroizing<String>, Fault> {
    restore_terminal_on_signals();
    rpassword::prompt_password(one_line(prompt)).map(Zeroizing::new).map_err(|error| match error.raw_os_error() {
        // ENXIO, ENOENT, ENOTTY: there is no controlling terminal.
        Some(6 | 2 | 25) => Fault::NoTerminal("name a file with --passphrase-file"),
        _ => Fault::Terminal(error),
    })
}

/// A question or a line to be seen, as the screen shows lines: what it quotes can't begin another one.
fn one_line(text: &str) -> String {
    escape::line(text).to_string()
}

/// How often somebody may try to type what is not shown.
pub const TRIES: usize = 3;

/// Tries something that begins with a question; after a slip in what was typed, once more, with a
/// word on what was wrong.
pub fn again<T>(tries: usize, mut attempt: impl FnMut() -> Result<T, Refusal>) -> Result<T, Refusal> {
    for _ in 1..tries {
        match attempt() {
            Err(refusal) if is_slip(&refusal) => tell(&format!("{}; once more\n", escaped(&refusal.to_string())))?,
            ended => return ended,
        }
    }
    attempt()
}

fn is_slip(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason().rule(),
        Some("UNLOCK-PASSPHRASE" | "UNLOCK-CODE" | "UNLOCK-SHORT" | "UNLOCK-CHARACTER" | "ROOT-CODE")
    )
}

/// What opens with a root code, from a file or typed; typed wrong, it is asked for again.
pub fn root_code<T>(
    file: Option<&Path>,
    prompt: &str,
    open: impl Fn(&Passphrase) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    again(if file.is_some() { 1 } else { TRIES }, || {
        let code = match file {
            Some(file) => secret_in(file)?,
            None => secret(prompt).map_err(|fault| match fault {
                Fault::NoTerminal(_) => Fault::NoTerminal("name a file with --root-code-file"),
                other => other,
            })?,
        };
        open(&RecoveryCode::read(&code).map_err(Fault::from)?.to_passphrase())
    })
}

/// A new passphrase of the unlock `name`, typed twice; one that can't be is asked for again before that.
pub fn new_passphrase(name: &str) -> Result<Passphrase, Refusal> {
    for left in (0..TRIES).rev() {
        let first = again(TRIES, || {
            let first = secret(&format!("new passphrase of {name}: "))?;
            Passphrase::new(first.clone())?;
            Ok(first)
        })?;
        if *first == *secret("the same again: ")? {
            return Ok(Passphrase::new(first)?);
        }
        if left > 0 {
            tell("that was not the same; once more from the start\n")?;
        }
    }
    Err(Fault::NotTheSame("the passphrase").into())
}

/// An answer; `default` where only Enter was pressed.
pub fn line(question: &str, default: Option<&str>) -> Result<String, Fault> {
    line_at(&mut terminal()?, question, default)
}

fn terminal() -> Result<Terminal, Fault> {
    Terminal::open().map_err(|_| Fault::NoTerminal("give the answers as options, see --help"))
}

fn line_at(terminal: &mut Terminal, question: &str, default: Option<&str>) -> Result<String, Fault> {
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    loop {
        terminal.write(&one_line(&format!("{question}{shown}: "))).map_err(Fault::Terminal)?;
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
    terminal()?.write(text).map_err(Fault::Terminal)
}

/// Shows at the terminal, wherever standard output goes, what an act would do, and asks for Yes.
/// Where there is no terminal, nobody can see it: `otherwise`.
pub fn approve(lines: &[String], question: &str, otherwise: Fault) -> Result<(), Fault> {
    let Ok(mut terminal) = Terminal::open() else { return Err(otherwise) };
    for line in lines {
        terminal.write(&format!("{}\n", one_line(line))).map_err(Fault::Terminal)?;
    }
    drop(terminal);
    confirm(question)
}

/// Yes, written out after the question was on the screen.
pub fn confirm(question: &str) -> Result<(), Fault> {
    let answer = terminal().and_then(|mut terminal| {
        terminal.forget_typed();
        line_at(&mut terminal, &format!("{question} Confirm with Yes (exactly)"), None)
    });
    match answer {
        Ok(answer) if answer == "Yes" => Ok(()),
        Ok(_) => Err(Fault::NotConfirmed),
        Err(Fault::NoTerminal(_)) => Err(Fault::NoTerminal("say --yes if it is meant")),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_question_is_one_line_and_moves_no_cursor() {
        let asked = one_line("passphrase of \u{1b}[2Jadmin\n\rYes: \u{202e}x: ");
        assert_eq!(asked, r"passphrase of \u{1b}[2Jadmin\u{a}\u{d}Yes: \u{202e}x: ");
    }
}
