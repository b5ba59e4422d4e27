#!/bin/sh
# Says what a host is and who has it, one `name=value` a line. Changes nothing.
# In: $ROOT, where claims lie; $LOCK, the lock under which they change.

say() { printf '%s=%s\n' "$1" "$2"; }

# Whoever claims or leaves the host has the lock, and the claim is what it will be when they are done.
if command -v flock >/dev/null; then
    say lockable yes
    exec 9> "$LOCK"
    flock -s -w 3 9 || say busy yes
fi
if [ -e "$ROOT/claim.json" ]; then say claim "$(head -n 1 "$ROOT/claim.json")"; fi

say os "$(. /etc/os-release 2>/dev/null && printf %s "${PRETTY_NAME:-unknown}")"
say kernel "$(uname -r)"
say architecture "$(uname -m)"
say cores "$(nproc)"
say memory-kib "$(sed -n 's/^MemTotal:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/meminfo)"
say disk-kib "$(df -k --output=avail /var/lib | tail -n 1)"
say clock "$(date +%s)"
if [ -d /run/systemd/system ]; then say systemd yes; fi
if command -v apt-get >/dev/null; then say apt yes; fi

# What follows decides whether a host that nobody has may be claimed.
if [ -e "$ROOT/claim.json" ]; then exit 0; fi
if command -v dockerd >/dev/null; then
    say engine "$(dockerd --version 2>/dev/null | head -n 1)"
    if timeout 10 docker version >/dev/null 2>&1; then
        say containers "$(docker ps -aq | wc -l)"
        state=$(docker info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null || true)
        if [ "$state" != inactive ] && [ -n "$state" ]; then say orchestrator "Docker Swarm ($state)"; fi
    else
        # An engine that does not run keeps what it had.
        say containers "$(ls -1 /var/lib/docker/containers 2>/dev/null | wc -l)"
        if grep -q '"LocalNodeID"' /var/lib/docker/swarm/docker-state.json 2>/dev/null; then
            say orchestrator "Docker Swarm (not running)"
        fi
    fi
fi
if [ -e /etc/kubernetes/kubelet.conf ]; then say orchestrator Kubernetes; fi
for program in k3s rke2 k0s microk8s crio mesos-agent mesos-slave mesos-master nomad; do
    if command -v "$program" >/dev/null || [ -e "/snap/bin/$program" ]; then say orchestrator "$program"; fi
done
if [ -S /run/containerd/containerd.sock ] && command -v ctr >/dev/null; then
    for namespace in $(timeout 5 ctr namespaces list -q 2>/dev/null); do
        # Docker's own containers are counted above.
        if [ "$namespace" = moby ]; then continue; fi
        say containerd "$namespace $(timeout 5 ctr -n "$namespace" containers list -q 2>/dev/null | wc -l)"
    done
fi

# As the kernel knows them: state 0A is a TCP port that listens, 07 a UDP port that is bound.
listening() {
    while read -r _ place _ state _; do
        if [ "$state" = "$2" ]; then echo "$1/$((0x${place##*:}))"; fi
    done
}
{
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | listening tcp 0A
    cat /proc/net/udp /proc/net/udp6 2>/dev/null | listening udp 07
} | sort -u | xargs -n 60 echo ports= | sed 's/^ports= /ports=/'
