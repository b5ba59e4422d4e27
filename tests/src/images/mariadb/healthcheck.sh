#!/bin/bash
# The two checks of the official script that people use, as the user whom the entry point made for it.
set -eo pipefail
query() {
    mariadb --defaults-file=/var/lib/mysql/.my-healthcheck.cnf --skip-column-names -e "$1"
}
for check in "$@"; do
    case "$check" in
        --connect) query 'SELECT 1' > /dev/null ;;
        --innodb_initialized)
            query "SELECT support FROM information_schema.ENGINES WHERE engine = 'InnoDB'" | grep -q -e YES -e DEFAULT
            ;;
        *) echo "unknown check $check" >&2; exit 1 ;;
    esac
done
