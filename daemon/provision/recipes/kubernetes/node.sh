# What the scripts share that change a machine which is a node; each begins with this.
folder=/etc/muster/kubernetes
admin=/etc/kubernetes/admin.conf
role=$(cat "$folder/member" 2>/dev/null || echo none)

admin_kubectl() {
    kubectl --kubeconfig "$admin" --request-timeout=20s "$@"
}
# Waits until this machine's own API server serves, with etcd behind it; as many half seconds as said.
await_ready() {
    tries=0
    until kubectl --kubeconfig "$admin" --server https://127.0.0.1:6443 --tls-server-name kubernetes \
        --request-timeout=5s get --raw /readyz >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge "$1" ]; then
            echo "the API server of this machine does not become ready" >&2
            return 1
        fi
        sleep 0.5
    done
}
# Takes their rights from the kubeconfigs that people were given before this renewal of the certificates. In: $RENEWAL.
# Just after the API server has started, its rights are not loaded yet.
revoke_access() {
    tries=0
    until admin_kubectl delete clusterrolebindings \
        --selector "io.muster.access=person,io.muster.renewal!=$RENEWAL" >/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ]; then
            echo "the kubeconfigs that were given out before cannot be revoked" >&2
            return 1
        fi
        sleep 1
    done
}
crictl() {
    command crictl -r unix:///run/containerd/containerd.sock "$@"
}

