//! RSA private keys, and the two ways to sign with one.
//!
//! aws-lc-rs generates and signs (fast, in constant time); the `rsa` crate imports, exports, and
//! signs where aws-lc-rs must not be used. RUSTSEC-2023-0071 is why the latter is not the default.

use std::fmt::{self, Debug};
use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize as AwsKeySize};
use aws_lc_rs::signature::RSA_PSS_SHA256;
use rsa::Pss;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::rand_core::{self, CryptoRng, RngCore};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

use super::RsaPublicKey;
use super::rsa_public::SALT_BYTES;
use crate::clock::{Random, SystemRandom};
use crate::error::{Error, Result};
use crate::model::{Jwk, KeyId, KeySize};

/// The longest PEM text that is read, in bytes: an 8192-bit key takes about 6 400.
const PEM_BYTES_MAX: usize = 64 * 1024;

/// Something that can sign for an app. [`AwsSigner`] and [`PortableSigner`] do it with a key in
/// memory; a host can implement it over an HSM or a key service, and keep the private key there.
///
/// # What an implementation must do
/// Return the RSASSA-PSS signature (RFC 8017 §8.1.1) over a message whose SHA-256 digest is given:
/// hash SHA-256, mask generation MGF1 with SHA-256, a random salt of 32 bytes, as many bytes as the
/// modulus has. In PKCS#11 that is `CKM_RSA_PKCS_PSS` with `CKM_SHA256`, `CKG_MGF1_SHA256` and
/// `sLen` 32; key services call it `RSASSA_PSS_SHA_256`, `RSA_SIGN_PSS_2048_SHA256` or `PS256`,
/// with the message type "digest". The digest must not be hashed again.
///
/// It is called from several threads at once and counts against the deadline of an attempt.
pub trait Signer: Debug + Send + Sync {
    /// Signs a SHA-256 digest.
    ///
    /// # Errors
    /// [`Error::KeyUnavailable`] when the key cannot be reached now: the batch is tried again.
    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Vec<u8>>;
}

/// An RSA private key: 2048 to 8192 bits, exponent 65537. Overwritten when dropped; `Debug` shows
/// its size only.
#[derive(Clone)]
pub struct RsaPrivateKey {
    private: rsa::RsaPrivateKey,
    public: RsaPublicKey,
}

impl Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPrivateKey({} bits)", self.bits())
    }
}

impl RsaPrivateKey {
    /// Generates a key with aws-lc-rs and its own entropy: about 0.1 s at 2048 bits, seconds at
    /// 4096.
    ///
    /// # Errors
    /// [`Error::Internal`] when the library fails.
    pub fn generate(size: KeySize) -> Result<Self> {
        let size = match size {
            KeySize::Rsa2048 => AwsKeySize::Rsa2048,
            KeySize::Rsa3072 => AwsKeySize::Rsa3072,
            KeySize::Rsa4096 => AwsKeySize::Rsa4096,
        };
        let failed = |_| Error::Internal("RSA key generation failed".into());
        let pair = KeyPair::generate(size).map_err(failed)?;
        let der = pair.as_der().map_err(failed)?;
        Self::from_pkcs8_der(der.as_ref())
    }

    /// Reads a PEM text with one unencrypted private key: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1
    /// (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`Error::InvalidKey`] saying what the text is instead, or which rule the key breaks.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let pem = pem.trim();
        let refused = |what: &str| Err(Error::InvalidKey(what.into()));
        if pem.len() > PEM_BYTES_MAX {
            return refused("the PEM text is longer than 64 KiB");
        }
        let encrypted = pem.contains("ENCRYPTED"); // Also the `Proc-Type` of old PKCS#1 files.
        let key = match pem.lines().next().unwrap_or_default().trim_end() {
            _ if encrypted => {
                return refused(
                    "the private key is encrypted: decrypt it first, \
                     for example with `openssl pkey -in key.pem`",
                );
            }
            "-----BEGIN PRIVATE KEY-----" => {
                rsa::RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| ())
            }
            "-----BEGIN RSA PRIVATE KEY-----" => {
                rsa::RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| ())
            }
            first if first.ends_with("PUBLIC KEY-----") => {
                return refused("this is a public key: the private key is needed");
            }
            "-----BEGIN CERTIFICATE-----" => {
                return refused("this is a certificate: the private key is needed");
            }
            "-----BEGIN EC PRIVATE KEY-----" | "-----BEGIN OPENSSH PRIVATE KEY-----" => {
                return refused("this is no RSA key in PKCS#8 or PKCS#1");
            }
            _ => {
                return refused(
                    "no PEM private key: the text must start with \
                     `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`",
                );
            }
        };
        match key {
            Ok(key) => Self::checked(key),
            Err(()) => refused("the PEM text does not hold a well-formed RSA private key"),
        }
    }

    /// Reads the DER form of PKCS#8, as [`RsaPrivateKey::to_pkcs8_der`] writes it.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] as for [`RsaPrivateKey::from_pem`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self> {
        let key = rsa::RsaPrivateKey::from_pkcs8_der(der).map_err(|_| {
            Error::InvalidKey("the bytes are no well-formed RSA private key in PKCS#8".into())
        })?;
        Self::checked(key)
    }

    fn checked(key: rsa::RsaPrivateKey) -> Result<Self> {
        let key = Self {
            public: RsaPublicKey::from_numbers(key.n().clone(), key.e().clone())?,
            private: key,
        };
        // Both libraries must agree that the parts belong together: better now than at a delivery.
        key.aws_pair()?;
        Ok(key)
    }

    /// The DER form of PKCS#8 (RFC 5208), overwritten when dropped. Seal it before storing it.
    ///
    /// # Errors
    /// [`Error::Internal`] when the library fails.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.private
            .to_pkcs8_der()
            .map(|document| document.to_bytes())
            .map_err(|_| Error::Internal("the RSA key could not be written as PKCS#8".into()))
    }

    /// The public part.
    #[must_use]
    pub const fn public(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The public part as a JWK, for the app's JWK set.
    #[must_use]
    pub fn public_jwk(&self, kid: &KeyId) -> Jwk {
        self.public.to_jwk(kid)
    }

    /// The modulus length in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.public.bits()
    }

    fn aws_pair(&self) -> Result<KeyPair> {
        let der = self.to_pkcs8_der()?;
        KeyPair::from_pkcs8(&der).map_err(|_| {
            Error::InvalidKey("the parts of the RSA private key do not belong together".into())
        })
    }
}

/// Signs with aws-lc-rs: constant time, blinded, and about ten times as fast as
/// [`PortableSigner`]. The default.
pub struct AwsSigner(KeyPair);

impl AwsSigner {
    /// A signer for the key; aws-lc-rs keeps its own copy and overwrites it when dropped.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] when aws-lc-rs refuses the key.
    pub fn new(key: &RsaPrivateKey) -> Result<Self> {
        key.aws_pair().map(Self)
    }
}

impl Debug for AwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsSigner({} bits)", 8 * self.0.public_modulus_len())
    }
}

impl Signer for AwsSigner {
    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Vec<u8>> {
        let failed = |_| Error::Internal("RSA signing failed".into());
        // "Less safe" since the library cannot know where a digest comes from; ours is the body's.
        let digest = Digest::import_less_safe(sha256, &SHA256).map_err(failed)?;
        let mut signature = vec![0; self.0.public_modulus_len()];
        // Its default salt length is the digest's: 32.
        self.0
            .sign_digest(&RSA_PSS_SHA256, &digest, &mut signature)
            .map_err(failed)?;
        Ok(signature)
    }
}

/// Signs with the `rsa` crate, blinded: slower by far, and not known to be constant time
/// (RUSTSEC-2023-0071). For hosts that want no C or assembly near their private keys.
pub struct PortableSigner {
    key: RsaPrivateKey,
    random: Arc<dyn Random>,
}

impl PortableSigner {
    /// A signer for the key, salting and blinding with the operating system's entropy.
    #[must_use]
    pub fn new(key: &RsaPrivateKey) -> Self {
        Self::with_random(key, Arc::new(SystemRandom))
    }

    /// The same with another source of entropy.
    #[must_use]
    pub fn with_random(key: &RsaPrivateKey, random: Arc<dyn Random>) -> Self {
        Self {
            key: key.clone(),
            random,
        }
    }
}

impl Debug for PortableSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortableSigner({} bits)", self.key.bits())
    }
}

impl Signer for PortableSigner {
    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Vec<u8>> {
        let mut entropy = Entropy {
            source: &*self.random,
            failure: None,
        };
        let scheme = Pss::new_blinded_with_salt::<Sha256>(SALT_BYTES);
        let signature = self.key.private.sign_with_rng(&mut entropy, scheme, sha256);
        match entropy.failure {
            Some(failure) => Err(failure),
            None => signature.map_err(|_| Error::Internal("RSA signing failed".into())),
        }
    }
}

/// Our [`Random`] as the `rsa` crate wants it. That one cannot fail in most of its calls, so the
/// first failure is kept, and whatever was made after it must be thrown away.
struct Entropy<'a> {
    source: &'a dyn Random,
    failure: Option<Error>,
}

impl RngCore for Entropy<'_> {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        if self.failure.is_none() {
            self.failure = self.source.fill(buffer).err();
        }
        if self.failure.is_some() {
            buffer.fill(0);
        }
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> std::result::Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl CryptoRng for Entropy<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct NoEntropy;

    impl Random for NoEntropy {
        fn fill(&self, _: &mut [u8]) -> Result<()> {
            Err(Error::Internal("no entropy".into()))
        }
    }

    #[test]
    fn a_failing_source_of_entropy_makes_no_signature() {
        let key = RsaPrivateKey::generate(KeySize::Rsa2048).unwrap();
        let signer = PortableSigner::with_random(&key, Arc::new(NoEntropy));
        assert_eq!(
            signer.sign_digest(&[0; 32]),
            Err(Error::Internal("no entropy".into()))
        );
    }
}
