#!/bin/sh
# A Kubernetes cluster as one makes it by hand, with kubeadm and kubectl, on machines that are prepared: what Muster's time is
# held against. They are the machines of a cluster that Muster has made, with its configuration for kubeadm and its balancer, and
# the daemon is gone. In: $LABEL, what their containers have.
#
# kubeadm_by_hand.sh reset|create
set -eu

key=io.muster.key
folder=/etc/muster/kubernetes

machine() { # NAME: its container
    docker ps -q --filter "label=$LABEL" --filter "label=$key=machine/$1"
}

on() { # MACHINE SCRIPT
    docker exec -i "$(machine "$1")" sh -euc "$2"
}

machines="control-plane-1 worker-1 worker-2"
workers="worker-1 worker-2"

side_by_side() { # FUNCTION MACHINE…: fails if one fails
    function=$1
    shift
    pids=
    for each in "$@"; do
        "$function" "$each" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
}

# The cluster's own authority stays, for the balancer of each machine goes by it.
reset() {
    on "$1" "
        mkdir -p /run/authority
        for name in ca.crt ca.key; do
            [ ! -e /etc/kubernetes/pki/\$name ] || cp -p /etc/kubernetes/pki/\$name /run/authority/
        done
        kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock >/dev/null 2>&1
        rm -rf /var/lib/etcd/member /etc/cni/net.d/10-flannel.conflist /run/flannel $folder/member
        for link in cni0 flannel.1; do ip link delete \$link 2>/dev/null || true; done
    "
}

join() {
    echo "$access" | on "$1" "
        umask 077 && mkdir -p /run/muster && cat >/run/muster/kubernetes-join.conf
        kubeadm join --config $folder/join.yaml >/dev/null
    "
}

create() {
    on control-plane-1 "
        mkdir -p /etc/kubernetes/pki && cp -p /run/authority/* /etc/kubernetes/pki/
        kubeadm init --config $folder/init.yaml >/dev/null
        kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f $folder/cni.yaml >/dev/null
    "
    access=$(on control-plane-1 "
        export KUBECONFIG=/etc/kubernetes/admin.conf
        server=\$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
        cat <<END
apiVersion: v1
kind: Config
clusters: [{ name: it, cluster: { server: '\$server', certificate-authority-data: \$(base64 -w0 /etc/kubernetes/pki/ca.crt) } }]
users: [{ name: it, user: { token: \$(kubeadm token create) } }]
contexts: [{ name: it, context: { cluster: it, user: it } }]
current-context: it
END
    ")
    side_by_side join $workers
    on control-plane-1 "
        export KUBECONFIG=/etc/kubernetes/admin.conf
        tries=1200
        until [ \"\$(kubectl get nodes --no-headers | awk '\$2 == \"Ready\"' | wc -l)\" = 3 ]; do
            tries=\$((tries - 1))
            [ \$tries -gt 0 ] || { kubectl get nodes >&2; exit 1; }
            sleep 0.1
        done
    "
}

case ${1-} in
reset) side_by_side reset $machines ;;
create) create ;;
*) echo "usage: LABEL=NAME=VALUE kubeadm_by_hand.sh reset|create" >&2 && exit 2 ;;
esac
