#!/bin/sh
# A three-machine Swarm cluster as one makes it by hand, with docker, ssh and openssl: what Muster's time is held against.
# The same machines (daemon/drivers/local/image/README.md), the same keys and certificates, the same end: all nodes seen
# Ready. Machines are worked on side by side, as Muster does. In: $LABEL, for all that is made; $WORK, an empty folder.
#
# swarm_by_hand.sh create|delete
set -eu

image=muster/machine:bookworm
network=muster-perf
machines="m1 m2 m3"

on() { # MACHINE COMMAND…: over SSH, with the host key pinned
    machine=$1
    shift
    ssh -q -i "$WORK/key" -o UserKnownHostsFile="$WORK/known_hosts" -o StrictHostKeyChecking=yes -o BatchMode=yes \
        -o ConnectTimeout=5 "root@$(cat "$WORK/$machine.address")" "$@"
}

side_by_side() { # FUNCTION MACHINE…: fails if one fails
    function=$1
    shift
    pids=
    for each in "$@"; do
        "$function" "$each" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
}

retried() { # for up to 30 s
    tries=600
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "still failing after 30 s: $*" >&2; return 1; }
        sleep 0.05
    done
}

capabilities() {
    names="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
        NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
        SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
        MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ"
    bounding=$((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/1/status)))
    bit=0
    for name in $names; do
        [ $((bounding >> bit & 1)) = 0 ] || printf ' --cap-add %s' "$name"
        bit=$((bit + 1))
    done
}

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7300 -subj "/CN=perf" \
        -keyout "$WORK/ca-key.pem" -out "$WORK/ca.pem" 2>/dev/null
}

certificate() { # NAME USAGE [ALTERNATIVE NAMES]
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$WORK/$1-key.pem" -out "$WORK/$1.csr" 2>/dev/null
    printf 'extendedKeyUsage=%s\n%s' "$2" "${3:+subjectAltName=$3}" >"$WORK/$1.ext"
    openssl x509 -req -days 7300 -in "$WORK/$1.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca-key.pem" \
        -set_serial "0x$(openssl rand -hex 8)" -extfile "$WORK/$1.ext" -out "$WORK/$1.pem" 2>/dev/null
}

make_machine() { # from nothing to started, with its keys in place
    mkdir -p "$WORK/$1/etc/ssh" "$WORK/$1/root/.ssh"
    ssh-keygen -q -t ed25519 -N "" -C "$1" -f "$WORK/$1/etc/ssh/ssh_host_ed25519_key"
    cp "$WORK/key.pub" "$WORK/$1/root/.ssh/authorized_keys"
    chmod 600 "$WORK/$1/root/.ssh/authorized_keys"
    chmod 700 "$WORK/$1/root/.ssh"
    volumes=
    for place in docker containerd kubelet etcd; do
        volumes="$volumes --mount type=volume,dst=/var/lib/$place,volume-label=$LABEL"
    done
    # shellcheck disable=SC2046,SC2086 # lists of words
    docker create -q --name "$network-$1" --hostname "$1" --label "$LABEL" --network "$network" --cgroupns private \
        --stop-signal SIGRTMIN+3 --tmpfs /run --tmpfs /run/lock --tmpfs /tmp:exec $volumes $(capabilities) \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined \
        --device-cgroup-rule 'c 1:11 r' "$image" >/dev/null
    tar -C "$WORK/$1" --owner=0 --group=0 -c . | docker cp - "$network-$1:/"
    docker start "$network-$1" >/dev/null
    docker inspect -f "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$network-$1" >"$WORK/$1.address"
    # On its own line of its own file: the machines are made side by side.
    echo "$(cat "$WORK/$1.address") $(cut -d' ' -f1,2 "$WORK/$1/etc/ssh/ssh_host_ed25519_key.pub")" >"$WORK/$1.known"
}

prepare_machine() { # a Docker Engine that answers over mutual TLS
    address=$(cat "$WORK/$1.address")
    certificate "$1" serverAuth "IP:$address,DNS:$1"
    retried on "$1" true
    files=$WORK/$1.files
    mkdir -p "$files/etc/docker/muster" "$files/etc/systemd/system/docker.service.d"
    cp "$WORK/ca.pem" "$files/etc/docker/muster/ca.pem"
    cp "$WORK/$1.pem" "$files/etc/docker/muster/server-cert.pem"
    cp "$WORK/$1-key.pem" "$files/etc/docker/muster/server-key.pem"
    cat >"$files/etc/docker/daemon.json" <<'JSON'
{ "tlsverify": true, "tlscacert": "/etc/docker/muster/ca.pem", "tlscert": "/etc/docker/muster/server-cert.pem",
  "tlskey": "/etc/docker/muster/server-key.pem", "live-restore": false, "log-driver": "json-file",
  "log-opts": { "max-size": "10m", "max-file": "3" } }
JSON
    cat >"$files/etc/systemd/system/docker.service.d/muster.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=dockerd -H fd:// -H tcp://0.0.0.0:2376 --containerd=/run/containerd/containerd.sock
UNIT
    tar -C "$files" --owner=0 --group=0 -c . | on "$1" "tar -C / --no-overwrite-dir -x && systemctl daemon-reload &&
        systemctl enable --quiet docker.service && systemctl restart docker.service"
    retried engine_answers "$1"
}

engine() { # MACHINE ARGUMENTS…: the machine's Docker Engine
    machine=$1
    shift
    docker -H "tcp://$(cat "$WORK/$machine.address"):2376" --tlsverify --tlscacert "$WORK/ca.pem" \
        --tlscert "$WORK/client.pem" --tlskey "$WORK/client-key.pem" "$@"
}

engine_answers() { engine "$1" version >/dev/null 2>&1; }

join() {
    own=$(cat "$WORK/$1.address")
    engine "$1" swarm join --token "$token" --listen-addr "$own:2377" --advertise-addr "$own" --data-path-addr "$own" \
        "$(cat "$WORK/m1.address"):2377" >/dev/null
}

all_ready() { [ "$(engine m1 node ls --format '{{.Status}}' | grep -c Ready)" = 3 ]; }

create() {
    ssh-keygen -q -t ed25519 -N "" -C muster-perf -f "$WORK/key"
    authority
    certificate client clientAuth
    docker network create --label "$LABEL" "$network" >/dev/null
    side_by_side make_machine $machines
    cat "$WORK"/*.known >"$WORK/known_hosts"
    side_by_side prepare_machine $machines
    own=$(cat "$WORK/m1.address")
    engine m1 swarm init --listen-addr "$own:2377" --advertise-addr "$own" --data-path-addr "$own" >/dev/null
    token=$(engine m1 swarm join-token -q worker)
    side_by_side join m2 m3
    retried all_ready
}

delete() {
    for container in $(docker ps -aq --filter "label=$LABEL"); do docker rm -fv "$container" >/dev/null; done
    for each in $(docker volume ls -q --filter "label=$LABEL"); do docker volume rm "$each" >/dev/null; done
    for each in $(docker network ls -q --filter "label=$LABEL"); do docker network rm "$each" >/dev/null; done
}

case ${1-} in
create) create ;;
delete) delete ;;
*) echo "usage: LABEL=NAME=VALUE WORK=FOLDER swarm_by_hand.sh create|delete" >&2 && exit 2 ;;
esac
