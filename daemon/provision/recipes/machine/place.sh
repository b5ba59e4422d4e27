#!/bin/sh
# Makes room for a step's files and forgets the results of steps long ended. In: $ROOT, $SCOPE, $NAME.

umask 077
mkdir -p "$ROOT/$SCOPE/$NAME"
# shellcheck disable=SC2012 # our own names: letters, digits, dashes
ls -1dt "$ROOT"/*/*/result 2>/dev/null | tail -n +65 | while read -r result; do
    rm -rf "${result%/result}"
done
