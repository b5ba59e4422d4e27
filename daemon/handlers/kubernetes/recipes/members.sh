# Says who votes, on a control plane that serves: member=ID name=NAME learner=yes|no healthy=yes|no.
# `member list` calls a dead member started; only asking each for its health tells.

health=$(etcdctl endpoint health --cluster -w simple 2>&1 || true)
etcdctl member list -w simple | while IFS=, read -r id _ name _ client learner; do
    client=$(echo "$client" | tr -d ' ')
    healthy=no
    case $health in *"$client is healthy"*) if [ -n "$client" ]; then healthy=yes; fi ;; esac
    if [ "$(echo "$learner" | tr -d ' ')" = true ]; then learner=yes; else learner=no; fi
    echo "member=$id name=$(echo "$name" | tr -d ' ') learner=$learner healthy=$healthy"
done
