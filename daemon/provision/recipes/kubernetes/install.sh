#!/bin/sh
# Readies the kernel and installs containerd, the balancer and one exact version of Kubernetes' packages. On a machine that is
# a node already the packages of Kubernetes stay as they are: changing them is an upgrade, which goes machine by machine.
# In: $VERSION (`1.36.3`), $REPOSITORY, $KEY_URL (empty: the key is there).

folder=/etc/muster/kubernetes

is_node() {
    [ -e /etc/kubernetes/kubelet.conf ]
}

# --- the kernel -------------------------------------------------------------------------------------------------------
mkdir -p /etc/modules-load.d /etc/sysctl.d
printf 'overlay\nbr_netfilter\n' > /etc/modules-load.d/muster-kubernetes.conf
cat > /etc/sysctl.d/99-muster-kubernetes.conf <<'SYSCTL'
net.ipv4.ip_forward = 1
-net.bridge.bridge-nf-call-iptables = 1
-net.bridge.bridge-nf-call-ip6tables = 1
SYSCTL
# kubelet, containerd and every container's log are watched with inotify, and the kernel's default is 128 for all of root's.
# Machines that are containers of one host share its number.
at_least() {
    value=$(cat "/proc/sys/fs/inotify/$1")
    if [ "$value" -lt "$2" ]; then value=$2; fi
    echo "fs.inotify.$1 = $value" >> /etc/sysctl.d/99-muster-kubernetes.conf
}
at_least max_user_instances 8192
at_least max_user_watches 524288
sysctl -q -p /etc/sysctl.d/99-muster-kubernetes.conf || true
for setting in net/ipv4/ip_forward net/bridge/bridge-nf-call-iptables; do
    if [ "$(cat "/proc/sys/$setting")" != 1 ]; then
        echo "$setting is not 1 and cannot be set; pods could not be reached" >&2
        exit 1
    fi
done
# A module that another one needs later: pods' volumes propagate only below a shared root.
mount --make-rshared / || true

# --- packages ---------------------------------------------------------------------------------------------------------
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
apt_get() {
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
has() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' "$1" 2>/dev/null | grep -q "^.i  *$2"
}
wanted=
balancer=haproxy
# The infrastructure has a balancer for the control planes.
[ -e "$folder/muster-balancer.wanted" ] || balancer=
# shellcheck disable=SC2086 # none or one word
for package in iptables socat conntrack ethtool ebtables $balancer ca-certificates; do
    has "$package" . || wanted="$wanted $package"
done
# Docker's own repository calls it containerd.io.
command -v containerd >/dev/null || wanted="$wanted containerd"
if ! is_node; then
    for package in kubeadm kubelet kubectl; do
        has "$package" "$VERSION-" || wanted="$wanted $package=$VERSION-*"
    done
fi
had_haproxy=no
if command -v haproxy >/dev/null; then had_haproxy=yes; fi

if [ -n "$KEY_URL" ]; then
    command -v curl >/dev/null || { apt_get update && apt_get -y install --no-install-recommends curl ca-certificates; }
    # curl tells the login to this host alone, wherever it is sent on to.
    if ! curl -fsSL --config "$folder/curl-login.conf" --retry 3 --max-time 60 -o "$folder/repository.asc.new" "$KEY_URL"; then
        echo "the key of the package repository cannot be read from $KEY_URL" >&2
        exit 1
    fi
    mv -f "$folder/repository.asc.new" "$folder/repository.asc"
fi
if ! grep -q 'BEGIN PGP PUBLIC KEY BLOCK' "$folder/repository.asc"; then
    echo "what should be the key of the package repository is no armoured public key" >&2
    exit 1
fi
chmod 644 "$folder/repository.asc"
# Root alone may read it, and so may apt, which reads it as root.
if [ -s "$folder/apt-login.conf" ]; then
    mkdir -p /etc/apt/auth.conf.d
    cp -p "$folder/apt-login.conf" /etc/apt/auth.conf.d/muster-kubernetes.conf
else
    rm -f /etc/apt/auth.conf.d/muster-kubernetes.conf
fi
# The repository is flat: its suite is `/`.
echo "deb [signed-by=$folder/repository.asc] $REPOSITORY /" > /etc/apt/sources.list.d/muster-kubernetes.list

install_packages() {
    # Holding keeps a user's own `apt upgrade` from changing a node's version; ours may.
    dpkg --configure -a &&
        apt_get update &&
        # shellcheck disable=SC2086 # a list of words
        apt_get -y install --no-install-recommends --allow-change-held-packages --allow-downgrades $wanted
}
if [ -n "$wanted" ]; then
    echo "installing$wanted"
    log=$folder/apt.log
    for pause in 2 5 15 stop; do
        if install_packages > "$log" 2>&1; then break; fi
        cat "$log"
        if [ "$pause" = stop ]; then
            # A repository that does not answer is a warning to apt, and its packages then cannot be located.
            cause=$(sed -n 's/^[WE]: //p' "$log" | grep -F "$REPOSITORY" | tail -n 1)
            [ -n "$cause" ] || cause=$(sed -n 's/^E: //p' "$log" | tail -n 1)
            echo "packages could not be installed: ${cause:-apt does not say why} (wanted:$wanted)" >&2
            exit 1
        fi
        sleep "$pause"
    done
fi
apt-mark hold kubeadm kubelet kubectl >/dev/null
# The distribution starts it with its own empty configuration; the balancer is a unit of ours.
if [ "$had_haproxy" = no ]; then systemctl disable --quiet --now haproxy.service 2>/dev/null || true; fi
