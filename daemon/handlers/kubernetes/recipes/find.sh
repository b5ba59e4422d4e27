# Finds a node, on a control plane that serves. In: $NODE (a name; may be empty), $ID (a node's id; may be empty).
# Out: node=NAME id=ID address=ADDRESS, and member=ID for the member of etcd of that name.

if ! is_ready; then
    echo "the API server of this machine does not serve" >&2
    exit 1
fi
admin_kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.uid}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}' |
    while read -r name id address; do
        if [ "$name" = "$NODE" ] || [ "$id" = "$ID" ]; then echo "node=$name id=$id address=$address"; fi
    done
# id, status, name, peer URLs, client URLs, learner
etcdctl member list -w simple | while IFS=, read -r id _ name _; do
    if [ -n "$NODE" ] && [ "$(echo "$name" | tr -d ' ')" = "$NODE" ]; then echo "member=$id"; fi
done
