//! The parameters of a path.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use muster_protocol::{MachineId, Name, OperationId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::problem::Problem;

/// The parameters of a path, by their names.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let axum::extract::Path(value) = path.map_err(|refused| Problem::invalid("path", refused.body_text()))?;
        Ok(Self(value))
    }
}

/// A cluster's name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ClusterPath {
    /// The cluster's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "demo")]
    pub name: Name,
}

/// A service of a cluster.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ServicePath {
    /// The cluster's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "demo")]
    pub name: Name,
    /// The service's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "web")]
    pub service: Name,
}

/// A port of a service of a cluster.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ServicePortPath {
    /// The cluster's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "demo")]
    pub name: Name,
    /// The service's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "web")]
    pub service: Name,
    /// The port in the container.
    #[param(minimum = 1, maximum = 65535, example = 80)]
    pub port: u16,
}

/// A host's id.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct HostPath {
    /// The host's id.
    #[param(value_type = String, format = Uuid)]
    pub id: MachineId,
}

/// A container's id.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ContainerPath {
    /// The orchestrator's id of the container.
    #[param(min_length = 1, max_length = 256)]
    pub id: String,
}

/// An operation's id.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OperationPath {
    /// The operation's id.
    #[param(value_type = String, format = Uuid)]
    pub id: OperationId,
}

/// A template's name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TemplatePath {
    /// The template's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "hello")]
    pub template: Name,
}

/// An account's name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AccountPath {
    /// The account's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "main")]
    pub account: Name,
}

/// A token's name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TokenPath {
    /// The token's name.
    #[param(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40, example = "ci")]
    pub token: Name,
}
