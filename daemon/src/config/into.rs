//! The configuration as the daemon's parts take it.

use std::time::Duration;

use muster_driver_local::LocalOptions;
use muster_engine::looks::LookPace;
use muster_engine::sim::SimOptions;
use muster_provision::PreparerOptions;
use muster_provision::logins::{ConfiguredLogin, Logins};

use super::{Config, sections};
use crate::cluster::workshop::Pace;
use crate::gateway::limits::GatewayLimits;
use crate::gateway::policy::Policy;
use crate::gateway::roles::{Members, Roles};

impl sections::Limits {
    /// For the gateway.
    pub fn as_limits(&self) -> GatewayLimits {
        GatewayLimits {
            sessions: self.sessions,
            sessions_per_user: self.sessions_per_user,
            requests_per_session: self.requests_per_session,
            changes_per_user: self.changes_per_user,
            changes_per_cluster: self.changes_per_cluster,
            handshake: Duration::from_millis(self.handshake_ms),
            frame: Duration::from_millis(self.frame_ms),
            idle: Duration::from_millis(self.idle_ms),
            read: Duration::from_millis(self.read_ms),
            change: Duration::from_millis(self.change_ms),
        }
    }

    /// For the supervisors.
    pub fn pace(&self) -> Pace {
        Pace {
            calls_per_cluster: self.calls_per_cluster,
            calls_per_account: self.calls_per_account,
            looks: LookPace {
                when_busy: Duration::from_millis(self.look_when_busy_ms),
                when_idle: Duration::from_millis(self.look_when_idle_ms),
            },
            drain: Duration::from_millis(self.drain_ms),
        }
    }
}

impl sections::Deadlines {
    /// For the engine.
    pub fn as_deadlines(&self) -> muster_engine::state::Deadlines {
        let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
        muster_engine::state::Deadlines {
            cluster: minutes(self.cluster_minutes),
            removal: minutes(self.removal_minutes),
            first_service: minutes(self.first_service_minutes),
            infrastructure_call: minutes(self.infrastructure_call_minutes),
            preparation: minutes(self.preparation_minutes),
            orchestrator_call: minutes(self.orchestrator_call_minutes),
            service_hold: Duration::from_millis(self.service_hold_ms),
            listing_lag: Duration::ZERO,
        }
    }
}

impl sections::AccessConfig {
    /// For the gateway.
    pub fn as_roles(&self) -> Roles {
        let members = |role: &sections::Role| Members { users: role.users.clone(), groups: role.groups.clone() };
        Roles {
            viewers: members(&self.viewer),
            operators: members(&self.operator),
            admins: members(&self.admin),
            trusted: self.trusted.clone(),
        }
    }
}

impl sections::PolicyConfig {
    /// For the gateway.
    pub fn as_policy(&self) -> Policy {
        Policy { bind: self.bind.clone(), images: self.images.clone() }
    }
}

impl sections::Local {
    /// For the driver.
    pub fn as_options(&self) -> LocalOptions {
        LocalOptions {
            docker_socket: self.docker_socket.clone(),
            image: self.image.clone(),
            plain: self.plain,
            request_limit: Duration::from_millis(self.request_limit_ms),
        }
    }
}

impl sections::Preparation {
    /// For the preparers.
    pub fn as_options(&self) -> PreparerOptions {
        PreparerOptions {
            registry_mirrors: self.registry_mirrors.clone(),
            insecure_registries: self.insecure_registries.clone(),
            boot_limit: Duration::from_millis(self.boot_limit_ms),
        }
    }
}

impl Config {
    /// The logins at registries.
    pub fn as_logins(&self) -> Logins {
        let login = |login: &sections::LoginConfig| ConfiguredLogin {
            user: login.user.clone(),
            password_file: login.password_file.clone(),
        };
        Logins::new(self.logins.iter().map(|(registry, one)| (registry.clone(), login(one))).collect())
    }
}

impl sections::Sim {
    /// For the world.
    pub fn as_options(&self) -> SimOptions {
        let (rollout, step) = (Duration::from_millis(self.rollout_ms), Duration::from_millis(self.step_ms));
        SimOptions { rollout, step, ..SimOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurations_defaults_are_the_parts_own_defaults() {
        assert_eq!(sections::Limits::default().as_limits(), GatewayLimits::default());
        assert_eq!(sections::Limits::default().pace(), Pace::default());
        assert_eq!(sections::Deadlines::default().as_deadlines(), muster_engine::state::Deadlines::default());
        assert_eq!(sections::Local::default().as_options(), LocalOptions::default());
        assert_eq!(sections::Preparation::default().as_options(), PreparerOptions::default());
        assert_eq!(sections::Sim::default().as_options(), SimOptions::default());
    }
}
