#!/bin/sh
# Brings the engine up with the configuration that was put there.

# A name without a path in ExecStart= needs systemd 239 (Debian 10, Ubuntu 20.04); older ones cannot run these recipes.
systemctl daemon-reload
# Asked first: on Debian, enabling goes through update-rc.d and takes longer than the engine's start.
systemctl is-enabled --quiet docker.service || systemctl enable --quiet docker.service
if ! systemctl restart docker.service; then
    journalctl --no-pager --quiet -u docker.service -n 5 -o cat >&2
    exit 1
fi
docker version --format 'Docker Engine {{.Server.Version}} runs'
