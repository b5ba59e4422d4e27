#!/bin/bash
# As the official one: an empty data folder gets its tables, root's password, MARIADB_DATABASE and its MARIADB_USER,
# and a user for healthcheck.sh, which can do nothing else.
set -eo pipefail

# The value of $1, or of the file that $1_FILE names.
setting() {
    local file="$1_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set (but are exclusive)" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-}"; fi
}

# An SQL string.
quoted() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\\\'}"
}

random() {
    head -c 24 /dev/urandom | base64
}

if [ "${1#-}" != "$1" ]; then
    set -- mariadbd "$@"
fi
if [ "$1" != mariadbd ]; then
    exec "$@"
fi

if [ "$(id -u)" = 0 ]; then
    find /var/lib/mysql /run/mysqld \! -user mysql -exec chown mysql:mysql '{}' +
    exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi

if [ ! -d /var/lib/mysql/mysql ]; then
    root=$(setting MARIADB_ROOT_PASSWORD)
    if [ -z "$root" ] && [ -n "${MARIADB_RANDOM_ROOT_PASSWORD:-}" ]; then
        root=$(random)
        echo "[Note] GENERATED ROOT PASSWORD: $root"
    fi
    if [ -z "$root" ] && [ -z "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ]; then
        echo "[ERROR] Database is uninitialized and password option is not specified" >&2
        exit 1
    fi
    database=$(setting MARIADB_DATABASE)
    user=$(setting MARIADB_USER)
    password=$(setting MARIADB_PASSWORD)
    health=$(random)

    mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db > /dev/null
    mariadbd --skip-networking --socket=/run/mysqld/init.sock &
    server=$!
    until mariadb-admin --socket=/run/mysqld/init.sock -u root ping > /dev/null 2>&1; do
        kill -0 "$server"
        sleep 0.1
    done
    {
        echo "CREATE USER healthcheck@'127.0.0.1' IDENTIFIED BY $(quoted "$health");"
        echo "CREATE USER healthcheck@localhost IDENTIFIED BY $(quoted "$health");"
        if [ -n "$database" ]; then
            echo "CREATE DATABASE \`$database\`;"
        fi
        if [ -n "$user" ]; then
            echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
        fi
        if [ -n "$user" ] && [ -n "$database" ]; then
            echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(quoted "$user")@'%';"
        fi
        echo "CREATE USER root@'%' IDENTIFIED BY $(quoted "$root");"
        echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
        echo "SET PASSWORD FOR root@localhost = PASSWORD($(quoted "$root"));"
    } | mariadb --socket=/run/mysqld/init.sock -u root
    umask 077
    printf '[client]\nuser=healthcheck\npassword=%s\nprotocol=tcp\nhost=127.0.0.1\n' "$health" \
        > /var/lib/mysql/.my-healthcheck.cnf
    printf '[client]\nuser=root\npassword="%s"\n' "${root//\\/\\\\}" > /tmp/root.cnf
    for file in /docker-entrypoint-initdb.d/*.sql; do
        [ -e "$file" ] || continue
        mariadb --defaults-extra-file=/tmp/root.cnf --socket=/run/mysqld/init.sock "$database" < "$file"
    done
    mariadb-admin --defaults-extra-file=/tmp/root.cnf --socket=/run/mysqld/init.sock shutdown
    rm /tmp/root.cnf
    wait "$server"
    echo "[Note] MariaDB init process done. Ready for start up."
fi
exec "$@"
