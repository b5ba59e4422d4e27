#!/bin/sh
# The main process of a step's unit: `step.sh DIRECTORY LOCK` runs DIRECTORY/script once and leaves its exit code in
# DIRECTORY/result. `step.sh DIRECTORY ended` is called by systemd after that, also when the step was killed.
set -u
cd "$1" || exit 1

if [ "$2" = ended ]; then
    # systemd says why there is no result: the time was over, a signal, the machine went down.
    [ -e result ] || { echo "${SERVICE_RESULT:-unknown}" > result.new && mv -f result.new result; }
    exit 0
fi

exec >> output 2>&1
exec 9> lock
flock -n 9 || exit 0
[ -e result ] && exit 0
if [ "$2" != none ]; then
    exec 8> "$2"
    flock 8
fi
# The locks end with this shell, not with what the script leaves running.
sh -eu script < /dev/null 8>&- 9>&-
echo $? > result.new
mv -f result.new result
