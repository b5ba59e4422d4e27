#!/bin/sh
# Starts a step if $START is yes and it is not known, says what the step says until it ends, and ends as it did.
# In: $ROOT, $SCOPE, $NAME, $LIMIT (seconds), $LOCK (path or none), $START.
# Ends with 252 if the step is not known, 253 if it ended without an exit code.

dir=$ROOT/$SCOPE/$NAME
unit=muster-$SCOPE-$NAME.service

pid_of_unit() {
    systemctl show --property MainPID --value "$unit"
}

if [ ! -e "$dir/result" ] && [ "$(pid_of_unit)" = 0 ]; then
    # It may have ended between the two questions.
    if [ ! -e "$dir/result" ]; then
        [ "$START" = yes ] || exit 252
        : > "$dir/output"
        # Refused if another caller was faster; then that one's start is followed.
        systemd-run --quiet --collect --unit="$unit" --property=RuntimeMaxSec="$LIMIT" --property=TimeoutStopSec=20 \
            --property=ExecStopPost="/bin/sh $dir/step.sh $dir ended" \
            /bin/sh "$dir/step.sh" "$dir" "$LOCK" || true
    fi
fi

pid=$(pid_of_unit)
if [ "$pid" = 0 ]; then
    tail -n 1000 "$dir/output" 2>/dev/null || true
else
    tail -n 1000 -s 0.1 -f --pid="$pid" "$dir/output"
fi
# A killed step gets its result from systemd a moment after its end.
waited=0
while [ ! -e "$dir/result" ] && [ "$waited" -lt 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
result=$(cat "$dir/result" 2>/dev/null || echo 'no result')
case $result in
    0 | [1-9] | [1-9][0-9] | 1[0-9][0-9] | 2[0-4][0-9]) exit "$result" ;;
    *) echo "broken off: $result"; exit 253 ;;
esac
