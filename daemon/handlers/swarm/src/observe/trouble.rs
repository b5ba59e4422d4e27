//! Why copies of a service do not run.

use bollard::models::{Service, ServiceUpdateStatusStateEnum};
use muster_engine::observed::{Obstacle, Trouble};

use super::services::Beside;
use super::tasks::SeenTask;
use super::{addresses, placement};
use crate::services::{refused_image, unanswered_image};

/// What keeps the `current` copies from running, if that is known.
pub(super) fn of(service: &Service, current: &[&SeenTask], beside: &Beside<'_>) -> Option<Trouble> {
    if let Some(words) = placement::other_processors(service, beside.machines) {
        return Some(Trouble { words, obstacle: Obstacle::Image, hopeless: true });
    }
    if let Some(words) = beside.used_up.filter(|_| current.iter().copied().any(addresses::is_waiting)) {
        return Some(Trouble::new(Obstacle::Addresses, words.to_owned()));
    }
    let said = newest_error(service, current)?;
    let obstacle = obstacle(&said);
    if obstacle != Obstacle::Image {
        let words = placement::explained(&said, service, beside.all, beside.machines);
        return Some(Trouble::new(obstacle, words));
    }
    // The machines' engines say no more than that there is no such image. One that has the image needs no registry.
    let (words, hopeless) = match (refused_image(service), unanswered_image(service)) {
        (Some(refusal), _) => (format!("{said}; its registry says: {refusal}"), true),
        (None, Some(why)) => (format!("{said}; its registry {why}"), false),
        (None, None) => (said, false),
    };
    Some(Trouble { words, obstacle, hopeless })
}

/// What the engine's words are about.
fn obstacle(said: &str) -> Obstacle {
    const ABOUT: [(&str, Obstacle); 9] = [
        ("No such image", Obstacle::Image),
        (placement::NOWHERE, Obstacle::Room),
        ("host-mode port already in use", Obstacle::Room),
        ("unhealthy", Obstacle::Health),
        ("invalid mount", Obstacle::Container),
        ("invalid volume", Obstacle::Container),
        ("source path does not exist", Obstacle::Container),
        ("OCI runtime", Obstacle::Container),
        ("unable to find user", Obstacle::Container),
    ];
    ABOUT.into_iter().find(|(words, _)| said.contains(words)).map_or(Obstacle::Program, |(_, obstacle)| obstacle)
}

/// The newest error of a copy, or why the change stopped.
fn newest_error(service: &Service, current: &[&SeenTask]) -> Option<String> {
    let with_errors = current.iter().filter(|task| task.error().is_some());
    let newest = with_errors.max_by_key(|task| task.since()).and_then(|task| task.error());
    newest.map(str::to_owned).or_else(|| why_stopped(service)).filter(|words| !words.is_empty())
}

/// Why an update is not under way any more. Swarm has words for one that goes well too, but those are no cause.
fn why_stopped(service: &Service) -> Option<String> {
    let status = service.update_status.as_ref()?;
    match status.state? {
        ServiceUpdateStatusStateEnum::PAUSED
        | ServiceUpdateStatusStateEnum::ROLLBACK_STARTED
        | ServiceUpdateStatusStateEnum::ROLLBACK_PAUSED
        | ServiceUpdateStatusStateEnum::ROLLBACK_COMPLETED => status.message.clone(),
        ServiceUpdateStatusStateEnum::EMPTY
        | ServiceUpdateStatusStateEnum::UPDATING
        | ServiceUpdateStatusStateEnum::COMPLETED => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_are_known_by_what_they_are_about() {
        for (said, about) in [
            ("No such image: localhost:5000/app:1", Obstacle::Image),
            ("no suitable node (insufficient resources on 3 nodes)", Obstacle::Room),
            ("starting container failed: container ab12: unhealthy container", Obstacle::Health),
            ("invalid mount config for type \"bind\": bind source path does not exist: /x", Obstacle::Container),
            ("task: non-zero exit (1)", Obstacle::Program),
        ] {
            assert_eq!(obstacle(said), about, "{said}");
        }
    }
}
