//! All printing: stdout carries only the product, everything else goes to stderr behind
//! `coldsign-gate: `, escaped. With `--json` the product is one object, and so is a refusal.

use crate::Ended;
use coldsign_verify::escape::{self, escaped_up_to};
use serde_json::{Value, json};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// How much of a line is shown, in characters.
const LONGEST: usize = 1_000;

/// stdout and stderr.
pub struct Screen {
    json: bool,
    trust: String,
    /// Whether another process hands the product on, and has to be told where it begins.
    relayed: bool,
    failed: Option<io::Error>,
}

impl Screen {
    /// The process's own.
    pub fn new(json: bool, trust: &Path, relayed: bool) -> Self {
        Self { json, trust: word(trust), relayed, failed: None }
    }

    /// Whether one JSON object is wanted.
    pub fn json(&self) -> bool {
        self.json
    }

    /// The product.
    pub fn product(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        let begun = if std::mem::take(&mut self.relayed) { crate::reload::begin_product(&mut out) } else { Ok(()) };
        match begun.and_then(|()| out.write_all(bytes)).and_then(|()| out.flush()) {
            // A reader that has gone is no error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => self.failed = Some(error),
            _ => {}
        }
    }

    /// Lines of the product, or the object that says the same.
    pub fn tell(&mut self, lines: &[String], object: &Value) {
        if self.json {
            self.product(format!("{}\n", plain_ascii(&format!("{object:#}"))).as_bytes());
        } else {
            let text: String = lines.iter().map(|line| format!("{}\n", escaped_up_to(line, LONGEST))).collect();
            self.product(text.as_bytes());
        }
    }

    /// What is worth knowing besides the product.
    pub fn note(&mut self, text: &str) {
        if !self.json {
            aside("", text);
        }
    }

    /// What deserves a second look.
    pub fn warning(&mut self, text: &str) {
        aside("warning: ", text);
    }

    /// Prints a refusal; 0 done, 1 refused.
    pub fn end(self, ended: Ended) -> u8 {
        if let Err(refusal) = &ended {
            let hint = refusal.hint.as_ref().map(|hint| hint.replacen("coldsign-gate ", &self.command(), 1));
            if self.json {
                let told = json!({"error": {
                    "fact": refusal.fact, "rule": refusal.rule, "why": refusal.why, "hint": hint,
                }});
                let _ = writeln!(io::stderr().lock(), "{}", plain_ascii(&format!("{told:#}")));
            } else {
                let rule = refusal.rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
                aside("error: ", &format!("{}{rule}", refusal.fact));
                refusal.why.iter().for_each(|line| aside("", line));
                hint.iter().for_each(|hint| lead("hint: ", &escape::command(hint).to_string()));
            }
        }
        match self.failed {
            Some(error) => {
                aside("error: ", &format!("standard output could not be written: {error}"));
                1
            }
            None => u8::from(ended.is_err()),
        }
    }

    /// The program with this trust store, as it must be typed.
    fn command(&self) -> String {
        match self.trust.as_str() {
            crate::USUAL_PLACE => "coldsign-gate ".to_owned(),
            trust => format!("coldsign-gate --trust {trust} "),
        }
    }
}

/// A path as a shell takes it.
pub fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// What is wrong with a command line; what it quotes is escaped already.
pub fn usage(text: &str) {
    let _ = write!(io::stderr().lock(), "{}", escape::page(text));
}

fn aside(kind: &str, text: &str) {
    lead(kind, &escaped_up_to(text, LONGEST).to_string());
}

fn lead(kind: &str, text: &str) {
    // Nobody is left to tell where stderr fails.
    let line = format!("coldsign-gate: {kind}{text}\n");
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// JSON with every character beyond ASCII, and DEL, as `\u…`: nothing in it can move a cursor.
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
