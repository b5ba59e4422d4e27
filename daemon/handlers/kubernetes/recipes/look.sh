# Says how this machine stands to the cluster. In: $NODE.
# Out: state=clean | remains | member, ready=yes | no, cluster=ID, id=ID of the node; what cannot be known is left out.

if [ -e "$member" ]; then
    echo state=member
    if is_ready; then
        echo ready=yes
        echo "cluster=$(admin_kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}')"
    else
        echo ready=no
    fi
    if id=$(own_id "$NODE" 2>&1); then
        echo "id=$id"
    else
        echo "why=$(echo "$id" | tail -n 1)"
    fi
elif has_remains; then
    echo state=remains
else
    echo state=clean
fi
