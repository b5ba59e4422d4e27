#!/bin/sh
# Claims the host, records how it was found, and lets the cluster in; or goes on where an earlier try broke off.
# In: $ROOT, $LOCK, $OWNER (how a claim of ours begins), $CLAIM (all of it), $NEW (no: only complete a claim that is there),
# $LOGIN_USER, $PUBLIC_KEY, $SUDO (yes: the user becomes root only with a password until now), and what the record is of:
# $SETTINGS, $PARENTS, $DATA, $ASIDE, $SYSCTLS.
# Says `outcome=claimed`, `outcome=free` or `outcome=taken CLAIM`.

umask 022
exec 9> "$LOCK"
if ! flock -w 60 9; then
    echo "another claim or release of this host does not end" >&2
    exit 1
fi
undo=$ROOT/undo

# The claim goes before all else: whatever is changed later is found by it.
if [ -e "$ROOT/claim.json" ]; then
    there=$(head -n 1 "$ROOT/claim.json")
    case $there in
        "$OWNER"*) ;;
        *) echo "outcome=taken $there"; exit 0 ;;
    esac
elif [ "$NEW" = no ]; then
    echo outcome=free
    exit 0
else
    mkdir -p "$ROOT"
    printf '%s\n' "$CLAIM" > "$ROOT/claim.json.new"
    sync "$ROOT/claim.json.new"
    mv -f "$ROOT/claim.json.new" "$ROOT/claim.json"
    sync "$ROOT"
fi

home=$(getent passwd "$LOGIN_USER" | cut -d : -f 6)
keys=$home/.ssh/authorized_keys

# --- how the host was found -------------------------------------------------------------------------------------------
packages() { dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package} ${Version}\n' | LC_ALL=C sort; }
unit_states() {
    for unit in docker.service docker.socket containerd.service kubelet.service haproxy.service; do
        echo "$unit $(systemctl is-enabled "$unit" 2>/dev/null || true) $(systemctl is-active "$unit" 2>/dev/null || true)" |
            sed 's/  / none /'
    done
}
if [ ! -d "$undo" ]; then
    new=$ROOT/undo.new
    rm -rf "$new"
    mkdir -m 700 "$new"
    packages > "$new/packages"
    apt-mark showauto 2>/dev/null | LC_ALL=C sort > "$new/packages-auto" || true
    # Files and folders that a preparation writes, and those in which engines and orchestrators keep their data.
    for path in $SETTINGS; do
        if [ -e "$path" ] || [ -L "$path" ]; then echo "${path#/}"; fi
    done > "$new/settings-there"
    tar -C / -cf "$new/settings.tar" --files-from "$new/settings-there"
    for path in $DATA; do
        if [ -e "$path" ]; then stat -c '%a %u:%g %n' "$path"; fi
    done > "$new/data-there"
    for path in $DATA; do
        if [ -d "$path" ] && [ -z "$(ls -A "$path")" ]; then echo "$path"; fi
    done > "$new/data-empty"
    for path in $PARENTS; do
        if [ -e "$path" ]; then echo "$path"; fi
    done > "$new/parents-there"
    # Backups of the account files change with them.
    mkdir "$new/accounts"
    for file in passwd group shadow gshadow subuid subgid passwd- group- shadow- gshadow- subuid- subgid-; do
        if [ -e "/etc/$file" ]; then cp -p "/etc/$file" "$new/accounts/$file"; fi
    done
    for setting in $SYSCTLS; do
        if [ -r "/proc/sys/$setting" ]; then echo "$setting $(cat "/proc/sys/$setting")"; fi
    done > "$new/sysctls"
    for family in iptables ip6tables; do
        if command -v "$family-save" >/dev/null; then "$family-save" 2>/dev/null > "$new/$family" || true; fi
    done
    ls -1 /sys/class/net > "$new/links"
    unit_states > "$new/units"
    echo "$LOGIN_USER" > "$new/login-user"
    if [ -e "$keys" ]; then cp -p "$keys" "$new/authorized-keys"; fi
    if [ -d "$home/.ssh" ]; then stat -c %y "$home/.ssh" > "$new/ssh-folder"; fi
    sync
    mv "$new" "$undo"
fi

# --- an engine that is there starts empty: what it had is put aside until the host is left ---------------------------
if [ ! -e "$undo/engine-is-empty" ]; then
    for folder in /var/lib/docker /var/lib/containerd; do
        if [ ! -d "$folder" ]; then continue; fi
        systemctl stop docker.socket docker.service containerd.service 2>/dev/null || true
        mkdir -p "$folder/$ASIDE"
        # What was moved by a try that broke off is not overwritten: its name is taken already.
        find "$folder" -mindepth 1 -maxdepth 1 ! -name "$ASIDE" -exec mv -n -t "$folder/$ASIDE" {} +
    done
    : > "$undo/engine-is-empty"
fi

# --- the cluster's own way in -----------------------------------------------------------------------------------------
if [ "$SUDO" = yes ]; then
    echo "$LOGIN_USER ALL=(ALL:ALL) NOPASSWD: ALL" > "$ROOT/sudoers.new"
    chmod 440 "$ROOT/sudoers.new"
    visudo -q -c -f "$ROOT/sudoers.new"
    mv -f "$ROOT/sudoers.new" /etc/sudoers.d/muster-claim
fi
if ! grep -qxF "$PUBLIC_KEY" "$keys" 2>/dev/null; then
    if [ ! -d "$home/.ssh" ]; then
        mkdir -m 700 "$home/.ssh"
        chown "$LOGIN_USER:" "$home/.ssh"
    fi
    [ ! -e "$keys" ] || cp -p "$keys" "$keys.muster"
    [ -e "$keys.muster" ] || install -m 600 -o "$LOGIN_USER" -g "$(id -g "$LOGIN_USER")" /dev/null "$keys.muster"
    # An earlier key of this cluster was lost with the daemon's database: nobody has the other half of it. Lines that were
    # there before the claim stay. awk ends each line, also a last one that had no end.
    { awk -v comment="$(echo "$PUBLIC_KEY" | cut -d ' ' -f 3-)" -v found="$undo/authorized-keys" '
        BEGIN { while ((getline line < found) > 0) was_there[line] = 1 }
        { known = $0; sub(/^[^ ]+ [^ ]+ /, "", known) }
        known != comment || $0 in was_there' "$keys.muster"; echo "$PUBLIC_KEY"; } > "$ROOT/keys.new"
    cat "$ROOT/keys.new" > "$keys.muster"
    rm -f "$ROOT/keys.new"
    mv -f "$keys.muster" "$keys"
fi
echo outcome=claimed
