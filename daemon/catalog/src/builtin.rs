//! The templates that are part of the program.

/// File name and text of each.
pub(crate) const BUILT_IN: [(&str, &str); 9] = [
    ("batch-job.yaml", include_str!("../templates/batch-job.yaml")),
    ("hello.yaml", include_str!("../templates/hello.yaml")),
    ("nats.yaml", include_str!("../templates/nats.yaml")),
    ("nginx.yaml", include_str!("../templates/nginx.yaml")),
    ("postgres.yaml", include_str!("../templates/postgres.yaml")),
    ("prometheus.yaml", include_str!("../templates/prometheus.yaml")),
    ("redis.yaml", include_str!("../templates/redis.yaml")),
    ("registry.yaml", include_str!("../templates/registry.yaml")),
    ("wordpress.yaml", include_str!("../templates/wordpress.yaml")),
];
