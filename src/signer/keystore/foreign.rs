//! What an imported key leaves behind where it was used before: tokens, and a name.

use coldsign_verify::LONGEST_KID;
use coldsign_verify::escape;

/// Tokens that the key has signed elsewhere. The journal has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignTokens {
    /// The latest `exp` of any of them, in seconds since the epoch.
    pub until: u64,
    /// The longest `exp` − `iat` of any of them, in seconds.
    pub longest: u64,
}

/// What an operator says of the key's time elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Its tokens from there; `None` where there are none.
    pub tokens: Option<ForeignTokens>,
    /// The `kid` they carry, to be published beside the thumbprint.
    pub kid: Option<String>,
}

impl Foreign {
    /// As the members of a journal entry have it.
    pub(super) fn from_entry(until: Option<u64>, longest: Option<u64>, kid: Option<String>) -> Result<Self, String> {
        let tokens = match (until, longest) {
            (None, None) => None,
            (Some(until), Some(longest)) => Some(ForeignTokens { until, longest }),
            _ => return Err("tokens_until and tokens_longest stand together".to_owned()),
        };
        if let Some(fault) = kid.as_deref().and_then(unpublishable) {
            return Err(format!("kept_kid {fault}"));
        }
        Ok(Self { tokens, kid })
    }
}

/// Why a `kid` can't be published, if it can't.
pub fn unpublishable(kid: &str) -> Option<String> {
    let characters = kid.chars().count();
    if characters == 0 || characters > LONGEST_KID {
        return Some(format!("has {characters} characters; verifiers take 1 to {LONGEST_KID}"));
    }
    if kid.trim() != kid {
        return Some("begins or ends with a blank".to_owned());
    }
    let hidden = kid.chars().find(|character| escape::is_deceptive(*character))?;
    Some(format!("has the character U+{:04X}, which can't be seen or can't be told from another", u32::from(hidden)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_published_only_if_every_verifier_can_take_it() {
        for good in ["1", "key-2024", "dev:rsa/1", "UFKI:LIBT:RUST", "Schlüssel 1", &"k".repeat(64)] {
            assert_eq!(unpublishable(good), None, "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{200b}b", "a\u{a0}b", "a\u{e000}", &"k".repeat(65)] {
            assert!(unpublishable(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn an_entry_says_both_or_nothing_of_tokens() {
        assert_eq!(Foreign::from_entry(None, None, None), Ok(Foreign::default()));
        let tokens = Some(ForeignTokens { until: 9, longest: 3 });
        assert_eq!(Foreign::from_entry(Some(9), Some(3), None).unwrap().tokens, tokens);
        assert!(Foreign::from_entry(Some(9), None, None).is_err());
        assert!(Foreign::from_entry(None, Some(3), None).is_err());
        assert!(Foreign::from_entry(None, None, Some(String::new())).is_err());
    }
}
