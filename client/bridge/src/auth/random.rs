//! Words that nobody can guess, for sessions, and hashes to find them by.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;

/// A hash of a secret.
pub type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// Random bytes as text that needs no escaping.
pub fn random_text<const N: usize>() -> String {
    let mut bytes = [0_u8; N];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The hash of a secret that has so many random bits that a plain hash cannot be searched through.
pub fn hash_of(secret: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn is_same(left: &Hash, right: &Hash) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// A hash as hexadecimal digits.
pub fn to_hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
