# Makes this machine the first control plane. Already so is success. In: $NODE.
# Files: /run/muster/pki, kubeadm's configuration and the network's manifest in /etc/muster/kubernetes.

if [ -e "$member" ]; then
    if ! await_ready 240; then
        echo "the API server of this machine does not become ready" >&2
        exit 1
    fi
else
    # An init that was broken off may be about to serve. Then it is ended, not begun again: there may be things in it.
    if [ -e "$admin" ] && [ -e /etc/kubernetes/manifests/etcd.yaml ] && [ -e /var/lib/kubelet/config.yaml ] &&
        await_ready 80; then
        echo "ending an earlier kubeadm init"
        for phase in 'upload-config all' 'mark-control-plane' 'bootstrap-token' 'kubelet-finalize all' 'addon all'; do
            # shellcheck disable=SC2086 # two words
            kubeadm init phase $phase --config "$folder/init.yaml"
        done
    else
        if has_remains; then
            echo "taking off what a broken-off kubeadm init has left"
            reset_machine
        fi
        install_authorities
        kubeadm init --config "$folder/init.yaml" --skip-token-print --skip-certificate-key-print
    fi
    # The token of kubeadm's own is of no use to anybody.
    admin_kubectl -n kube-system delete secret --field-selector type=bootstrap.kubernetes.io/token
    if [ -s "$folder/cni.yaml" ]; then
        # Server-side, so that a later manifest takes back what an earlier one has set.
        admin_kubectl apply --server-side --force-conflicts --field-manager muster -f "$folder/cni.yaml"
    fi
    echo control-plane > "$member"
fi
rm -rf /run/muster/pki
echo "id=$(admin_kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}')"
