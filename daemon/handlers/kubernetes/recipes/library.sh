# What the scripts of the lifecycle share; each begins with this.
folder=/etc/muster/kubernetes
# A machine that has become part of the cluster for good has this file; what is found without it was broken off.
member=$folder/member
admin=/etc/kubernetes/admin.conf

admin_kubectl() {
    kubectl --kubeconfig "$admin" --request-timeout=20s "$@"
}
# Whether this machine's own API server serves, with etcd behind it.
is_ready() {
    [ -e "$admin" ] && kubectl --kubeconfig "$admin" --server "https://127.0.0.1:6443" --tls-server-name kubernetes \
        --request-timeout=5s get --raw /readyz >/dev/null 2>&1
}
await_ready() {
    tries=0
    until is_ready; do
        tries=$((tries + 1))
        if [ "$tries" -ge "$1" ]; then return 1; fi
        sleep 0.5
    done
}
# The node's id as the node itself may read it.
own_id() {
    kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=20s get node "$1" -o 'jsonpath={.metadata.uid}'
}
has_remains() {
    [ -e /etc/kubernetes/kubelet.conf ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ] || [ -e "$admin" ] ||
        [ -e /var/lib/kubelet/config.yaml ] || [ -n "$(ls /etc/kubernetes/manifests 2>/dev/null)" ] ||
        [ -e /var/lib/etcd/member ]
}
# Takes everything of a cluster off the machine. The member of etcd is removed by one that stays.
reset_machine() {
    # Without the administrator's access kubeadm does not ask an API server that may never answer.
    rm -f "$member" "$admin"
    kubeadm reset --force --skip-phases remove-etcd-member --cri-socket unix:///run/containerd/containerd.sock
    # These may be mounts of their own.
    rm -rf /var/lib/etcd/member /etc/cni/net.d/10-flannel.conflist
    # With it the first pods of the machine's next node would get addresses of the last one's.
    rm -rf /run/flannel
    rm -f /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/*.key /etc/kubernetes/pki/*.pub /etc/kubernetes/pki/etcd/* 2>/dev/null || true
    for link in cni0 flannel.1; do
        ip link delete "$link" 2>/dev/null || true
    done
}
# Puts the authorities where kubeadm looks for them. They come in a folder in memory.
install_authorities() {
    umask 077
    mkdir -p /etc/kubernetes/pki/etcd
    for name in ca.crt ca.key sa.pub sa.key front-proxy-ca.crt front-proxy-ca.key etcd/ca.crt etcd/ca.key; do
        cp "/run/muster/pki/$name" "/etc/kubernetes/pki/$name"
    done
    chmod 644 /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/sa.pub /etc/kubernetes/pki/etcd/ca.crt
    umask 022
}
etcdctl() {
    container=$(crictl -r unix:///run/containerd/containerd.sock ps --name '^etcd$' --state Running -q | head -n 1)
    if [ -z "$container" ]; then
        echo "etcd does not run on this machine" >&2
        return 1
    fi
    crictl -r unix:///run/containerd/containerd.sock exec "$container" etcdctl --endpoints https://127.0.0.1:2379 \
        --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt \
        --key /etc/kubernetes/pki/etcd/server.key "$@"
}

