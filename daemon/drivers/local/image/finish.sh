#!/bin/sh
# Last step of both builds (xtask: in a chroot; Dockerfile: as RUN): what must not be in an image that becomes many machines.
set -eu

# Every machine gets its own identity. An empty machine-id (not a missing one) also keeps systemd from treating the
# first boot as an installation and resetting which units are enabled.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/dbus/machine-id
: > /etc/machine-id

systemctl enable machine-prepare.service ssh.service
systemctl set-default multi-user.target

# No seats, no consoles, nothing of the kernel's that belongs to the host; and no background apt, which would hold the
# lock when a recipe installs packages.
systemctl mask systemd-logind.service console-getty.service getty@.service getty-static.service \
    systemd-udevd.service systemd-udev-trigger.service systemd-modules-load.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount systemd-remount-fs.service systemd-firstboot.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service

install -d -m 700 /root/.ssh
rm -rf /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /var/lib/apt/lists/* /var/log/*.log /var/log/apt /usr/share/doc/* /usr/share/man/* \
    /usr/share/locale/* /usr/share/info/* /usr/sbin/policy-rc.d /tmp/* /var/tmp/*
