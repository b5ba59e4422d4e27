#!/bin/sh
# Installs the distribution's Docker Engine, unless some Docker Engine is there already.

if command -v dockerd >/dev/null && [ -n "$(systemctl list-unit-files --no-legend docker.service)" ]; then
    echo "Docker Engine is installed: $(dockerd --version)"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "this host has neither a Docker Engine nor apt to install one" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
packages="docker.io iptables ca-certificates"
# Where the kernel confines by AppArmor, the engine cannot start a container without its parser.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
    packages="$packages apparmor"
fi

apt_get() {
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# Other apt runs (unattended upgrades, cloud-init) hold the lock, mirrors fail for a moment, and an earlier run of ours
# may have been cut off in the middle: each round mends what it can and tries again.
install_packages() {
    dpkg --configure -a &&
        apt_get update &&
        # shellcheck disable=SC2086 # a list of words
        apt_get -y install --no-install-recommends $packages
}
for pause in 2 5 15 30 stop; do
    if install_packages; then
        echo "installed $(dockerd --version)"
        exit 0
    fi
    [ "$pause" = stop ] || sleep "$pause"
done
echo "the packages $packages could not be installed" >&2
exit 1
