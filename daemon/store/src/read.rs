//! Reads. Each runs on a blocking thread, because a page that is not in sled's cache is read from disk.
//!
//! A read may see a group that is being committed and not yet acknowledged. The daemon reads at start and for history;
//! what it acts upon comes from its own state.

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::{
    ReadError, Record, Sealer, Store, Table,
    engine::{Engine, EngineError, guarded},
    envelope::{self, Envelope},
    secrets::SEALED_SCHEMA,
};

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        ReadError::Database(error.to_string())
    }
}

impl Store {
    /// The record of type `R` with this key.
    pub async fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, ReadError> {
        let full_key = R::TABLE.full_key(key);
        self.read(move |engine| {
            let Some(value) = guarded(|| Ok(engine.db().get(&full_key)?))? else { return Ok(None) };
            let envelope = unwrap(&full_key, &value)?;
            Ok(Some(R::decode(envelope.schema, envelope.payload)?))
        })
        .await
    }

    /// All records of type `R` whose keys start with `prefix`, in key order.
    pub async fn scan<R: Record>(&self, prefix: &[u8]) -> Result<Vec<R>, ReadError> {
        let full_prefix = R::TABLE.full_key(prefix);
        self.read(move |engine| {
            let mut records = Vec::new();
            visit(engine, &full_prefix, |_, envelope| {
                records.push(R::decode(envelope.schema, envelope.payload)?);
                Ok(())
            })?;
            Ok(records)
        })
        .await
    }

    /// Unseals the secret with this key.
    pub async fn get_sealed(&self, sealer: &Sealer, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ReadError> {
        let (full_key, key, sealer) = (Table::Secrets.full_key(key), key.to_vec(), sealer.clone());
        self.read(move |engine| {
            let Some(value) = guarded(|| Ok(engine.db().get(&full_key)?))? else { return Ok(None) };
            let envelope = unwrap(&full_key, &value)?;
            if envelope.schema != SEALED_SCHEMA {
                return Err(crate::CodecError::unknown_schema::<Sealer>(envelope.schema).into());
            }
            Ok(Some(sealer.unseal(Table::Secrets, &key, envelope.payload)?))
        })
        .await
    }

    /// Sealed values as stored, in key order.
    pub(crate) async fn sealed_values(&self) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.sealed_entries().await?.into_iter().map(|(_, sealed)| sealed).collect())
    }

    /// The same, each with its key.
    pub(crate) async fn sealed_entries(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        self.read(move |engine| {
            let mut entries = Vec::new();
            visit(engine, &Table::Secrets.full_key(&[]), |full_key, envelope| {
                entries.push((full_key[1..].to_vec(), envelope.payload.to_vec()));
                Ok(())
            })?;
            Ok(entries)
        })
        .await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let shared = self.shared.clone();
        let read = spawn_blocking(move || shared.with(work).unwrap_or(Err(ReadError::Closed)));
        read.await.unwrap_or_else(|lost| Err(ReadError::Database(lost.to_string())))
    }
}

/// Shows every record under `prefix` to `visitor`, checked.
fn visit(
    engine: &Engine,
    prefix: &[u8],
    mut visitor: impl FnMut(&[u8], Envelope<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut entries = guarded(|| Ok(engine.db().scan_prefix(prefix)))?;
    while let Some((key, value)) = guarded(|| Ok(entries.next().transpose()?))? {
        visitor(&key, unwrap(&key, &value)?)?;
    }
    Ok(())
}

/// Checks a stored value.
pub(crate) fn unwrap<'a>(full_key: &[u8], value: &'a [u8]) -> Result<Envelope<'a>, ReadError> {
    envelope::decode(full_key, value).map_err(|source| {
        let table = full_key.first().and_then(|tag| Table::from_tag(*tag));
        ReadError::Damaged { table: table.map_or_else(|| "unknown".to_owned(), |table| format!("{table:?}")), source }
    })
}
