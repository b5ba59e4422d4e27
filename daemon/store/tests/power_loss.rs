//! Power loss: what was not fsynced may be missing from some point on. A group is then wholly there or wholly gone, and
//! no repair is needed.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::fs;

use common::{
    Note, all,
    damage::{copy_dir, copy_open_store},
    open, put, tempdir, try_open,
};
use muster_store::Repair;

#[tokio::test]
async fn a_group_torn_by_power_loss_is_wholly_there_or_wholly_gone() {
    let live = tempdir();
    let (store, _) = open(live.path()).await;
    for n in 0..20 {
        put(&store, &[Note::numbered(n), Note::numbered(100)]).await;
    }
    // Flushed, so a copy of the files is what a crash at this moment would leave.
    let before = tempdir();
    copy_open_store(live.path(), before.path());
    put(&store, &(0..50).map(|n| Note::new(format!("torn {n}"), "x".repeat(400))).collect::<Vec<_>>()).await;
    let after = tempdir();
    copy_open_store(live.path(), after.path());
    store.close().await;
    let whole = fs::read(after.path().join("sled/db")).unwrap();
    let proposed_witness = fs::read(after.path().join("witness")).unwrap();

    let mut old = fs::read(before.path().join("sled/db")).unwrap();
    old.resize(whole.len(), 0);
    let first = whole.iter().zip(&old).position(|(new, old)| new != old).unwrap();
    let last = whole.iter().zip(&old).rposition(|(new, old)| new != old).unwrap() + 1;
    assert!(last - first > 10_000, "the group is too small to be torn: {first}..{last}");
    let (mut gone, mut there) = (0, 0);
    for torn_at in (first..last).step_by((last - first) / 150).chain([last]) {
        for witness_reached_the_disk in [false, true] {
            let crashed = tempdir();
            copy_dir(before.path(), crashed.path());
            let database = [&whole[..torn_at], &old[torn_at..]].concat();
            fs::write(crashed.path().join("sled/db"), database).unwrap();
            if witness_reached_the_disk {
                fs::write(crashed.path().join("witness"), unconfirmed(&proposed_witness)).unwrap();
            }
            let what = format!("torn at {torn_at} of {first}..{last}, witness {witness_reached_the_disk}");
            let (store, report) = try_open(crashed.path()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let lost = Repair::UnacknowledgedGroupLost { generation: 21 };
            match all(&store).await.len() {
                21 => {
                    gone += 1;
                    assert_eq!(report.repairs, if witness_reached_the_disk { vec![lost] } else { vec![] }, "{what}");
                }
                71 => {
                    there += 1;
                    assert_eq!(report.repairs, [], "{what}");
                }
                other => panic!("{what}: {other} records"),
            }
            put(&store, &[Note::new("next", "")]).await;
            store.close().await;
            assert_eq!(open(crashed.path()).await.1.repairs, [], "{what}");
        }
    }
    assert!(gone > 100 && there > 0, "{gone} gone, {there} there");
}

/// The witness as it was fsynced, before the group was confirmed: the newer slot with its mark cleared.
fn unconfirmed(witness: &[u8]) -> Vec<u8> {
    const MARK: usize = 8 + 16 + 8 + 8 + 16;
    let mut witness = witness.to_vec();
    // Generation 1 went to the second slot, so odd generations lie there; the torn group is number 21.
    let slot = &mut witness[4096..];
    assert_eq!(slot[24..32], 21_u64.to_be_bytes());
    slot[MARK] = 0;
    let crc = crc32fast::hash(&slot[..=MARK]);
    slot[MARK + 1..MARK + 5].copy_from_slice(&crc.to_be_bytes());
    witness
}
