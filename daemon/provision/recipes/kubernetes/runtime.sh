#!/bin/sh
# Configures and starts containerd, and gets the images that this machine will need. In: $IMAGE_REPOSITORY, $CONTROL_PLANE
# (yes or no), $NETWORK_IMAGE (may be empty).

folder=/etc/muster/kubernetes
# Plugins of the distribution's package, where Kubernetes' own has none.
mkdir -p /opt/cni/bin /etc/cni/net.d /etc/containerd/certs.d
if [ -d /usr/lib/cni ]; then
    for plugin in /usr/lib/cni/*; do
        [ -e "/opt/cni/bin/${plugin##*/}" ] || ln -s "$plugin" "/opt/cni/bin/${plugin##*/}"
    done
fi
if [ -f /etc/containerd/config.toml ] && ! grep -q '^# Written by Muster' /etc/containerd/config.toml; then
    cp -p /etc/containerd/config.toml /etc/containerd/config.toml.before-muster
fi
# On a node before its upgrade kubeadm knows the images of the older version only, and those are the right ones until then.
images=$(kubeadm config images list --kubernetes-version "$(kubeadm version -o short)" --image-repository "$IMAGE_REPOSITORY")
pause_image=$(echo "$images" | grep -m 1 '/pause:')
# A login may be in it.
made=$folder/containerd.toml.made
rm -f "$made"
(umask 077 && sed "s|@PAUSE@|$pause_image|" "$folder/containerd.toml" | cat - "$folder/containerd-login.toml" > "$made")
if ! cmp -s "$made" /etc/containerd/config.toml || ! systemctl is-active --quiet containerd.service; then
    cp -p "$made" /etc/containerd/config.toml
    systemctl is-enabled --quiet containerd.service || systemctl enable --quiet containerd.service
    systemctl restart containerd.service
    echo "containerd runs with $pause_image"
fi
if [ ! -e /etc/crictl.yaml ]; then
    echo 'runtime-endpoint: unix:///run/containerd/containerd.sock' > /etc/crictl.yaml
fi

# A registry that does not answer is found here, and several control planes get their images at the same time.
if [ "$CONTROL_PLANE" = no ]; then images=$(echo "$images" | grep -E '/(pause|kube-proxy|coredns):'); fi
for image in $images $NETWORK_IMAGE; do
    for pause in 2 5 15 stop; do
        if crictl inspecti -q "$image" >/dev/null 2>&1 || said=$(crictl pull "$image" 2>&1); then break; fi
        if [ "$pause" = stop ]; then
            echo "the image $image could not be got: $(echo "$said" | tail -n 1 | cut -c 1-400)" >&2
            exit 1
        fi
        sleep "$pause"
    done
done
