# Ends the doubt about this machine: it is a member, or nothing of a cluster is on it. In: $NODE, $LEAVE (yes: it is to go).
# It waits for its turn behind a join that is still going on.

if [ "$LEAVE" = no ] && [ -e "$member" ]; then
    case $(own_id "$NODE" 2>&1 || true) in
        # The control plane has forgotten the node; the kubelet cannot come back by itself as what it was.
        *NotFound* | *'not found'*) echo "the control plane has no node $NODE any more" ;;
        *)
            echo state=member
            exit 0
            ;;
    esac
fi
if has_remains || [ -e "$member" ]; then reset_machine; fi
echo state=clean
