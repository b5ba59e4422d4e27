//! What a machine needs before its first start: the host key that we pin, and the key that lets us in.

use std::io;

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};
use muster_provision::material::{self, MaterialError};
use muster_provision::ssh_key::HostKey;
use zeroize::Zeroizing;

/// The headers and blocks of 512 bytes that tar has beside a file, generously.
const ARCHIVE_BYTES: usize = 8 * 1024;

/// The host key by which the machine is known.
pub(crate) fn public_host_key(cluster: &ClusterContext, machine: &Name) -> Result<String, Failure> {
    let key = HostKey::derive(&cluster.material, machine).map_err(broken_material)?;
    key.public_text().map_err(MaterialError::from).map_err(broken_material)
}

/// Where the line is that lets us in, on the machine.
pub(crate) const AUTHORIZED_KEYS: &str = "/root/.ssh/authorized_keys";
const HOST_KEY_FILE: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Both files as a tar, to be unpacked at the machine's root.
pub(crate) fn archive(cluster: &ClusterContext, machine: &Name) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let host_key = HostKey::derive(&cluster.material, machine).map_err(broken_material)?;
    let private = host_key.private_text().map_err(MaterialError::from).map_err(broken_material)?;
    pack(&[(HOST_KEY_FILE, private.expose()), (AUTHORIZED_KEYS, &format!("{}\n", login_line(cluster)?))])
}

/// The machine's host key alone.
pub(crate) fn host_key_archive(cluster: &ClusterContext, machine: &Name) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let host_key = HostKey::derive(&cluster.material, machine).map_err(broken_material)?;
    let private = host_key.private_text().map_err(MaterialError::from).map_err(broken_material)?;
    pack(&[(HOST_KEY_FILE, private.expose())])
}

/// The line that lets us in.
pub(crate) fn login_line(cluster: &ClusterContext) -> Result<&str, Failure> {
    material::entry(&cluster.material, material::SSH_PUBLIC_KEY).map_err(broken_material)
}

/// Files for the owner's eyes only as a tar. It unpacks at the root.
pub(crate) fn pack(files: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Large enough from the start: a vector that grows leaves copies behind that nobody wipes.
    let room: usize = files.iter().map(|(_, content)| content.len() + ARCHIVE_BYTES).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let mut archive = tar::Builder::new(&mut *bytes);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path.trim_start_matches('/'), content.as_bytes()).map_err(no_archive)?;
    }
    archive.finish().map_err(no_archive)?;
    drop(archive);
    Ok(bytes)
}

fn no_archive(error: io::Error) -> Failure {
    Failure::not_applied(ErrorCode::Internal, format!("the machine's keys cannot be packed: {error}"))
}

fn broken_material(error: MaterialError) -> Failure {
    Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent()
}
