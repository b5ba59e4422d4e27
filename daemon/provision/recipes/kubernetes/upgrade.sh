# Brings this node to another version by kubeadm's rules. Already so is success. In: $VERSION (`1.36.3`), $REPOSITORY,
# $RENEWAL.
# The first control plane that gets here takes the cluster's configuration along, the others follow it. The preparation has
# named the repository already, and the handler has drained the node.

if [ "$role" = none ]; then
    echo "this machine is no node, so there is nothing to upgrade"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
apt_get() {
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
install_packages() {
    log=$folder/apt.log
    for pause in 2 5 15 stop; do
        if dpkg --configure -a > "$log" 2>&1 && apt_get update >> "$log" 2>&1 &&
            apt_get -y install --no-install-recommends --allow-change-held-packages "$@" >> "$log" 2>&1; then
            return 0
        fi
        cat "$log"
        if [ "$pause" = stop ]; then
            # A repository that does not answer is a warning to apt, and its packages then cannot be located.
            cause=$(sed -n 's/^[WE]: //p' "$log" | grep -F "$REPOSITORY" | tail -n 1)
            [ -n "$cause" ] || cause=$(sed -n 's/^E: //p' "$log" | tail -n 1)
            echo "packages could not be installed: ${cause:-apt does not say why}" >&2
            return 1
        fi
        sleep "$pause"
    done
}

if [ "$(kubeadm version -o short)" != "v$VERSION" ]; then install_packages "kubeadm=$VERSION-*"; fi
ignored=
if grep -q SystemVerification "$folder/join.yaml"; then ignored=--ignore-preflight-errors=SystemVerification; fi
if [ ! -e "$folder/upgraded-to-$VERSION" ]; then
    now=
    if [ "$role" = control-plane ]; then
        await_ready 240
        now=$(admin_kubectl -n kube-system get configmap kubeadm-config -o 'jsonpath={.data.ClusterConfiguration}' |
            sed -n 's/^kubernetesVersion: *v*//p')
    fi
    if [ "$role" = worker ] || [ "$now" = "$VERSION" ]; then
        # shellcheck disable=SC2086 # none or one word
        kubeadm upgrade node --patches "$folder/patches" $ignored
    else
        # shellcheck disable=SC2086
        kubeadm upgrade apply "v$VERSION" --yes --patches "$folder/patches" $ignored
    fi
    install_packages "kubelet=$VERSION-*" "kubectl=$VERSION-*"
    apt-mark hold kubeadm kubelet kubectl >/dev/null
    systemctl daemon-reload
    systemctl restart kubelet.service
    rm -f "$folder"/upgraded-to-*
    touch "$folder/upgraded-to-$VERSION"
fi
# Its static pods may still be on their way: who drains the next node needs them.
if [ "$role" = control-plane ]; then
    await_ready 360
    # kubeadm has renewed the certificates too, so this step may stand for a renewal.
    revoke_access
fi
echo "kubelet $VERSION runs"
