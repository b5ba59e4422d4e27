#!/bin/sh
# As the official one: options or a .conf file alone mean redis-server; root owns nothing in /data and gives itself up.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
if [ "$1" = redis-server ]; then
    # The official image is compiled with this default.
    set -- "$@" --protected-mode no
fi
exec "$@"
