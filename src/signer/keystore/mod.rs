//! Keys: secrets, their sealing, and the states a key goes through.
//!
//! Owns every private key from its making to its destruction. Secrets here have neither `Debug`
//! nor `Clone` nor `Serialize`, and are wiped when dropped. Nothing above this floor sees private
//! bytes; it gets signatures.

mod code;
mod fault;
mod import;
mod life;
mod opened;
mod record;
mod seal;
mod second_opinion;
mod secret;

pub use code::{CodeFault, RecoveryCode};
pub use fault::KeystoreFault;
pub use import::{ImportFault, ImportSource, import};
pub use life::{Removal, Transition, TransitionDenied, Window};
pub use opened::{NewKey, Opened, create_seal, create_unlock, seal_root};
pub use record::{
    Deactivated, KeyActivated, KeyDestroyed, KeyGenerated, KeyImported, KeyRecord, KeyResumed, KeyState, KeySuspended,
    Keys, Purpose, UnlockAdded, UnlockRecord, Unlocks,
};
pub use seal::{KdfCost, Passphrase, SealingIdentity};
pub use second_opinion::second_opinion;
pub use secret::{RsaBits, SecretKey, SigningAs};

/// Random bytes from the system.
///
/// # Errors
/// [`KeystoreFault::Random`] where the system has none, or gives only zeros.
pub fn random<const N: usize>() -> Result<zeroize::Zeroizing<[u8; N]>, KeystoreFault> {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeystoreFault::Random)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(KeystoreFault::Random);
    }
    Ok(bytes)
}
