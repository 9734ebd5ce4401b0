//! The paths a source names: `use` trees flattened, aliases followed, `self` and `super` worked out.

use crate::source::{Source, Token};

/// One path in the code, from `crate`, from another crate, or as it stands.
#[derive(Debug, PartialEq)]
pub struct Named {
    pub segments: Vec<String>,
    pub at: usize,
}

struct Import {
    alias: String,
    segments: Vec<String>,
}

/// Every path of a file; `module` is the file's own place below the crate's root.
pub fn named(source: &Source, module: &[String]) -> Vec<Named> {
    let tokens = source.tokens();
    let mut walk = Walk {
        tokens: &tokens,
        at: 0,
        modules: module.to_vec(),
        inner: Vec::new(),
        depth: 0,
        found: Vec::new(),
        imports: Vec::new(),
    };
    walk.run();
    let Walk { found, imports, .. } = walk;
    found.into_iter().map(|named| Named { segments: follow(named.segments, &imports), at: named.at }).collect()
}

/// The module path of a file below `root`: `src/signer/journal/entries.rs` is `journal::entries`.
pub fn module_of(path: &str, root: &str) -> Vec<String> {
    let inside = path.strip_prefix(root).unwrap_or(path).trim_matches('/').trim_end_matches(".rs");
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn follow(mut segments: Vec<String>, imports: &[Import]) -> Vec<String> {
    // Aliases of aliases are rare; the bound keeps `use a as a` from going round for ever.
    for _ in 0..4 {
        let Some(first) = segments.first() else { break };
        let Some(import) =
            imports.iter().find(|import| import.alias == *first && import.segments.first() != Some(first))
        else {
            break;
        };
        segments.splice(..1, import.segments.iter().cloned());
    }
    segments
}

struct Walk<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    modules: Vec<String>,
    /// Brace depths at which inline modules were opened.
    inner: Vec<usize>,
    depth: usize,
    found: Vec<Named>,
    imports: Vec<Import>,
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            match token.text {
                "{" => self.depth += 1,
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.inner.last() == Some(&self.depth) {
                        self.inner.pop();
                        self.modules.pop();
                    }
                }
                "mod" if self.text(2) == "{" => {
                    self.modules.push(self.text(1).to_owned());
                    self.inner.push(self.depth);
                    self.at += 1;
                }
                // `use<'a>` is precise capturing, not an import.
                "use" if self.text(1) != "<" => {
                    self.at += 1;
                    self.tree(&[]);
                    continue;
                }
                word if begins_path(word) && !matches!(self.before(), "." | "::" | "fn" | "let" | "'") => {
                    self.path();
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text)
    }

    fn before(&self) -> &str {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or("", |token| token.text)
    }

    fn path(&mut self) {
        let start = self.tokens[self.at].at;
        let mut segments = vec![self.text(0).to_owned()];
        while self.text(1) == "::" && begins_path(self.text(2)) {
            segments.push(self.text(2).to_owned());
            self.at += 2;
        }
        self.at += 1;
        let macro_call = segments.len() == 1 && self.text(0) == "!";
        if !macro_call {
            let segments = self.rooted(segments);
            self.found.push(Named { segments, at: start });
        }
    }

    /// One branch of a use tree: `a::b`, `a::{…}`, `a::*`, `a as b`.
    fn tree(&mut self, prefix: &[String]) {
        let start = self.tokens.get(self.at).map_or(0, |token| token.at);
        let mut segments = prefix.to_vec();
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(&segments);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    segments.push("*".to_owned());
                    self.at += 1;
                }
                "self" if segments.len() > prefix.len() || !prefix.is_empty() => self.at += 1,
                word if begins_path(word) && word != "as" => {
                    segments.push(word.to_owned());
                    self.at += 1;
                }
                _ => break,
            }
        }
        let mut alias = segments.last().cloned().unwrap_or_default();
        if self.text(0) == "as" {
            alias = self.text(1).to_owned();
            self.at += 2;
        }
        if segments.len() == prefix.len() && start == self.tokens.get(self.at).map_or(0, |token| token.at) {
            self.at += 1; // a sign that belongs to no tree: never stand still
            return;
        }
        let segments = self.rooted(segments);
        self.imports.push(Import { alias, segments: segments.clone() });
        self.found.push(Named { segments, at: start });
    }

    fn rooted(&self, mut segments: Vec<String>) -> Vec<String> {
        let mut module = self.modules.clone();
        let mut relative = false;
        while let Some(first) = segments.first() {
            match first.as_str() {
                "self" => {}
                "super" => {
                    module.pop();
                }
                _ => break,
            }
            relative = true;
            segments.remove(0);
        }
        if relative {
            segments.splice(..0, std::iter::once("crate".to_owned()).chain(module));
        }
        segments
    }
}

fn begins_path(word: &str) -> bool {
    word.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn names_in(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, text);
    named(&source, &module_of(path, "src/signer")).iter().map(|named| named.segments.join("::")).collect()
}

#[test]
fn groups_aliases_and_parents_are_followed() {
    let names = names_in(
        "src/signer/journal/entries.rs",
        "use crate::{storage, acts::{self, issue as i}};
         use super::super::keystore::Key;
         use std::{fs as files, io::{self, Write}};
         fn f() { files::read(x); io::stdout(); i::run(); super::tree::head(); y.env(); }
         mod deep { fn g() { super::super::super::bin::go() } }",
    );
    for expected in [
        "crate::storage",
        "crate::acts",
        "crate::acts::issue",
        "crate::keystore::Key",
        "std::fs",
        "std::io",
        "std::fs::read",
        "std::io::stdout",
        "crate::acts::issue::run",
        "crate::journal::tree::head",
        "crate::bin::go",
    ] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name == "env"), "a method is no path");
}

#[test]
fn a_module_file_is_the_module_itself() {
    assert_eq!(names_in("src/signer/journal/mod.rs", "use super::acts;"), ["crate::acts"]);
    assert_eq!(names_in("src/signer/journal.rs", "use self::tree::Head;"), ["crate::journal::tree::Head"]);
    assert_eq!(names_in("src/signer/lib.rs", "pub use self::acts::X;"), ["pub", "crate::acts::X"]);
}
