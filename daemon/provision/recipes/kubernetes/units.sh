#!/bin/sh
# Brings up the balancer and the name relay as they are configured at /etc/muster/kubernetes. The kubelet is enabled and waits
# for kubeadm.

folder=/etc/muster/kubernetes
# A new or changed unit is started again, and a changed configuration of a running one is read again.
systemctl daemon-reload
made=$folder/.made
mkdir -p "$made"
for unit in muster-balancer muster-name-relay; do
    file=/etc/systemd/system/$unit.service
    if [ ! -e "$folder/$unit.wanted" ]; then
        if [ -e "$file" ]; then systemctl disable --quiet --now "$unit.service"; rm -f "$file"; fi
        continue
    fi
    if ! cmp -s "$folder/$unit.wanted" "$file" || ! systemctl is-active --quiet "$unit.service"; then
        cp "$folder/$unit.wanted" "$file"
        systemctl daemon-reload
        systemctl enable --quiet "$unit.service"
        systemctl restart "$unit.service"
        if [ "$unit" = muster-balancer ]; then cp "$folder/balancer.cfg" "$made/balancer.cfg"; fi
    fi
done
if [ -e "$folder/muster-balancer.wanted" ] && ! cmp -s "$folder/balancer.cfg" "$made/balancer.cfg"; then
    systemctl reload muster-balancer.service
    cp "$folder/balancer.cfg" "$made/balancer.cfg"
    echo "the balancer knows the new control planes"
fi
# The packages leave the kubelet disabled; it would not come back after a reboot.
systemctl is-enabled --quiet kubelet.service || systemctl enable --quiet kubelet.service
echo "Kubernetes $(kubeadm version -o short) and $(containerd --version | cut -d ' ' -f 1-3) are there"
