//! Looking for leftovers at every infrastructure, and working them off.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use muster_engine::context::{ClusterContext, Material};
use muster_engine::driver::{Driver, Owned};
use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::event::EventKind;
use muster_protocol::{ClusterId, ErrorCode, Name};
use muster_store::{Batch, ReadError, Store};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use super::leftovers::{Decision, Leftover, Leftovers, Place};
use crate::app::App;
use crate::journal::records::{StoredAccount, StoredCluster, StoredEvent};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// Looks at every infrastructure of this build with its defaults and with every account.
pub async fn look(app: &App, leftovers: &mut Leftovers) {
    let places = match places(&app.store).await {
        Ok(places) => places,
        Err(cause) => {
            error!(%cause, "cannot read the accounts");
            return;
        }
    };
    leftovers.retain_places(&places);
    for place in &places {
        let Ok(driver) = app.provisioner.driver(place.0, place.1.as_ref()).await else { continue };
        let gate = app.provisioner.gate(place.0, place.1.as_ref());
        let listing = gate.look(CALL_LIMIT, driver.list_owned(app.provisioner.instance, None));
        match timeout(CALL_LIMIT, listing).await.ok().flatten().unwrap_or_else(|| Err(no_answer())) {
            Ok(owned) => match without_cluster(app, owned).await {
                Ok(found) => {
                    let decisions = leftovers.note(place, found, app.now());
                    work_off(app, leftovers, place, driver.as_ref(), decisions).await;
                }
                Err(cause) => error!(%cause, "cannot read which clusters there are"),
            },
            // `doctor` tells what is wrong with an infrastructure.
            Err(cause) => debug!(infrastructure = %place.0, %cause, "cannot look for leftovers"),
        }
    }
    let findings = leftovers.findings(app.now());
    *app.findings.lock().unwrap_or_else(PoisonError::into_inner) = findings;
}

/// Every infrastructure of this build with its defaults, and every account.
pub(crate) async fn places(store: &Store) -> Result<Vec<Place>, ReadError> {
    let defaults = Infrastructure::ALL.into_iter().map(|infrastructure| (infrastructure, None));
    let accounts = store.scan::<StoredAccount>(&[]).await?.into_iter();
    Ok(defaults.chain(accounts.map(|StoredAccount(info)| (info.infrastructure, Some(info.name)))).collect())
}

/// What belongs to no cluster that exists: neither in memory nor on disk.
async fn without_cluster(app: &App, owned: Vec<Owned>) -> Result<Vec<Leftover>, ReadError> {
    let board = &app.provisioner.shared.board;
    let mut found = Vec::new();
    let mut history: Option<HashMap<ClusterId, Name>> = None;
    for owned in owned {
        let id = owned.cluster;
        let exists =
            board.cluster_by_id(id).is_some() || app.store.get::<StoredCluster>(id.as_bytes()).await?.is_some();
        if exists {
            continue;
        }
        let history = history.get_or_insert_with(|| {
            let operations = board.operations(None, usize::MAX, |_| true).into_iter();
            operations.map(|operation| (operation.cluster_id, operation.cluster)).collect()
        });
        found.push(Leftover { cluster: history.get(&id).cloned(), owned });
    }
    Ok(found)
}

async fn work_off(app: &App, leftovers: &mut Leftovers, place: &Place, driver: &dyn Driver, decisions: Vec<Decision>) {
    for Decision { leftover, is_new, remove } in decisions {
        let (name, at) = (leftover.name(), place.0);
        if is_new {
            warn!(leftover = %name, cluster = %leftover.owned.cluster, infrastructure = %at, "found what belongs to no cluster");
            tell(app, &leftover, format!("found {name} at {at}, which belongs to no cluster that exists")).await;
            metrics::counter!("muster_leftovers_total", "result" => "found").increment(1);
        }
        if !remove {
            continue;
        }
        match remove_from(app, driver, place, &leftover).await {
            Ok(()) => {
                info!(leftover = %name, infrastructure = %at, "removed what a deleted cluster left behind");
                leftovers.removed(place, &leftover);
                tell(app, &leftover, format!("removed {name} at {at}, which a deleted cluster had left behind")).await;
                metrics::counter!("muster_leftovers_total", "result" => "removed").increment(1);
            }
            Err(cause) => {
                warn!(leftover = %name, infrastructure = %at, %cause, "cannot remove what a deleted cluster left behind");
                leftovers.failed(place, &leftover, cause.to_string());
                metrics::counter!("muster_leftovers_total", "result" => "failed").increment(1);
            }
        }
    }
}

async fn remove_from(app: &App, driver: &dyn Driver, place: &Place, leftover: &Leftover) -> Result<(), Failure> {
    let key = leftover.owned.key.as_ref().and_then(ResourceKey::infra);
    let (Some(key), Some(name)) = (key, &leftover.cluster) else {
        return Err(Failure::not_applied(ErrorCode::Internal, "it has no key"));
    };
    let cluster = ClusterContext {
        instance: app.provisioner.instance,
        cluster: leftover.owned.cluster,
        spec: spec_of(place, name.clone()),
        material: Material::default(),
    };
    let gate = app.provisioner.gate(place.0, place.1.as_ref());
    let removal = gate.call(CALL_LIMIT, driver.remove(&cluster, key, &leftover.owned.present.id));
    timeout(CALL_LIMIT, removal).await.ok().flatten().unwrap_or_else(|| Err(no_answer()))
}

/// A removal goes by marks and ids; what the cluster was otherwise is forgotten and does not matter.
fn spec_of((infrastructure, account): &Place, name: Name) -> ClusterSpec {
    ClusterSpec { account: account.clone(), ..ClusterSpec::new(name, Orchestrator::Sim, *infrastructure) }
}

async fn tell(app: &App, leftover: &Leftover, message: String) {
    let event = StoredEvent {
        at: app.now(),
        kind: EventKind::Daemon,
        cluster: leftover.cluster.clone().map(|name| (leftover.owned.cluster, name)),
        operation: None,
        service: None,
        who: None,
        message,
        cause: None,
    };
    let mut batch = Batch::new();
    let written = match batch.append_event(&event) {
        Ok(_) => app.provisioner.shared.journal.write(batch).await.map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(cause) = written {
        error!(%cause, "cannot write an event");
    }
}

fn no_answer() -> Failure {
    Failure::not_applied(ErrorCode::Unreachable, "the infrastructure does not answer")
}
