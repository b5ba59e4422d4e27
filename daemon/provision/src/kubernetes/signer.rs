//! Whether a key is the one that has signed an apt repository's index, as far as their own numbers tell (RFC 9580). The
//! signature itself is checked by apt, on the machines: here a wrong key is found before there are any.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SIGNATURE: u8 = 2;
const PUBLIC_KEYS: [u8; 2] = [6, 14];
/// Subpackets of a signature: the end of the signer's fingerprint, and all of it behind its version.
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

/// Whether the signed text may be signed with one of these keys. What cannot be read is left to apt.
pub(super) fn may_have_signed(keys: &str, signed: &str) -> bool {
    let Some((keys, signatures)) = read(keys, "PUBLIC KEY BLOCK").zip(read(signed, "SIGNATURE")) else { return true };
    let fingerprints: Vec<Vec<u8>> = keys.iter().filter_map(fingerprint).collect();
    let signers: Vec<&[u8]> = signatures.iter().filter_map(signer).collect();
    let is_known = |signer: &&[u8]| fingerprints.iter().any(|fingerprint| fingerprint.ends_with(signer));
    fingerprints.is_empty() || signers.is_empty() || signers.iter().any(is_known)
}

/// One packet: its kind and what is in it.
struct Packet(u8, Vec<u8>);

/// The packets of all armoured blocks of this kind.
fn read(text: &str, kind: &str) -> Option<Vec<Packet>> {
    let (begin, end) = (format!("-----BEGIN PGP {kind}-----"), format!("-----END PGP {kind}-----"));
    let mut packets = Vec::new();
    for block in text.split(begin.as_str()).skip(1) {
        let lines = block.split(end.as_str()).next()?.lines();
        // Headers end with an empty line, and the last line may be a checksum.
        let body = lines.map(str::trim).skip_while(|line| !line.is_empty()).filter(|line| !line.starts_with('='));
        packets.extend(packets_of(&STANDARD.decode(body.collect::<String>()).ok()?)?);
    }
    Some(packets)
}

fn packets_of(mut bytes: &[u8]) -> Option<Vec<Packet>> {
    let mut packets = Vec::new();
    while let Some((&head, rest)) = bytes.split_first() {
        let (kind, length, rest) = if head & 0x40 != 0 {
            let (length, rest) = length_of(rest)?;
            (head & 0x3f, length, rest)
        } else {
            let width = match head & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            let (length, rest) = rest.split_at_checked(width)?;
            (head >> 2 & 0xf, number(length), rest)
        };
        let (body, rest) = rest.split_at_checked(length)?;
        packets.push(Packet(kind, body.to_vec()));
        bytes = rest;
    }
    Some(packets)
}

/// A length of one, two or five bytes.
fn length_of(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..192 => Some((usize::from(first), rest)),
        192..224 => {
            let (&second, rest) = rest.split_first()?;
            Some(((usize::from(first) - 192) * 256 + usize::from(second) + 192, rest))
        }
        255 => {
            let (length, rest) = rest.split_at_checked(4)?;
            Some((number(length), rest))
        }
        224..255 => None,
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The fingerprint of a key of version 4, which all keys of repositories are.
fn fingerprint(packet: &Packet) -> Option<Vec<u8>> {
    let Packet(kind, body) = packet;
    if !PUBLIC_KEYS.contains(kind) || body.first() != Some(&4) {
        return None;
    }
    let length = u16::try_from(body.len()).ok()?.to_be_bytes();
    let whole = [&[0x99], &length[..], body].concat();
    Some(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref().to_vec())
}

/// Who signed: the fingerprint, or the end of one.
fn signer(packet: &Packet) -> Option<&[u8]> {
    let Packet(kind, body) = packet;
    if *kind != SIGNATURE || body.first() != Some(&4) {
        return None;
    }
    // Version, kind and two algorithms stand before two lists, each behind its length.
    let (hashed, rest) = list(body.get(4..)?)?;
    let (plain, _) = list(rest)?;
    let all = [hashed, plain].into_iter().flat_map(subpackets);
    let mut by_end = None;
    for (kind, body) in all {
        match kind & 0x7f {
            ISSUER_FINGERPRINT => return body.get(1..),
            ISSUER => by_end = Some(body),
            _ => {}
        }
    }
    by_end
}

fn list(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    rest.split_at_checked(number(length))
}

fn subpackets(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let Some((length, rest)) = length_of(bytes)
        && let Some((body, rest)) = rest.split_at_checked(length)
        && let Some((&kind, body)) = body.split_first()
    {
        all.push((kind, body));
        bytes = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by GnuPG 2.2: a key of each of two kinds, and a text that each has signed in clear.
    const ONE: &str = include_str!("signer/one.asc");
    const ONE_SIGNED: &str = include_str!("signer/one.InRelease");
    const TWO: &str = include_str!("signer/two.asc");
    const TWO_SIGNED: &str = include_str!("signer/two.InRelease");

    #[test]
    fn the_key_that_signed_is_told_from_another() {
        assert!(may_have_signed(ONE, ONE_SIGNED));
        assert!(may_have_signed(TWO, TWO_SIGNED));
        assert!(!may_have_signed(TWO, ONE_SIGNED));
        assert!(!may_have_signed(ONE, TWO_SIGNED));
    }

    #[test]
    fn one_of_several_keys_is_enough() {
        assert!(may_have_signed(&format!("{ONE}{TWO}"), TWO_SIGNED));
    }

    #[test]
    fn what_cannot_be_read_is_left_to_apt() {
        assert!(may_have_signed("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n", ONE_SIGNED));
        assert!(may_have_signed(ONE, "Hash: SHA256"));
        let cut = &ONE_SIGNED[..ONE_SIGNED.len() - 60];
        assert!(may_have_signed(TWO, cut));
    }
}
