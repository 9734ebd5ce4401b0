//! What is handed in never reaches the terminal as it came: nothing moves the cursor, sets the title
//! or the clipboard, hides, piles up, turns the direction of reading, or begins a line of its own.

use std::ffi::OsString;
use std::fs;

use coldsign::issuing::flowkit;
use coldsign::journal::{hex, sha256};
use coldsign::keystore::{RsaBits, SecretKey};
use coldsign_verify::jws::{self, Sign as _};
use coldsign_verify::{Algorithm, Jwks, base64url, escape};
use serde_json::{Value, json};

use crate::place::{POLICY, Place, os};

/// A line that only coldsign may begin.
const FORGED: &str = "OK signed by root";

/// Texts that deceive a reader, by the way they do it.
fn classes() -> [Vec<String>; 6] {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let turns = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
    [
        texts(&[
            "\x1b[2J",
            "\x1b]0;owned\x07",
            "\x1b]8;;https://attacker.example\x07click\x1b]8;;\x07",
            "\x1b]52;c;b3duZWQ=\x07",
            "\u{9b}31m",
            "\u{9d}0;owned\u{9c}",
            "real\rfake",
            "ann\x08\x08\x08bob",
            "\x7f\u{85}",
        ]),
        texts(&["\u{feff}ann", "\u{200b}\u{200c}\u{200d}\u{2060}", "\u{ad}\u{61c}\u{180e}\u{e0041}"]),
        texts(&["\nOK signed by root", "\u{2028}OK signed by root"]),
        turns.map(|turn| format!("a{turn}b")).collect(),
        vec![format!("e{}", "\u{301}".repeat(200))],
        vec!["x".repeat(10_000)],
    ]
}

/// Each of these texts by itself.
pub fn hostile() -> Vec<String> {
    classes().concat()
}

/// A text a class, with all that is in it: each is escaped by its characters, so one process shows what many would.
fn mixed() -> Vec<String> {
    let mixed: Vec<String> = classes().map(|texts| texts.concat()).to_vec();
    let cut = escape::DEFAULT_LIMIT;
    assert!(mixed.iter().take(4).all(|text| text.chars().count() < cut), "all of it has to be shown");
    mixed
}

/// Fails where a byte of it could deceive a reader. The list is this test's own, not the code's.
pub fn assert_clean(what: &str, stream: &[u8]) {
    let text = std::str::from_utf8(stream).unwrap_or_else(|_| panic!("{what}: not UTF-8: {stream:?}"));
    let mut pile = 0;
    for character in text.chars() {
        pile = if ('\u{300}'..='\u{36f}').contains(&character) { pile + 1 } else { 0 };
        let deceives = (character.is_control() && character != '\n')
            || matches!(character,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!deceives && pile <= 2, "{what}: U+{:04X} gets out in {text:?}", u32::from(character));
    }
    for line in text.lines() {
        assert!(!line.trim_start().starts_with(FORGED), "{what}: a forged line in {text:?}");
    }
}

fn assert_measured(what: &str, stream: &[u8]) {
    let longest = String::from_utf8_lossy(stream).lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(longest < 5_000, "{what}: a line of {longest} characters");
}

/// Runs a command in words and as JSON and scans what it says.
fn scan<S: AsRef<std::ffi::OsStr>>(made: &Place, arguments: &[S]) {
    let mut arguments: Vec<OsString> = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
    for json in [false, true] {
        if json {
            arguments.insert(0, "--json".into());
        }
        let what = format!("{:?}", arguments.iter().map(|one| one.to_string_lossy()).collect::<Vec<_>>());
        let what: String = what.chars().take(300).collect();
        let output = made.run(&arguments);
        assert!(matches!(output.status.code(), Some(0..=2)), "{what}: {:?}", output);
        for stream in [&output.stdout, &output.stderr] {
            assert_clean(&what, stream);
            // A policy that is in force is printed as it is.
            if !json && !what.contains("\"show\"") {
                assert_measured(&what, stream);
            }
        }
        if json && output.status.code() == Some(0) && !output.stdout.is_empty() {
            serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        }
    }
}

#[test]
fn honest_text_is_shown_as_it_is() {
    let made = Place::with_store();
    made.done(&["token", "issue", "api/reader", "Zoë Šťastná", "--to", "out", "--reason", "Röntgen 北京"]);
    assert!(made.done(&["token", "list"]).contains("Zoë Šťastná"));
    let listed: Value = serde_json::from_str(&made.done(&["token", "list", "--json"])).unwrap();
    assert_eq!(listed[0]["reason"], "Röntgen 北京");
    let file = fs::read_dir(made.path("out")).unwrap().next().unwrap().unwrap().path();
    assert!(made.done(&["token".as_ref(), "inspect".as_ref(), file.as_os_str()]).contains("Zoë Šťastná"));
}

#[test]
fn arguments() {
    let made = Place::with_store();
    for text in mixed() {
        let grant = format!("api/{text}");
        let other = format!("{text}/reader");
        for arguments in [
            &["token", "issue", "api/reader", &text, "--to", "out"][..],
            &["token", "issue", "api/reader", &text, "--dry-run"],
            &["token", "issue", &grant, "ann", "--to", "out"],
            &["token", "issue", &other, "ann", "--to", "out"],
            &["token", "issue", &text, "ann", "--to", "out"],
            &["token", "issue", "api/reader", "ann", "--dry-run", "--scope", &text],
            &["token", "issue", "api/reader", "ann", "--dry-run", "--lifetime", &text],
            &["token", "issue", "api/reader", "ann", "--dry-run", "--not-before", &text],
            &["token", "issue", "api/reader", "ann", "--dry-run", "--cnf-jkt", &text],
            &["token", "issue", "api/reader", "ann", "--dry-run", "--form", &text],
            &["token", "list", "--service", &text, "--subject", &text],
            &["token", "verify", "pass", "--service", &text],
            &["key", "show", &text],
            &["key", "list", &text],
            &["key", "generate", &text],
            &["key", "activate", &text],
            &["publication", "show", &text],
            &["policy", "show", "--as-of", &text],
            &["--unlock", &text, "key", "generate", "default"],
            &["unlock", "add", &text, "--new-passphrase-file", "pass"],
            &["unlock", "change", &text, "--new-passphrase-file", "pass"],
            &["unlock", "remove", &text, "--yes"],
            &["unlock", "test", &text],
            &["completions", &text],
            &[&text],
            &["status", &text],
            &["--store", "other", "init", "--issuer", &text, "--policy", "policy.toml", "--recovery-sheet", "s2"],
            &["--store", "other", "init", "--issuer", "https://t.example", "--api", &text, "--recovery-sheet", "s2"],
            &["--store", "other", "init", "--issuer", "https://t.example", "--admin", &text, "--policy", "policy.toml"],
        ] {
            scan(&made, arguments);
        }
    }
}

#[test]
fn reasons_are_kept_and_shown_harmless() {
    let made = Place::with_store();
    for (number, text) in hostile().iter().enumerate() {
        made.done(&["token", "issue", "api/reader", &format!("s{number}"), "--to", "out", "--reason", text]);
    }
    scan(&made, &["token", "list"]);
    scan(&made, &["status"]);
    let kept = made.done(&["token", "list", "--json"]);
    let kept: Vec<Value> = serde_json::from_str(&kept).unwrap();
    let reasons: Vec<&str> = kept.iter().filter_map(|token| token["reason"].as_str()).collect();
    assert_eq!(reasons, hostile().iter().map(String::as_str).collect::<Vec<_>>(), "JSON keeps what was said");
}

#[test]
fn tokens_that_say_anything() {
    let made = Place::with_store();
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    for text in mixed() {
        let header = json!({"alg": &text, "kid": &text, "typ": &text, &text: &text});
        let claims = json!({
            "sub": &text, "iss": &text, "aud": [&text], &text: {&text: [&text]},
            "user_claims": flowkit::compress(&json!({&text: [&text]})),
        });
        let good = json!({"alg": "EdDSA", "kid": text.chars().take(60).collect::<String>(), "typ": "at+jwt"});
        for token in [
            format!("{}.{}.AA", part(&header), part(&claims)),
            format!("{}.{}.AA", part(&good), part(&claims)),
            format!("{}.{}.AA", base64url::encode(text.as_bytes()), base64url::encode(text.as_bytes())),
            format!("{}.{}.AA", part(&json!(text)), part(&json!([&text]))),
            format!("TOKEN={text}"),
            text.clone(),
        ] {
            fs::write(made.path("token"), token).unwrap();
            scan(&made, &["token", "inspect", "token"]);
            scan(&made, &["token", "verify", "token", "--service", "api"]);
        }
    }
}

#[test]
fn tokens_that_are_signed_and_still_say_anything() {
    let made = Place::empty();
    let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    for text in hostile() {
        // Within what a token may be long.
        let text: String = text.chars().take(3_000).collect();
        let kid: String = text.chars().take(60).collect();
        let jwks = Jwks::new([(kid.clone(), key.public().clone())]).unwrap();
        fs::write(made.path("jwks.json"), jwks.to_json().to_string()).unwrap();
        let claims = json!({"sub": &text, "iss": "i", "exp": 9_000_000_000_u64, &text: &text});
        let token = jws::assemble(&key.signing_as(&kid), "JWT", claims.to_string().as_bytes()).unwrap();
        fs::write(made.path("token"), token).unwrap();
        let verify = ["token", "verify", "token", "--jwks", "jwks.json", "--profile", "plain", "--issuer"];
        let expecting = |issuer: &'static str| [&verify[..], &[issuer]].concat();
        made.done(&expecting("i"));
        scan(&made, &expecting("i"));
        scan(&made, &expecting("other"));
        // Key sets that are refused, naming what they hold.
        let mut twice = jwks.to_json();
        twice["keys"] = json!([twice["keys"][0], twice["keys"][0]]);
        for set in [twice, json!({"keys": [{"kty": &text, "kid": &text, "d": &text}]}), json!({&text: &text})] {
            fs::write(made.path("jwks.json"), set.to_string()).unwrap();
            scan(&made, &expecting("i"));
        }
    }
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
}

#[test]
fn policies() {
    let made = Place::with_store();
    for text in mixed() {
        let quoted = json!(text).to_string();
        let service = format!("{POLICY}\n[services.{quoted}]\nkeyset = {quoted}\naudience = {quoted}\n");
        for policy in [
            format!("{POLICY}\n[services.api.roles.more]\ndescription = {quoted}\n"),
            format!("{POLICY}\n[services.api.roles.{quoted}]\n"),
            format!("{POLICY}\n[services.api.roles.more]\nscopes = [{quoted}]\n"),
            format!("{POLICY}\n[services.api.roles.more]\nclaims = {{ {quoted} = {quoted} }}\n"),
            format!("{POLICY}\n# {text}\n"),
            format!("{POLICY}\n{quoted} = 1\n"),
            service,
            text.clone(),
        ] {
            fs::write(made.path("draft.toml"), &policy).unwrap();
            scan(&made, &["policy", "check", "draft.toml"]);
            fs::write(made.path("store/policy.toml"), &policy).unwrap();
            scan(&made, &["policy", "check"]);
            scan(&made, &["policy", "diff"]);
            let digest = hex(&sha256(policy.as_bytes()));
            scan(&made, &["policy", "apply", "--sha256", &digest]);
            scan(&made, &["policy", "show"]);
        }
    }
}

#[test]
fn a_policy_s_comments_hide_nothing_either() {
    let made = Place::empty();
    let check = |comment: &str| {
        fs::write(made.path("draft.toml"), format!("# {comment}\n{POLICY}")).unwrap();
        ["policy", "check", "draft.toml"]
    };
    made.done(&check("Zoë 北京\u{3000}\u{a0}e\u{301}\twith a tab\r"));
    for text in ["\u{202e}", "\u{9b}", "\u{200b}", "e\u{301}\u{301}\u{301}"] {
        let told = made.refused(&check(text));
        assert!(told.contains("POLICY-TEXT") && told.contains("line 1"), "{told}");
    }
}

#[test]
fn names_of_files_and_folders() {
    let made = Place::with_store();
    made.done(&["publish"]);
    let short = mixed().into_iter().filter(|text| text.len() < 200);
    let mut names: Vec<OsString> = short.map(|text| text.replace('/', "").into()).collect();
    names.extend([os(b"\x9b31m"), os(b"\xff\xfe"), "../out".into(), format!("e{}", "\u{301}".repeat(20)).into()]);
    for (number, name) in names.iter().enumerate() {
        // Once as a name that is not there, once as one that is.
        let subject = format!("s{number}");
        for there in [false, true] {
            let folder = made.path(name);
            if there && !folder.exists() {
                fs::create_dir(&folder).unwrap();
            }
            let named = |before: &[&str], after: &[&str]| {
                let mut arguments: Vec<OsString> = before.iter().map(OsString::from).collect();
                arguments.push(name.clone());
                arguments.extend(after.iter().map(OsString::from));
                arguments
            };
            scan(&made, &named(&["policy", "check", "--"], &[]));
            scan(&made, &named(&["token", "inspect", "--"], &[]));
            scan(&made, &named(&["key", "import", "default", "--"], &[]));
            scan(&made, &named(&["unlock", "add", "bob", "--new-passphrase-file"], &[]));
            scan(&made, &named(&["unlock", "test", "admin", "--root-code-file", "pass", "--root-file"], &[]));
            scan(&made, &named(&["--store"], &["doctor"]));
            scan(&made, &named(&["token", "verify", "pass", "--jwks"], &["--issuer", "i", "--audience", "a"]));
            scan(&made, &named(&["token", "verify", "pass", "--published"], &[]));
            scan(&made, &named(&["token", "issue", "api/reader", "ann", "--dry-run", "--detail"], &[]));
            scan(&made, &named(&["--store"], &["status"]));
            scan(&made, &named(&["--passphrase-file"], &["key", "generate", "default"]));
            scan(&made, &named(&["publication", "copy", "--to"], &[]));
            scan(&made, &named(&["publish", "--to"], &[]));
            scan(&made, &named(&["token", "issue", "api/reader", &format!("{subject}{there}"), "--to"], &[]));
        }
    }
}
