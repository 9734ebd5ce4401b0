//! The fingerprint of RSA keys whose primes are 65537^a modulo a primorial (CVE-2017-15361):
//! they can be factored. M. Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §2.3.

/// Small primes modulo which 65537 does not generate the whole group.
const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Whether the modulus lies in the subgroup of 65537 modulo all of them; an honest
/// key does so once in about 2^27.
pub(super) fn is_marked(modulus_be: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let residue = modulus_be.iter().fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % prime);
        is_power_of_65537(residue, *prime)
    })
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_powers_of_65537_and_nothing_near() {
        assert!(is_marked(&[1]));
        assert!(is_marked(&[1, 0, 1]));
        assert!(is_marked(&[1, 0, 2, 0, 1]));
        assert!(!is_marked(&[]));
        assert!(!is_marked(&[2]));
        assert!(!is_marked(&[1, 0, 3]));
        assert!(!is_marked(&[0xff; 256]));
    }
}
