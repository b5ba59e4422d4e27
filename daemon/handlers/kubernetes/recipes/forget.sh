# Makes the cluster forget a machine, on a control plane that stays: its member of etcd, then its node.
# In: $NODE, $ADDRESS (where its etcd listened; may be empty). Already so is success.

if ! is_ready; then
    echo "the API server of this machine does not serve" >&2
    exit 1
fi
# A member that never started has no name, only the address at which it was expected.
etcdctl member list -w simple | while IFS=, read -r id _ name peer _; do
    name=$(echo "$name" | tr -d ' ')
    peer=$(echo "$peer" | tr -d ' ')
    if [ "$name" = "$NODE" ] || { [ -n "$ADDRESS" ] && [ "$peer" = "https://$ADDRESS:2380" ]; }; then
        # etcd refuses what would leave it without a majority.
        etcdctl member remove "$id" </dev/null
    fi
done
admin_kubectl delete node "$NODE" --ignore-not-found
