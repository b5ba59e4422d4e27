//! The words for orchestrators, infrastructures and roles, for clap: listed in help, suggested when misspelt.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_protocol::model::token::AccessRole;

/// The orchestrators' words.
pub fn orchestrators() -> impl TypedValueParser<Value = Orchestrator> {
    PossibleValuesParser::new(Orchestrator::ALL.iter().map(|kind| kind.as_str()))
        .try_map(|word| word.parse::<Orchestrator>())
}

/// The infrastructures' words.
pub fn infrastructures() -> impl TypedValueParser<Value = Infrastructure> {
    PossibleValuesParser::new(Infrastructure::ALL.iter().map(|kind| kind.as_str()))
        .try_map(|word| word.parse::<Infrastructure>())
}

/// The roles' words.
pub fn roles() -> impl TypedValueParser<Value = AccessRole> {
    PossibleValuesParser::new(AccessRole::ALL.iter().map(|role| role.as_str()))
        .try_map(|word| word.parse::<AccessRole>())
}
