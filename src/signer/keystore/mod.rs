//! Keys: secrets, their sealing, and the states a key goes through.
//!
//! Owns every private key from its making to its destruction. Secrets here have neither `Debug`
//! nor `Clone` nor `Serialize`, and are wiped when dropped. Nothing above this floor sees private
//! bytes; it gets signatures.

mod anchor;
mod code;
mod fault;
mod foreign;
mod generation;
mod import;
mod life;
mod opened;
mod prepared;
mod printed;
mod record;
mod root;
mod seal;
mod second_opinion;
mod secret;
mod unlocks;
mod weak;
mod wrapped;

pub use anchor::{Anchor, OwnUnlock};
pub use code::{CodeFault, RecoveryCode};
pub use fault::KeystoreFault;
pub use foreign::{Foreign, ForeignTokens, unpublishable};
pub use import::{ImportFault, ImportSource, import, named_kid};
pub use life::{Transition, TransitionDenied};
pub use opened::{Kept, NewKey, NextGeneration, Opened, Resealed, create_seal};
pub use record::{
    Deactivated, KeyActivated, KeyCompromised, KeyDestroyed, KeyGenerated, KeyImported, KeyRecord, KeyResumed,
    KeyState, KeySuspended, Keys, Purpose, sealed_name,
};
pub use root::{RootAnchor, open_root, seal_root};
pub use seal::{KdfCost, Passphrase, SealingIdentity, seal_onto};
pub use second_opinion::second_opinion;
pub use secret::{RsaBits, SecretKey, SigningAs};
pub use unlocks::{
    SealGeneration, UnlockAdded, UnlockAnchored, UnlockChanged, UnlockRecord, UnlockRemoved, UnlockRewrapped, Unlocks,
};
pub use weak::Weakness;
pub use wrapped::{
    WrappedUnlock, create_unlock, discard_unlock, open_wrapped, settle_unlocks, stage_unlock, unlock_opens,
};

/// Random bytes from the system.
///
/// # Errors
/// [`KeystoreFault::Random`] where the system has none, or gives only zeros.
pub fn random<const N: usize>() -> Result<zeroize::Zeroizing<[u8; N]>, KeystoreFault> {
    drawn(|bytes| getrandom::fill(bytes).map_err(|_| KeystoreFault::Random))
}

fn drawn<const N: usize>(
    fill: impl FnOnce(&mut [u8]) -> Result<(), KeystoreFault>,
) -> Result<zeroize::Zeroizing<[u8; N]>, KeystoreFault> {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    fill(bytes.as_mut_slice())?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(KeystoreFault::Random);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_zeros_is_no_source() {
        assert!(matches!(drawn::<32>(|_| Ok(())), Err(KeystoreFault::Random)));
        assert!(matches!(drawn::<32>(|_| Err(KeystoreFault::Random)), Err(KeystoreFault::Random)));
        let one = |bytes: &mut [u8]| {
            bytes.fill(1);
            Ok(())
        };
        assert_eq!(*drawn::<32>(one).unwrap(), [1; 32]);
        assert_ne!(*random::<32>().unwrap(), *random::<32>().unwrap());
    }
}
