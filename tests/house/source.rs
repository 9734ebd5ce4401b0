//! Rust sources as the guards read them: comments and literals blanked out, string literals
//! kept apart, and the parts that only tests see marked.

use std::ops::Range;

/// One source file.
pub struct Source {
    /// Path from the root of the project, with `/`.
    pub path: String,
    /// The text with comments and the insides of literals turned into spaces; same length, same lines.
    pub code: String,
    /// Every string literal outside comments.
    pub literals: Vec<Literal>,
    /// Byte ranges that are compiled for tests alone.
    pub tests: Vec<Range<usize>>,
}

/// A string literal and where its text begins.
pub struct Literal {
    pub at: usize,
    pub text: String,
}

/// A word or sign of the code.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    pub at: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, literals) = blank(text);
        // A member's integration tests are tests from their first line.
        let member_tests = path.split('/').nth(2) == Some("tests");
        let whole = 0..code.len();
        let tests = if member_tests { Vec::from([whole]) } else { test_ranges(&code) };
        Source { path: path.to_owned(), code, literals, tests }
    }

    pub fn line(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub fn in_tests(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// Words (`r#` dropped), `::` as one, every other sign by itself.
    pub fn tokens(&self) -> Vec<Token<'_>> {
        let bytes = self.code.as_bytes();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = if is_word(bytes[at]) {
                (at..bytes.len()).find(|i| !is_word(bytes[*i])).unwrap_or(bytes.len())
            } else if self.code[at..].starts_with("::") {
                at + 2
            } else {
                (at + 1..=bytes.len()).find(|i| self.code.is_char_boundary(*i)).unwrap_or(bytes.len())
            };
            let text = &self.code[at..end];
            if text == "r" && bytes.get(end) == Some(&b'#') && bytes.get(end + 1).is_some_and(|b| is_word(*b)) {
                at = end + 1;
                continue;
            }
            if !text.trim().is_empty() {
                tokens.push(Token { text, at });
            }
            at = end;
        }
        tokens
    }
}

/// Reads every file given and marks as tests whole files that a `#[cfg(test)] mod name;` brings in.
pub fn read_all(files: impl IntoIterator<Item = (String, String)>) -> Vec<Source> {
    let mut sources: Vec<Source> = files.into_iter().map(|(path, text)| Source::new(&path, &text)).collect();
    let of_tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let path = source.path.trim_end_matches(".rs");
        if of_tests.iter().any(|module| path == module || path.starts_with(&format!("{module}/"))) {
            source.tests = std::iter::once(0..source.code.len()).collect();
        }
    }
    sources
}

/// Paths (without `.rs`) of the modules that `#[cfg(test)] mod name;` declares.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = if matches!(name, "mod" | "lib" | "main") { folder } else { stem };
    source
        .tests
        .iter()
        .filter_map(|range| {
            let item = source.code[range.clone()].rsplit(']').next()?.trim();
            let name = item.strip_suffix(';')?.trim().rsplit_once("mod ")?.1;
            Some(format!("{folder}/{}", name.trim()))
        })
        .collect()
}

/// The items behind `#[cfg(test)]`, from the attribute to the closing brace or semicolon.
fn test_ranges(code: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(") {
        let start = from + found;
        let end = start + code[start..].find(']').unwrap_or(code.len() - start);
        let condition: Vec<&str> = code[start..end].split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        from = end;
        if condition.contains(&"test") && !condition.contains(&"not") {
            from = item_end(code, end);
            ranges.push(start..from);
        }
    }
    ranges
}

/// Where the item that begins at `from` ends: after its closing brace or its semicolon.
pub fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(text: &str) -> (String, Vec<Literal>) {
    let mut code = text.as_bytes().to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &text.as_bytes()[at..];
        let (skip, inside) = if rest.starts_with(b"//") {
            (rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with(b"/*") {
            (block_comment(rest), None)
        } else if let Some((open, close, end)) = string(rest, at > 0 && is_word(code[at - 1])) {
            (end, Some(at + open..at + close))
        } else if let Some(end) = character(rest) {
            (end, Some(at..at))
        } else {
            at += 1;
            continue;
        };
        if let Some(inside) = inside.filter(|inside| !inside.is_empty()) {
            literals.push(Literal { at: inside.start, text: text[inside].to_owned() });
        }
        for byte in &mut code[at..at + skip] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += skip;
    }
    (String::from_utf8(code).expect("whole literals and comments were replaced by spaces"), literals)
}

/// Length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// A plain, byte, C or raw string at the start: where its inside begins and ends, and its whole length.
fn string(rest: &[u8], after_word: bool) -> Option<(usize, usize, usize)> {
    let letters =
        if after_word { 0 } else { rest.iter().take(2).take_while(|b| matches!(b, b'b' | b'c' | b'r')).count() };
    let hashes = rest[letters..].iter().take_while(|byte| **byte == b'#').count();
    let raw = rest[..letters].ends_with(b"r");
    let open = letters + hashes + 1;
    if rest.get(open - 1) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    let mut at = open;
    while at < rest.len() {
        match rest[at] {
            b'\\' if !raw => at += 1,
            b'"' if rest[at + 1..].iter().take(hashes).filter(|byte| **byte == b'#').count() == hashes => {
                return Some((open, at, at + 1 + hashes));
            }
            _ => {}
        }
        at += 1;
    }
    Some((open, rest.len(), rest.len()))
}

/// Length of a character literal at the start; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'\'') {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        return Some(3 + rest.get(3..)?.iter().position(|byte| *byte == b'\'')? + 1);
    }
    let width = std::str::from_utf8(rest.get(1..)?.get(..4.min(rest.len() - 1))?)
        .map_or_else(|fault| fault.valid_up_to(), str::len);
    let first = std::str::from_utf8(&rest[1..1 + width]).ok()?.chars().next()?.len_utf8();
    (rest.get(1 + first) == Some(&b'\'')).then_some(first + 2)
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text = r####"
        // std::fs here
        /* and /* nested */ std::fs */ fn f<'a>(x: &'a str) -> char { '"' }
        const A: &str = "std::fs \" still"; const B: &str = r#"raw "std::fs" x"#;
        const C: &[u8] = b"std::fs"; const D: char = '\u{66}'; const E: char = '\''; const F: char = 'é';
        fn g() { r#loop::stays() }
    "####;
    let source = Source::new("x.rs", text);
    assert!(!source.code.contains("fs"), "{}", source.code);
    assert!(source.code.contains("fn f<'a>(x: &'a str) -> char {"));
    assert!(source.code.contains("const F: char"));
    assert_eq!(source.code.len(), text.len());
    let literals: Vec<&str> = source.literals.iter().map(|literal| literal.text.as_str()).collect();
    assert_eq!(literals, [r#"std::fs \" still"#, r#"raw "std::fs" x"#, "std::fs"]);
    let words: Vec<&str> = source.tokens().iter().map(|token| token.text).collect();
    assert!(words.windows(3).any(|three| three == ["loop", "::", "stays"]));
}

#[test]
fn test_modules_are_told_from_the_rest() {
    let source = Source::new("src/a.rs", "fn one() {}\n#[cfg(test)]\nmod tests { fn two() { {} } }\nfn three() {}");
    let at = |word: &str| source.code.find(word).expect("the word is there");
    assert!(!source.in_tests(at("one")) && source.in_tests(at("two")) && !source.in_tests(at("three")));

    let not = Source::new("src/a.rs", "#[cfg(not(test))]\nmod real { fn two() {} }");
    assert!(not.tests.is_empty());

    let files =
        [("src/a/mod.rs", "#[cfg(test)]\nmod tests;\nmod other;"), ("src/a/tests.rs", "x"), ("src/a/other.rs", "x")];
    let sources = read_all(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert!(sources[1].in_tests(0) && !sources[2].in_tests(0));
}
