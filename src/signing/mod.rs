//! Signing what is sent, and keeping the keys it is signed with.
//!
//! Everything but the key store is pure: bytes and times in, bytes and header values out. The time and the
//! randomness are passed in; only the RSA library draws its own (salts and blinding).

mod content;
mod headers;
mod jwks;
pub mod keyring;
mod keystore;
pub(crate) mod primitives;
mod rsa;
mod rsa_public;
mod scheme;
mod seal;

pub(crate) use content::Content;
pub(crate) use headers::{headers_of, open_secrets, secrets_context, sign};
pub use jwks::{parse_jwks, thumbprint};
pub(crate) use keystore::KeyStore;
pub use rsa::{AwsSigner, PortableSigner, RsaPrivateKey, Signer};
pub use rsa_public::{PssSalt, RsaPublicKey};
pub use scheme::{
    RSA_PSS_PREFIX, StandardSecret, StandardVerifier, fingerprint_header, generate_fingerprint_key,
    rsa_pss_header, signed_content, signed_digest, standard_header,
};
pub(crate) use scheme::{STANDARD_ED25519, STANDARD_HMAC, VerifierKind, fingerprint_signature};
pub use seal::{KeyEncryptionKey, Sealer};
