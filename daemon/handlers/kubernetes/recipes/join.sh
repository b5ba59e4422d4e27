# Makes this machine a node, as a worker or as a control plane. Already so is success. In: $NODE, $ROLE.
# Files: /run/muster/kubernetes-join.conf, without the control planes' address, which is in $folder/endpoint; for a control plane /run/muster/pki.

trap 'rm -rf /run/muster/kubernetes-join.conf /run/muster/pki' EXIT
if [ ! -e "$member" ]; then
    if has_remains; then reset_machine; fi
    if [ "$ROLE" = control-plane ]; then install_authorities; fi
    endpoint=$(cat "$folder/endpoint" 2>/dev/null || echo 127.0.0.1:6444)
    sed -i "s/@ENDPOINT@/$endpoint/" /run/muster/kubernetes-join.conf
    kubeadm join --config "$folder/join.yaml"
    echo "$ROLE" > "$member"
fi
tries=0
until id=$(own_id "$NODE"); do
    tries=$((tries + 1))
    if [ "$tries" -ge 30 ]; then
        echo "the kubelet has joined, and the control plane shows no node $NODE" >&2
        exit 1
    fi
    sleep 1
done
echo "id=$id"
