//! What a signature on a root would do: shown, and asked about, before any code is used.

use crate::bin::ask;
use crate::bin::fault::Fault;
use crate::bin::screen::Screen;
use crate::bin::when;
use coldsign::acts::root::{Difference, KeyChange, NamedKey, Waiting};
use coldsign::refusal::Refusal;
use serde_json::{Value, json};

/// Shows the root that waits and asks; a script has named its payload's digest instead.
/// `command` is the one that would sign it.
pub fn waiting(waiting: &Waiting, draft: Option<&str>, command: &str, screen: &mut Screen) -> Result<(), Refusal> {
    let difference = &waiting.difference;
    if let Some(draft) = draft {
        waiting.must_be(draft)?;
        lines(difference).iter().for_each(|line| screen.note(line));
        return Ok(());
    }
    let otherwise = Fault::Unseen {
        what: "the root",
        look: "coldsign root show shows it, and the SHA-256 that the command below names",
        command: Some(format!("{command} --draft {}", difference.payload)),
    };
    Ok(ask::approve(&lines(difference), &question(difference), otherwise)?)
}

/// Shows a root that is about to be proposed. A person is asked. A script, whose code is in a file, has
/// said with its options what changes; it can't say so of a first root, which is made of what is there.
pub fn proposed(difference: &Difference, scripted: bool, screen: &mut Screen) -> Result<(), Refusal> {
    if scripted && difference.after.is_some() {
        lines(difference).iter().for_each(|line| screen.note(line));
        return Ok(());
    }
    let otherwise = Fault::Unseen {
        what: "the root",
        look: match difference.after {
            Some(_) => "in a script, name a file with --root-code-file: then the options say what changes",
            None => "a first root is signed only where somebody can see what it names",
        },
        command: None,
    };
    Ok(ask::approve(&lines(difference), &question(difference), otherwise)?)
}

fn question(difference: &Difference) -> String {
    format!("You sign root {}: verifiers will trust what it names.", difference.root_version)
}

/// What changes against the newest root, and the digest of what is signed, a line each.
pub fn lines(difference: &Difference) -> Vec<String> {
    let Difference { root_version, after, payload, .. } = difference;
    let mut lines = vec![match after {
        Some(after) => format!("root {root_version}, compared with root {after}:"),
        None => format!("root {root_version}, the first:"),
    }];
    role(&difference.bundle_keys, "signs bundles", &mut lines);
    role(&difference.custodians, "is a custodian", &mut lines);
    let count = difference.custodian_count();
    let must = |threshold: usize| format!("{threshold} of {count} custodians must sign the next root");
    lines.push(match difference.threshold_before {
        Some(before) if before != difference.threshold => {
            format!("  changed  {}; before: {before}", must(difference.threshold))
        }
        _ => format!("  as is    {}", must(difference.threshold)),
    });
    let until = format!("good until {}", when::utc(difference.expires_at.0));
    lines.push(match difference.expires_before {
        Some(before) if before != difference.expires_at => {
            format!("  changed  {until}; before: {}", when::utc(before.0))
        }
        _ => format!("  as is    {until}"),
    });
    lines.push("the SHA-256 of its payload is".to_owned());
    lines.push(format!("  {payload}"));
    lines
}

fn role(change: &KeyChange, does: &str, lines: &mut Vec<String>) {
    for (word, keys) in [("new", &change.added), ("leaves", &change.removed), ("as is", &change.kept)] {
        lines.extend(keys.iter().map(|key| format!("  {word:<8} {} {does}", described(key))));
    }
}

fn described(key: &NamedKey) -> String {
    let name = key.name.as_deref().unwrap_or("a key unknown here");
    let made = match (key.made_at, &key.name) {
        (Some(at), _) => format!("made {}", when::utc(at)),
        (None, Some(_)) => "made now".to_owned(),
        (None, None) => "not in the journal".to_owned(),
    };
    format!("{name} ({}, {made})", key.kid)
}

/// The same for scripts.
pub fn as_json(difference: &Difference) -> Value {
    let key = |key: &NamedKey| json!({"name": key.name, "kid": key.kid, "made": key.made_at});
    let keys = |keys: &[NamedKey]| keys.iter().map(key).collect::<Vec<_>>();
    let change = |change: &KeyChange| json!({"added": keys(&change.added), "removed": keys(&change.removed), "kept": keys(&change.kept)});
    json!({
        "after": difference.after,
        "custodians": change(&difference.custodians), "bundle_keys": change(&difference.bundle_keys),
        "threshold": {"before": difference.threshold_before, "after": difference.threshold},
        "exp": {"before": difference.expires_before.map(|at| at.0), "after": difference.expires_at.0},
    })
}
