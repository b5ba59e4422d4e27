#!/bin/sh
# As the official one: options alone mean nats-server.
set -e
if [ "${1#-}" != "$1" ]; then
    set -- nats-server "$@"
fi
exec "$@"
