#!/bin/sh -eu
# Copies programs of this system with the libraries they load to $1: a root with nothing else in it.
root=$1
mkdir -p "$root/bin" "$root/sbin" "$root/usr/sbin" "$root/usr/bin" "$root/etc" "$root/tmp" "$root/run" "$root/var/run" "$root/opt/bin"
chmod 1777 "$root/tmp"
cp /bin/busybox "$root/bin/busybox"
for applet in sh cat cp mv rm ls ln mkdir sleep printf echo grep sed ip hostname modprobe test; do
    ln -s busybox "$root/bin/$applet"
done
# xtables-nft-multi is iptables with all its names, nft for kube-proxy's nftables mode, conntrack for its clean-up.
programs="/usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi /usr/sbin/nft /usr/sbin/conntrack"
for program in $programs /usr/lib/*/xtables/*.so; do
    mkdir -p "$root$(dirname "$program")"
    cp -P "$program" "$root$program"
    ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true
done | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
# Which of the two the host uses decides: both in one table set would hide each other's rules.
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -s xtables-nft-multi "$root/usr/sbin/$name"
done
for name in iptables-legacy iptables-legacy-save iptables-legacy-restore; do
    ln -s xtables-legacy-multi "$root/usr/sbin/$name"
done
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
# nft and conntrack look protocols up by name.
cp /etc/protocols /etc/services "$root/etc/" 2>/dev/null || true
cp -r /etc/iproute2 "$root/etc/" 2>/dev/null || true
