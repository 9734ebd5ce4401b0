//! All printing.
//!
//! - stdout carries only the product: what was asked for, in words or as one JSON object.
//! - Everything else goes to stderr, behind `coldsign: `, lower case, no full stop. With `--json`
//!   what was done is in the product: stderr has warnings, or one JSON object with the refusal.
//! - What an operator must answer goes to the terminal (`ask.rs`).
//! - Text from outside is escaped where it is put into a line, so that its end can be told, and
//!   here once more: nothing gets out that moves the cursor, hides or turns the direction round.
//! - A reader that has gone (`| head`) is no error; a full disk is.

use coldsign::acts::path_word;
use coldsign::refusal::Refusal;
use coldsign::storage::stdout_is_closed;
use coldsign_verify::escape::{self, escaped_up_to};
use serde_json::{Value, json};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

/// How much of a refusal's text is shown, in characters.
const LONGEST: usize = 1_000;

/// stdout and stderr.
pub struct Screen {
    json: bool,
    store: Option<String>,
    colour: bool,
    wraps: bool,
    width: usize,
    failed: Option<io::Error>,
    reader_gone: bool,
    /// Whether a passphrase vouches for the store that is shown, where one is.
    authenticated: Option<bool>,
}

impl Screen {
    /// The process's own.
    pub fn new(json: bool, store: Option<&Path>) -> Self {
        let store = store.map(path_word);
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal();
        Self {
            json,
            store,
            colour: terminal && !plain,
            wraps: terminal,
            width: width(),
            failed: None,
            reader_gone: false,
            authenticated: None,
        }
    }

    /// Whether one JSON object is wanted.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Says whether a passphrase vouches for the store that is shown from here on.
    pub fn shows(&mut self, authenticated: bool) {
        if !authenticated && self.authenticated.is_none() {
            self.note("not authenticated: the files say so; --unlock NAME checks them");
        }
        self.authenticated = Some(authenticated);
    }

    /// Whether a passphrase vouches for what is shown.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated == Some(true)
    }

    /// Whether the product goes to a terminal, where somebody reads it.
    pub fn is_read(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Columns of the terminal; more than enough where there is none.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A line of the product.
    pub fn line(&mut self, text: &str) {
        self.product(format!("{}\n", escape::line(text)).as_bytes());
    }

    /// Lines of the product as somebody wrote them, each with its end.
    pub fn text(&mut self, text: &str) {
        self.product(escape::page(text).to_string().as_bytes());
    }

    /// A JSON document of another format, as that format has it: nothing is added.
    pub fn document(&mut self, value: &Value) {
        self.product(format!("{}\n", plain_ascii(&format!("{value:#}"))).as_bytes());
    }

    /// The product as JSON: each object says whether a passphrase vouches for what it shows of a store.
    pub fn object(&mut self, value: &Value) {
        let mut value = value.clone();
        if let Some(authenticated) = self.authenticated {
            let rows = match &mut value {
                Value::Array(rows) => rows.as_mut_slice(),
                one => std::slice::from_mut(one),
            };
            for row in rows.iter_mut().filter_map(Value::as_object_mut) {
                row.insert("authenticated".to_owned(), authenticated.into());
            }
        }
        self.product(format!("{}\n", plain_ascii(&format!("{value:#}"))).as_bytes());
    }

    /// The product as it is: only what coldsign made itself.
    pub fn product(&mut self, bytes: &[u8]) {
        if self.failed.is_some() || self.reader_gone {
            return;
        }
        if self.is_closed() {
            self.failed = Some(io::Error::other("it is closed"));
            return;
        }
        match io::stdout().lock().write_all(bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.reader_gone = true,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Whether there is nowhere for the product to go.
    pub fn is_closed(&self) -> bool {
        stdout_is_closed(io::stdout())
    }

    /// Whether all of the product has been taken so far.
    pub fn flush(&mut self) -> bool {
        if let Err(error) = io::stdout().lock().flush() {
            match error.kind() {
                ErrorKind::BrokenPipe => self.reader_gone = true,
                _ => self.failed = Some(error),
            }
        }
        self.failed.is_none() && !self.reader_gone
    }

    /// What was done. A script that asked for JSON has it in the product.
    pub fn note(&mut self, text: &str) {
        if self.json {
            return;
        }
        self.aside("", "", text);
    }

    /// What deserves a second look.
    pub fn warning(&mut self, text: &str) {
        self.aside("33", "warning: ", text);
    }

    /// A command that goes on from here.
    pub fn hint(&mut self, command: &str) {
        if self.json {
            return;
        }
        let command = self.command(command);
        self.paste(&command);
    }

    /// Prints a refusal and says how the process ends: 0 done, 1 refused.
    pub fn end(mut self, ended: Result<(), Refusal>) -> u8 {
        self.flush();
        let status = match ended {
            Ok(()) => 0,
            Err(refusal) => {
                self.refusal(&refusal);
                1
            }
        };
        if let Some(error) = self.failed.take() {
            self.aside("31", "error: ", &format!("standard output could not be written: {error}"));
            return 1;
        }
        status
    }

    /// A refusal: the fact, why, the command that helps.
    pub fn refusal(&mut self, refusal: &Refusal) {
        let reason = refusal.reason();
        if self.json {
            let told = json!({"error": {
                "fact": refusal.to_string(),
                "rule": reason.rule(),
                "why": reason.why(),
                "hint": reason.hint().map(|command| self.command(&command)),
            }});
            let _ = writeln!(io::stderr().lock(), "{}", plain_ascii(&format!("{told:#}")));
            return;
        }
        let rule = reason.rule().map(|rule| format!(" [{rule}]")).unwrap_or_default();
        self.aside("31", "error: ", &format!("{refusal}{rule}"));
        for line in reason.why() {
            self.aside("", "", &line);
        }
        if let Some(command) = reason.hint() {
            let command = self.command(&command);
            self.paste(&command);
        }
    }

    /// A command as it must be typed to mean this store, not the usual one.
    pub fn command(&self, command: &str) -> String {
        match (&self.store, command.strip_prefix("coldsign ")) {
            (Some(store), Some(rest)) if !rest.starts_with("--store ") => format!("coldsign --store {store} {rest}"),
            _ => command.to_owned(),
        }
    }

    /// A command to paste: in one piece and to the letter, unless it could deceive the eye.
    fn paste(&mut self, command: &str) {
        self.lead("36", "hint: ", &escape::command(command).to_string());
    }

    fn aside(&mut self, colour: &str, kind: &str, text: &str) {
        let text = escaped_up_to(text, LONGEST).to_string();
        let text = if self.wraps { wrapped(&text, kind, self.width) } else { text };
        self.lead(colour, kind, &text);
    }

    fn lead(&mut self, colour: &str, kind: &str, text: &str) {
        let kind =
            if self.colour && !colour.is_empty() { format!("\x1b[{colour}m{kind}\x1b[0m") } else { kind.to_owned() };
        // One write a line: two acts at once don't mix theirs. Nobody is left to tell where stderr fails.
        let line = format!("coldsign: {kind}{text}\n");
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// What is wrong with a command line, which may be quoted in it.
pub fn usage(text: &str) {
    for line in text.lines() {
        let _ = writeln!(io::stderr().lock(), "{}", escaped_up_to(line, LONGEST));
    }
}

/// JSON with every character beyond ASCII, and DEL, as `\u…`: it says the same, and nothing in it can
/// move a cursor or change the direction of reading.
fn plain_ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            plain.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    plain
}

/// Breaks a line between words, so that with its beginning it fits the terminal.
fn wrapped(text: &str, kind: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = "coldsign: ".len() + kind.len();
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > width {
            lines.push_str("\n  ");
            column = 2;
        } else if number > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = columns.or_else(|| rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into()));
    match asked {
        Some(columns) if columns >= 40 => columns,
        Some(_) => 80,
        // A file or a pipe: nothing has to be cut.
        None => 1_000,
    }
}

/// A number of things: `1 token`, `2 tokens`.
pub fn many(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_in_ascii() {
        let value = json!({"\u{202e}k": "\u{7f}\u{9b}\u{1f600}é\n\u{1b}"});
        let text = plain_ascii(&value.to_string());
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn lines_break_between_words_only() {
        let text = "one two three four five six seven eight nine ten eleven";
        let broken = wrapped(text, "error: ", 40);
        assert!(broken.lines().skip(1).all(|line| line.starts_with("  ") && line.chars().count() <= 40), "{broken}");
        assert_eq!(broken.replace("\n  ", " "), text);
        let full = format!("{} {}", "x".repeat(14), "y".repeat(15));
        assert_eq!(wrapped(&full, "", 40), full);
        assert_eq!(wrapped(&format!("{full}y"), "", 40), full.replace(' ', "\n  ") + "y");
        assert_eq!(wrapped("  new     file", "", 40), "  new     file");
        let long = "x".repeat(100);
        assert_eq!(wrapped(&long, "", 40), long);
    }
}
