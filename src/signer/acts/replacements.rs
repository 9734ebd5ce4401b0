//! Tokens that went out in the place of others: at a cutover, or after a key was lost.

use super::Store;
use crate::issuing::record::{Delivery, TokenRecord};
use crate::keystore::KeyState;
use std::collections::HashSet;

/// `jti`s of tokens, borrowed from the store.
pub type Jtis<'a> = HashSet<&'a str>;

fn delivered(store: &Store) -> impl DoubleEndedIterator<Item = (&TokenRecord, &str)> {
    let tokens = store.ledger().tokens.all().iter();
    let out = tokens.filter(|token| token.delivery == Delivery::Delivered);
    out.filter_map(|token| Some((token, token.issued.stands_for.as_deref()?)))
}

/// Tokens with a replacement under that key.
pub fn under<'a>(store: &'a Store, kid: &str) -> Jtis<'a> {
    delivered(store).filter(|(token, _)| token.issued.kid == kid).map(|(_, old)| old).collect()
}

/// Tokens with any replacement. One under a key that was lost before it signed alone is none.
pub fn any(store: &Store) -> Jtis<'_> {
    let in_vain = |token: &TokenRecord| {
        let key = store.ledger().keys.by_kid(&token.issued.kid);
        key.is_some_and(|key| key.state == KeyState::Compromised && key.activation.is_none())
    };
    delivered(store).filter(|(token, _)| !in_vain(token)).map(|(_, old)| old).collect()
}

/// Replacements of that key that nobody needs another for: a newer one of the same key went out in
/// the same place, or what they replace is of the key that signs.
pub fn spare<'a>(store: &'a Store, kid: &'a str) -> Jtis<'a> {
    let of_key: Vec<_> = delivered(store).rev().filter(|(token, _)| token.issued.kid == kid).collect();
    if of_key.is_empty() {
        return Jtis::new();
    }
    let keys = &store.ledger().keys;
    let signing = keys.by_kid(kid).and_then(|key| keys.signing(&key.keyset)).filter(|signing| signing.kid != kid);
    let signs = |token: &&TokenRecord| signing.is_some_and(|signing| signing.kid == token.issued.kid);
    let good: Jtis = store.ledger().tokens.all().iter().filter(signs).map(|token| token.issued.jti.as_str()).collect();
    let mut newer = Jtis::new();
    let spare = of_key.into_iter().filter(|(_, old)| !newer.insert(*old) || good.contains(old));
    spare.map(|(token, _)| token.issued.jti.as_str()).collect()
}
