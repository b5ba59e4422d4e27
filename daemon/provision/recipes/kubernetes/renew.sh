# Renews every certificate on this node, also after they have run out, and starts what uses them again. In: $NODE,
# $RENEWAL.
# File: /run/muster/kubelet-client.pem, a certificate for this kubelet with its key.

trap 'rm -f /run/muster/kubelet-client.pem' EXIT
if [ "$role" = none ]; then
    echo "this machine is no node, so there is nothing to renew"
    exit 0
fi
is_known() {
    kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s get node "$NODE" -o name >/dev/null 2>&1
}
if [ "$role" = control-plane ]; then
    kubeadm certs renew all --config "$folder/init.yaml"
    # The kubelet starts a stopped container of a static pod again; it then reads the new files.
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do
        container=$(crictl ps --name "^$name\$" --state Running -q | head -n 1)
        if [ -n "$container" ]; then crictl stop --timeout 30 "$container" >/dev/null; fi
    done
    await_ready 360
    revoke_access
fi
# The kubelet renews its own in time; one that has run out is replaced.
tries=0
until is_known; do
    if [ "$tries" = 5 ]; then
        install -m 600 /run/muster/kubelet-client.pem /var/lib/kubelet/pki/kubelet-client-muster.pem
        ln -sfn /var/lib/kubelet/pki/kubelet-client-muster.pem /var/lib/kubelet/pki/kubelet-client-current.pem
        systemctl restart kubelet.service
        echo "the kubelet has a new certificate"
    fi
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
        echo "no control plane takes this kubelet's certificate" >&2
        exit 1
    fi
    sleep 1
done
echo "certificates renewed"
