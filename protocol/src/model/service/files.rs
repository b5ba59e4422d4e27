//! What stands in the file systems of a service's containers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Name, SecretBytes, written};

/// Who may read, write and execute a file. People write it in octal and as text, such as `"0400"`: a bare number would be
/// read as a decimal one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileMode(pub u32);

impl FileMode {
    /// The highest: everybody may do everything. There are no bits for other identities and sticky files.
    pub const MAX: Self = Self(0o777);
}

impl Default for FileMode {
    /// Every user of the container may read the file, because images run as many users.
    fn default() -> Self {
        Self(0o444)
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for FileMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_octal = (3..=5).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
        mode.map(Self).ok_or_else(|| format!("`{text}` is not a file's mode; write it in octal, for example \"0400\""))
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(de::Error::custom);
        }
        u32::deserialize(deserializer).map(Self)
    }
}

/// What a configuration file holds: any bytes. People read and write them as text where they are text.
#[derive(Clone, PartialEq, Eq)]
pub struct FileContent(Vec<u8>);

impl FileContent {
    /// Wraps what a file holds.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if the bytes are text in UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => write!(f, "{} bytes", self.0.len()),
        }
    }
}

impl Serialize for FileContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            written::write(&self.0, serializer)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for FileContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_for_people = deserializer.is_human_readable();
        let bytes = if is_for_people { written::read(deserializer)? } else { written::read_plain(deserializer)? };
        Ok(Self(bytes.to_vec()))
    }
}

/// A secret, as a file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFile {
    /// Its name, unique in the service.
    pub name: Name,
    /// The value: a text, or any bytes as `{ base64: … }`. Needed when the service is created; left out of an update it
    /// stays as it was. Never shown.
    #[serde(default)]
    pub value: Option<SecretBytes>,
    /// The file's absolute path; `/run/secrets/NAME` if left out.
    #[serde(default)]
    pub path: Option<String>,
    /// The file's mode; `0444` if left out.
    #[serde(default)]
    pub mode: FileMode,
    /// The number of the user whom the file belongs to; root if left out.
    #[serde(default)]
    pub uid: u32,
    /// The number of the group that the file belongs to; root's if left out.
    #[serde(default)]
    pub gid: u32,
}

impl SecretFile {
    /// A secret at its usual path, for everybody in the container to read.
    pub fn new(name: Name, value: Option<SecretBytes>) -> Self {
        Self { name, value, path: None, mode: FileMode::default(), uid: 0, gid: 0 }
    }

    /// Where the container finds it.
    pub fn target(&self) -> String {
        self.path.clone().unwrap_or_else(|| format!("/run/secrets/{}", self.name))
    }
}

/// A configuration file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigFile {
    /// The file's absolute path.
    pub path: String,
    /// What it holds: a text, or any bytes as `{ base64: … }`.
    pub content: FileContent,
    /// The file's mode; `0444` if left out.
    #[serde(default)]
    pub mode: FileMode,
    /// The number of the user whom the file belongs to; root if left out.
    #[serde(default)]
    pub uid: u32,
    /// The number of the group that the file belongs to; root's if left out.
    #[serde(default)]
    pub gid: u32,
}

impl ConfigFile {
    /// A file for everybody in the container to read.
    pub fn new(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), content: FileContent::new(content), mode: FileMode::default(), uid: 0, gid: 0 }
    }
}

/// What is mounted into each copy of a service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// The kind.
    pub kind: MountKind,
    /// `volume`: the volume's name (kept when copies go; made anew where it is not). `bind`: a path on the machine. `tmpfs`: nothing.
    #[serde(default)]
    pub source: Option<String>,
    /// The absolute path in the container.
    pub target: String,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: bool,
}

/// The kind of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// Storage that outlives the copy.
    Volume,
    /// A path of the machine.
    Bind,
    /// Memory; gone with the copy.
    Tmpfs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_file_is_written_as_text_where_it_is_text_and_in_base64_where_it_is_not() {
        for (bytes, json) in [(b"a\n".as_slice(), r#""a\n""#), (&[0, 255, 10], r#"{"base64":"AP8K"}"#), (b"", r#""""#)]
        {
            let content = FileContent::new(bytes);
            assert_eq!(serde_json::to_string(&content).unwrap(), json);
            assert_eq!(serde_json::from_str::<FileContent>(json).unwrap(), content);
            assert_eq!(codec::decode::<FileContent>(&codec::encode(&content).unwrap()).unwrap(), content);
        }
        let text = "what an earlier release wrote as text";
        assert_eq!(codec::encode(&FileContent::new(text)).unwrap(), codec::encode(&text).unwrap());
    }

    #[test]
    fn a_mode_is_written_in_octal_as_text() {
        for (text, mode) in [("0400", 0o400), ("640", 0o640), ("0777", 0o777), ("04755", 0o4755)] {
            assert_eq!(text.parse(), Ok(FileMode(mode)));
        }
        assert_eq!(serde_json::to_string(&FileMode(0o400)).unwrap(), r#""0400""#);
        for wrong in ["", "8", "0888", "rw-", "-400", "+400", "000400"] {
            assert!(wrong.parse::<FileMode>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<FileMode>("400").is_err(), "a decimal number is not taken for an octal one");
    }
}
