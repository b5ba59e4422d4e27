# Takes a token back. In: $TOKEN_ID.
admin_kubectl -n kube-system delete secret "bootstrap-token-$TOKEN_ID" --ignore-not-found
