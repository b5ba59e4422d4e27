#!/bin/sh
# Says what is there, one `name=value` a line.

echo "gateway=$(ip -4 route show default 2>/dev/null | sed -n 's/^default via \([^ ]*\).*/\1/p' | head -n 1)"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo cgroup=2; else echo cgroup=1; fi
if systemd-detect-virt --container --quiet 2>/dev/null; then echo container=yes; else echo container=no; fi
echo "bounding-set=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/1/status)"
# On cgroup v1 a container cannot be given all devices where its machine itself was not.
if [ -e /sys/fs/cgroup/devices/devices.list ] && ! grep -qx 'a \*:\* rwm' /sys/fs/cgroup/devices/devices.list; then
    echo devices=limited
else
    echo devices=all
fi
echo "swap=$(sed 1d /proc/swaps | wc -l)"
# A container cannot load modules; there it is the host that must have done so.
for module in overlay br_netfilter ip_vs nf_conntrack; do
    modprobe -q "$module" 2>/dev/null || true
done
if grep -qw overlay /proc/filesystems; then echo overlay=yes; else echo overlay=no; fi
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo bridge-filter=yes; else echo bridge-filter=no; fi
if [ -e /proc/net/ip_vs ]; then echo ipvs=yes; else echo ipvs=no; fi
# What is written is what was there; only whether it may be written is asked.
limit=$(cat /proc/sys/net/netfilter/nf_conntrack_max 2>/dev/null || true)
if [ -n "$limit" ] && echo "$limit" 2>/dev/null > /proc/sys/net/netfilter/nf_conntrack_max; then
    echo conntrack-limit=writable
else
    echo conntrack-limit=fixed
fi
# systemd-resolved keeps the name servers behind its own loopback one in a second file.
for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
    if [ -r "$file" ]; then sed -n 's/^nameserver[[:space:]]*\([^[:space:]]*\).*/name-server=\1/p' "$file"; fi
done
if ! command -v apt-get >/dev/null; then echo foreign=no-apt; fi
for program in k3s rke2 k0s microk8s crio; do
    if command -v "$program" >/dev/null || [ -e "/snap/bin/$program" ]; then echo "foreign=$program"; fi
done
# A node of somebody else's cluster has a kubelet configuration and no mark of ours.
if [ -e /etc/kubernetes/kubelet.conf ]; then
    if [ -d /etc/muster/kubernetes ]; then echo node=ours; else echo foreign=kubelet; fi
fi
for program in containerd kubeadm kubelet kubectl haproxy; do
    if command -v "$program" >/dev/null; then echo "installed=$program"; fi
done
echo "architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)"
echo "memory=$(sed -n 's/^MemTotal:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/meminfo)"
