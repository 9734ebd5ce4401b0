//! The largest policies that are read, of the shapes that cost most: judged to the end. Nothing here looks
//! at a clock; a test that does not end is red.

use super::{LARGEST, Policy, diff};
use std::fmt::Write as _;

const HEAD: &str = "format = \"coldsign-policy\"\nversion = 1\n";

/// As many sections as fit, each made from its number.
fn filled(head: &str, section: impl Fn(usize) -> String) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        let next = section(number);
        if text.len() + next.len() > LARGEST {
            return text;
        }
        write!(text, "{next}").unwrap();
    }
    text
}

#[test]
fn as_many_keysets_and_services_as_fit() {
    let text = filled(HEAD, |n| {
        format!("[keysets.k{n}]\nalgorithm = \"EdDSA\"\n[services.s{n}]\nkeyset = \"k{n}\"\naudience = \"a{n}\"\n")
    });
    let policy = Policy::parse(&text).unwrap();
    assert!(policy.services().count() > 10_000);
    assert_eq!(diff(Some(&policy), &policy), []);
    assert_eq!(diff(None, &policy).len(), 2 * policy.services().count());
}

#[test]
fn as_many_services_as_fit_that_can_not_share_their_keyset() {
    let head = format!("{HEAD}[keysets.k]\nalgorithm = \"EdDSA\"\n");
    let text = filled(&head, |n| format!("[services.s{n}]\nprofile = \"plain\"\nkeyset = \"k\"\n"));
    let faults = Policy::parse(&text).unwrap_err();
    assert!(faults.iter().count() > 10_000);
    // Each names a few of the others, and how many there are.
    assert!(faults.iter().all(|fault| fault.fact.len() < 1_000 && fault.fact.contains(" more")));
}

#[test]
fn as_many_misspelt_names_as_fit() {
    let keysets = filled("", |n| format!("[keysets.keyset-{n:05}]\nalgorithm = \"EdDSA\"\n"));
    let keysets: String = keysets.lines().take(8_000).fold(HEAD.to_owned(), |all, line| all + line + "\n");
    let text = filled(&keysets, |n| {
        format!("[services.s{n}]\nkeyset = \"keyest-{n:05}\"\naudience = \"a{n}\"\nprofiel = \"rfc9068\"\n")
    });
    let faults = Policy::parse(&text).unwrap_err();
    assert!(faults.iter().count() > 10_000);
    assert!(faults.iter().any(|fault| fault.nearest.as_deref() == Some("profile")));
}

#[test]
fn as_much_garbage_as_fits() {
    for text in [
        "[".repeat(LARGEST),
        format!("a = {}", "[".repeat(LARGEST - 4)),
        format!("a = {}", "{a=".repeat(LARGEST / 3 - 4)),
        format!("{} = 1", vec!["a"; LARGEST / 2 - 8].join(".")),
        "=\n".repeat(LARGEST / 2),
        "a=1\n".repeat(LARGEST / 4),
        "[[a]]\n".repeat(LARGEST / 6),
        filled(HEAD, |n| format!("x{n}=1\n")),
        format!("a = \"{}\"", "\\x".repeat(LARGEST / 2 - 8)),
        "\u{301}".repeat(LARGEST / 2),
    ] {
        assert!(text.len() <= LARGEST);
        assert!(Policy::parse(&text).is_err());
    }
}
