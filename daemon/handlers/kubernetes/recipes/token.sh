# Makes the token with which one machine joins, on a control plane that serves. In: $TOKEN_ID, $MINUTES.
# File: /run/muster/token-$TOKEN_ID.json, a secret without its end.

file=/run/muster/token-$TOKEN_ID.json
trap 'rm -f "$file"' EXIT
if ! is_ready; then
    echo "the API server of this machine does not serve" >&2
    exit 1
fi
end=$(date -u -d "+$MINUTES minutes" +%Y-%m-%dT%H:%M:%SZ)
sed "s/@END@/$end/" "$file" | admin_kubectl apply --server-side --field-manager muster -f - >/dev/null
echo "token $TOKEN_ID ends at $end"
