//! The signer's side of a keyset: keys and their states, changed only as the rules permit.

use coldsign::keystore::KeyState;
use coldsign::rotation::{Act, Key, Series, Step, Timing};

use crate::without::Without;

pub fn empty(keyset: &str, timing: Timing, single_key: bool) -> Series {
    Series {
        keyset: keyset.to_owned(),
        timing,
        overlap: !single_key,
        single_key: if single_key { vec!["one".to_owned()] } else { Vec::new() },
        keys: Vec::new(),
        publications: Vec::new(),
        verifiers: Vec::new(),
        cutover: None,
    }
}

/// Makes the next key; the first one signs at once.
pub fn generate(series: &mut Series, now: u64) {
    let number = series.keys.len() as u64 + 1;
    let first = number == 1;
    series.keys.push(Key {
        name: format!("{}/{number}", series.keyset),
        number,
        kid: format!("{}-{number}", series.keyset),
        state: if first { KeyState::Active } else { KeyState::PreActivation },
        activated_at: first.then_some(now),
        activation: first.then_some(0),
        last_expiry: None,
    });
}

pub fn activate(series: &mut Series, kid: &str, now: u64) {
    let order = series.keys.iter().filter_map(|key| key.activation).max().map_or(0, |newest| newest + 1);
    let key = key(series, kid);
    key.state = KeyState::Active;
    key.activated_at = Some(now);
    key.activation = Some(order);
}

pub fn key<'a>(series: &'a mut Series, kid: &str) -> &'a mut Key {
    series.keys.iter_mut().find(|key| key.kid == kid).expect("a key of the series")
}

/// Takes one step that concerns keys alone, where the rules permit it.
pub fn take(series: &mut Series, rules: &Without, step: &Step, now: u64) -> bool {
    if step.act == Act::Generate {
        generate(series, now);
        return true;
    }
    let Some(found) = series.keys.iter().find(|key| key.name == step.to).cloned() else { return false };
    match step.act {
        Act::Activate => {
            let permitted = series.may_activate(rules, &found, false, now).is_ok();
            if permitted {
                activate(series, &found.kid, now);
            }
            permitted
        }
        Act::Deactivate => match series.may_deactivate(rules, &found, now) {
            Ok(verify_until) => {
                key(series, &found.kid).state = KeyState::Deactivated { verify_until };
                true
            }
            Err(_) => false,
        },
        Act::Destroy => {
            let permitted = series.may_destroy(rules, &found, now).is_ok();
            if permitted {
                key(series, &found.kid).state = KeyState::Destroyed;
            }
            permitted
        }
        _ => false,
    }
}
