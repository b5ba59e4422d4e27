#!/bin/sh
# As the official one: an empty volume gets WordPress and a configuration that reads the environment.
set -e
if [ "$1" = apache2-foreground ] && [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then
    cp -a /usr/src/wordpress/. .
    chown www-data:www-data .
    echo "Complete! WordPress has been successfully copied to $PWD" >&2
fi
exec "$@"
