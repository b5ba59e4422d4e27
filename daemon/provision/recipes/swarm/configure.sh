#!/bin/sh
# Puts the engine's configuration in place. In: $STAGED, the folder with the new daemon.json and unit drop-in;
# $NEEDS_GATEWAY, whether daemon.json names the machine's default gateway as {gateway}.

gateway=$(ip -4 route show default 2>/dev/null | sed -n 's/^default via \([^ ]*\).*/\1/p' | head -n 1)
if [ "$NEEDS_GATEWAY" = yes ] && [ -z "$gateway" ]; then
    echo "the machine has no default gateway that \`{gateway}\` in the registries could stand for" >&2
    exit 1
fi

# Without it in the kernel an ingress port answers nowhere.
ipvs=no
if [ -e /proc/net/ip_vs ] || { modprobe -q ip_vs 2>/dev/null && [ -e /proc/net/ip_vs ]; }; then ipvs=yes; fi

# How large a packet may be that leaves the machine: the networks between containers must not send larger ones.
device=$(ip -4 route show default 2>/dev/null | sed -n 's/^default .*dev \([^ ]*\).*/\1/p' | head -n 1)
mtu=$(cat "/sys/class/net/${device:-none}/mtu" 2>/dev/null || echo 1500)

mkdir -p /etc/docker /etc/systemd/system/docker.service.d
if [ -f /etc/docker/daemon.json ] && ! grep -q /etc/docker/muster/ /etc/docker/daemon.json; then
    cp -p /etc/docker/daemon.json /etc/docker/daemon.json.before-muster
    echo "kept the engine's own configuration as /etc/docker/daemon.json.before-muster"
fi
# The configuration with TLS goes before the unit that opens the port.
sed "s/{gateway}/$gateway/g; s/{ipvs}/$ipvs/g; s/{mtu}/$mtu/g" "$STAGED/daemon.json" > /etc/docker/daemon.json.new
mv -f /etc/docker/daemon.json.new /etc/docker/daemon.json
cp "$STAGED/muster.conf" /etc/systemd/system/docker.service.d/muster.conf.new
mv -f /etc/systemd/system/docker.service.d/muster.conf.new /etc/systemd/system/docker.service.d/muster.conf
