#!/bin/sh
# Leaves the host as it was found, and takes the claim away last. May be run again at any time.
# In: $ROOT, $LOCK, $OWNER, $PUBLIC_KEY, $PACKAGES (what recipes ask apt for), and what the record is of: $SETTINGS, $PARENTS, $DATA, $ASIDE.
# Says `outcome=released`, `outcome=free`, `outcome=taken CLAIM` or `outcome=left`, with a `left=…` for each thing that is left.

# A caller that is gone does not end it in the middle: what the commands say goes to a file.
trap '' HUP PIPE
umask 022
exec 9> "$LOCK"
if ! flock -w 500 9; then
    echo "another claim or release of this host does not end" >&2
    exit 1
fi
exec 3>&1 > "$LOCK.log" 2>&1
say() { echo "$@" >&3 2>/dev/null || true; }
undo=$ROOT/undo
[ -e "$ROOT/claim.json" ] || { say outcome=free; exit 0; }
there=$(head -n 1 "$ROOT/claim.json")
case $there in
    "$OWNER"*) ;;
    *) say "outcome=taken $there"; exit 0 ;;
esac

forget() {
    rm -rf "$ROOT/steps" "$undo" "$ROOT/undo.new" "$ROOT/sudoers.new" "$ROOT/keys.new" "$ROOT/left"
    rm -f "$ROOT/claim.json"
    # Somebody else may have something there.
    rmdir "$ROOT" 2>/dev/null || true
    say outcome=released
    exit 0
}
# Nothing was changed before the record was complete.
[ -d "$undo" ] || forget

was() { grep -qxF -- "$2" "$undo/$1"; }
left() { say "left=$*"; echo "$*" >> "$ROOT/left"; }
rm -f "$ROOT/left"

# --- steps and orchestrators ------------------------------------------------------------------------------------------
systemctl list-units --all --plain --no-legend 'muster-*.service' | while read -r unit _; do
    case $unit in
        muster-balancer.service | muster-name-relay.service | muster-[0-9a-f]*-*-[0-9]*.service | muster-[0-9a-f]*-ask-*.service)
            systemctl stop "$unit" || true ;;
    esac
done
if command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; then
    timeout 60 docker swarm leave --force >/dev/null 2>&1 || true
    containers=$(docker ps -aq)
    # shellcheck disable=SC2086 # a list of words
    [ -z "$containers" ] || timeout 60 docker rm -f -v $containers >/dev/null 2>&1 || true
fi
if command -v kubeadm >/dev/null && [ -e /etc/kubernetes ]; then
    timeout 120 kubeadm reset -f >/dev/null 2>&1 || true
fi
systemctl stop kubelet.service docker.socket docker.service 2>/dev/null || true
systemctl disable --quiet --now muster-balancer.service muster-name-relay.service 2>/dev/null || true
# Not every package takes the links of its units away.
for unit in kubelet.service haproxy.service containerd.service docker.service docker.socket; do
    if grep -q "^$unit \(none\|not-found\) " "$undo/units"; then systemctl disable --quiet --now "$unit" 2>/dev/null || true; fi
done
if command -v crictl >/dev/null && [ -S /run/containerd/containerd.sock ]; then
    timeout 60 crictl rmp -fa >/dev/null 2>&1 || true
fi
systemctl stop containerd.service 2>/dev/null || true
# Data of the owner's that was not put aside stays as it is, with its mounts.
is_ours_to_clear() { [ -d "$1/$ASIDE" ] || was data-empty "$1" || ! grep -q " $1\$" "$undo/data-there"; }
unmount_below() {
    # The deepest mounts go first.
    cut -d ' ' -f 2 /proc/self/mounts | grep -F "$1" | LC_ALL=C sort -r | while read -r mount; do
        umount -l "$mount" 2>/dev/null || true
    done
}
for folder in $DATA; do
    if is_ours_to_clear "$folder"; then unmount_below "$folder/"; fi
done
unmount_below /run/docker/
unmount_below /run/netns/cni-

# --- the network ------------------------------------------------------------------------------------------------------
# Rules that speak of an engine's or orchestrator's chains or bridges and were not there; then those chains.
ours='DOCKER|KUBE-|FLANNEL|CNI-|docker0|docker_gwbridge|cni0|flannel'
clean_rules() {
    touch "$undo/$1"
    for table in filter nat mangle raw; do
        "$1" -w 5 -t "$table" -S 2>/dev/null > "$undo/rules" || continue
        grep '^-A ' "$undo/rules" | grep -E "$ours" | grep -vxF -f "$undo/$1" | while read -r rule; do
            # xargs reads quotes as the shell does.
            printf '%s\n' "-w 5 -t $table -D ${rule#-A }" | xargs "$1" 2>/dev/null || true
        done
        sed -n 's/^-N //p' "$undo/rules" | grep -E '^(DOCKER|KUBE-|FLANNEL|CNI-)' | while read -r chain; do
            if grep -q "^:$chain " "$undo/$1"; then continue; fi
            "$1" -w 5 -t "$table" -F "$chain" && "$1" -w 5 -t "$table" -X "$chain" || true
        done
        # A chain goes when no other one leads to it any more.
        sed -n 's/^-N //p' "$undo/rules" | grep -E '^(DOCKER|KUBE-|FLANNEL|CNI-)' | while read -r chain; do
            "$1" -w 5 -t "$table" -X "$chain" 2>/dev/null || true
        done
    done
    # The engine closes forwarding to all but itself.
    if grep -q '^:FORWARD DROP' "$undo/$1"; then return 0; fi
    "$1" -w 5 -P FORWARD ACCEPT 2>/dev/null || true
}
for family in iptables ip6tables; do
    if command -v "$family" >/dev/null; then clean_rules "$family"; fi
done
for path in /sys/class/net/*; do
    link=${path##*/}
    if was links "$link"; then continue; fi
    case $link in
        docker0 | docker_gwbridge | br-* | cni0 | flannel.* | kube-* | veth* | vx-*) ip link delete "$link" 2>/dev/null || true ;;
    esac
done

# --- packages ---------------------------------------------------------------------------------------------------------
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
packages() { dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package} ${Version}\n'; }
# Any state but `not installed`; installed, wholly or half; only its configuration is there.
known() { awk '$1 !~ /n$/ { print $2 }' | LC_ALL=C sort; }
whole() { awk '$1 !~ /[cn]$/ { print $2 }' | LC_ALL=C sort; }
rests() { awk '$1 ~ /c$/ { print $2 }' | LC_ALL=C sort; }
known < "$undo/packages" > "$undo/known"
rests < "$undo/packages" > "$undo/rests"
apt-mark showmanual 2>/dev/null > "$undo/manual" || : > "$undo/manual"
# What somebody else has asked for meanwhile is theirs, with all that it needs.
is_ours() {
    case " $PACKAGES " in *" ${1%:*} "*) return 0 ;; esac
    ! grep -qxF -e "$1" -e "${1%:*}" "$undo/manual"
}
added() {
    packages | known | LC_ALL=C comm -13 "$undo/known" - | while read -r package; do
        if is_ours "$package"; then echo "$package"; fi
    done
}
is_needed() { ! dpkg --no-act --purge "$1" >/dev/null 2>&1; }
revived() { packages | whole | LC_ALL=C comm -12 "$undo/rests" -; }
for pause in 5 15 30 stop; do
    [ -n "$(added)$(revived)" ] || break
    # Another apt run has the lock for a while.
    dpkg --configure -a >/dev/null 2>&1 || true
    # Packages that others have come to need are refused one by one and stay.
    # shellcheck disable=SC2046 # a list of words
    [ -z "$(added)" ] || dpkg --purge $(added) > "$undo/purge" 2>&1 || true
    # shellcheck disable=SC2046 # a list of words
    [ -z "$(revived)" ] || dpkg --remove $(revived) >> "$undo/purge" 2>&1 || true
    blocked=no
    for package in $(added); do
        if ! is_needed "$package"; then blocked=yes; fi
    done
    if [ "$blocked" = no ] && [ -z "$(revived)" ]; then break; fi
    [ "$pause" = stop ] || sleep "$pause"
done
for package in $(added); do
    if is_needed "$package"; then say "kept=$package"; else left "package $package"; fi
done
for package in $(revived); do
    left "package $package"
done

# --- data -------------------------------------------------------------------------------------------------------------
for folder in $DATA; do
    if [ -d "$folder/$ASIDE" ]; then
        find "$folder" -mindepth 1 -maxdepth 1 ! -name "$ASIDE" -exec rm -rf {} +
        find "$folder/$ASIDE" -mindepth 1 -maxdepth 1 -exec mv -n -t "$folder" {} +
        rmdir "$folder/$ASIDE"
    elif was data-empty "$folder"; then
        find "$folder" -mindepth 1 -delete 2>/dev/null || left "folder $folder"
    elif ! grep -q " $folder\$" "$undo/data-there" && [ -e "$folder" ]; then
        rm -rf "$folder" 2>/dev/null || left "folder $folder"
    fi
done
while read -r mode owner folder; do
    if [ -d "$folder" ]; then
        chown "$owner" "$folder"
        chmod "$mode" "$folder"
    fi
done < "$undo/data-there"

# --- settings ---------------------------------------------------------------------------------------------------------
# shellcheck disable=SC2086 # a list of words
rm -rf $SETTINGS
tar -C / -xpf "$undo/settings.tar"
for folder in $PARENTS; do
    was parents-there "$folder" || rmdir "$folder" 2>/dev/null || true
done
rm -f /etc/sudoers.d/muster-claim
systemctl daemon-reload

# --- accounts ---------------------------------------------------------------------------------------------------------
for group in docker haproxy; do
    if ! grep -q "^$group:" "$undo/accounts/group" && getent group "$group" >/dev/null; then
        groupdel "$group" || left "group $group"
    fi
done
for file in passwd group shadow gshadow subuid subgid; do
    # The same again: then its backup is put back too, and its time.
    if [ -e "/etc/$file" ] && cmp -s "/etc/$file" "$undo/accounts/$file"; then
        cp -p "$undo/accounts/$file" "/etc/$file"
        if [ -e "$undo/accounts/$file-" ]; then cp -p "$undo/accounts/$file-" "/etc/$file-"; else rm -f "/etc/$file-"; fi
    fi
done

# --- the kernel -------------------------------------------------------------------------------------------------------
while read -r setting value; do
    now=$(cat "/proc/sys/$setting" 2>/dev/null || true)
    if [ "$now" != "$value" ]; then echo "$value" 2>/dev/null > "/proc/sys/$setting" || left "setting $setting=$now"; fi
done < "$undo/sysctls"

# --- units that were there --------------------------------------------------------------------------------------------
while read -r unit enabled active; do
    case $enabled in
        enabled | disabled)
            if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" != "$enabled" ]; then
                systemctl "${enabled%d}" --quiet "$unit" 2>/dev/null || left "unit $unit is not $enabled"
            fi ;;
    esac
    if [ "$active" = active ]; then systemctl start "$unit" || left "unit $unit does not start"; fi
done < "$undo/units"

# --- the way in -------------------------------------------------------------------------------------------------------
user=$(cat "$undo/login-user")
home=$(getent passwd "$user" | cut -d : -f 6)
keys=$home/.ssh/authorized_keys
if [ -e "$keys" ]; then
    grep -vxF -- "$PUBLIC_KEY" "$keys" > "$undo/keys" || true
    if [ -e "$undo/authorized-keys" ]; then
        grep -vxF -- "$PUBLIC_KEY" "$undo/authorized-keys" > "$undo/keys-before" || true
    else
        : > "$undo/keys-before"
    fi
    if ! cmp -s "$undo/keys" "$undo/keys-before"; then
        # Somebody changed it meanwhile: only our line goes.
        cat "$undo/keys" > "$keys"
    elif [ -e "$undo/authorized-keys" ]; then
        cp -p "$undo/authorized-keys" "$keys"
    else
        rm -f "$keys"
    fi
fi
if [ ! -e "$undo/ssh-folder" ]; then rmdir "$home/.ssh" 2>/dev/null || true; fi

if [ -e "$ROOT/left" ]; then
    say outcome=left
    exit 0
fi
forget
