#!/bin/sh
# A Kubernetes cluster as one makes it by hand, with kubeadm and kubectl, on machines that are prepared: what Muster's time from there
# on is held against. The machines are those of a cluster of Muster's whose daemon was killed while it prepared them, so they have
# its configuration for kubeadm and its balancer, and nobody forms the cluster. In: $LABEL, what their containers have.
#
# kubeadm_by_hand.sh begun|prepared|create
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

retried() { # for up to five minutes
    tries=1500
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "still failing after 5 minutes: $*" >&2; return 1; }
        sleep 0.2
    done
}

# Whether the machine's preparation runs: it does not need its daemon any more.
has_begun() { on "$1" 'test -e /var/lib/muster/steps/*/prepare-*/output' 2>/dev/null; }

is_prepared() { on "$1" 'test "$(cat /var/lib/muster/steps/*/prepare-*/result)" = 0' 2>/dev/null; }

# The authority of a cluster by hand, for the balancer of each machine goes by it.
authority() {
    tar -C "$work" -c ca.crt ca.key | on "$1" "
        mkdir -p /etc/kubernetes/pki && tar -C /etc/kubernetes/pki --no-same-owner -x
        cp /etc/kubernetes/pki/ca.crt $folder/ca.crt
        systemctl restart muster-balancer.service
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
begun) for each in $machines; do retried has_begun "$each"; done ;;
prepared)
    for each in $machines; do retried is_prepared "$each"; done
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=kubernetes -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
    for each in $machines; do authority "$each"; done
    # On workers kubeadm puts it there itself.
    for each in $workers; do on "$each" 'rm -r /etc/kubernetes/pki'; done
    ;;
create) create ;;
*) echo "usage: LABEL=NAME=VALUE kubeadm_by_hand.sh begun|prepared|create" >&2 && exit 2 ;;
esac
