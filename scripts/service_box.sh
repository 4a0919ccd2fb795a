#!/bin/bash
# Boots a real systemd in namespaces, on an overlay of this very machine, and runs a script in it:
#
#   scripts/service_box.sh FOLDER SECONDS
#
# FOLDER/inside.sh runs as root inside once it has booted; FOLDER is /box there, and what the script prints is
# FOLDER/log. Everything written elsewhere is gone afterwards. Needs root, overlayfs and `unshare`; seconds, where
# the board in QEMU takes minutes. No devices, no network, no display: for units, watchdog, restarts and sandbox.
set -euo pipefail

if [ "${1:-}" != "--inside" ]; then
    folder=$(realpath "$1"); seconds=$2
    rm -f "$folder/log" "$folder/console"
    # -K with the pid namespace: whatever the box started ends with it
    timeout -s KILL "$seconds" unshare -m -p -f -u -i -n -C --kill-child \
        "$(realpath "$0")" --inside "$folder" > "$folder/boot" 2>&1 || true
    # the box's cgroups are empty now; only empty ones can be removed
    find /sys/fs/cgroup -depth -type d \( -path '*/system.slice*' -o -path '*/user.slice*' -o -name init.scope \) \
        -exec rmdir {} + 2>/dev/null || true
    grep -q "^END OF BOX$" "$folder/log"
    exit
fi

folder=$2
mount --make-rprivate /
box=$(mktemp -d)
mount -t tmpfs -o size=512m tmpfs "$box"
mkdir "$box/upper" "$box/work" "$box/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" "$box/root"
root=$box/root

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/systemd"
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/tty0" # the kiosk's condition; there is no console to take
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/box"
mount --bind "$folder" "$root/box"

# only what the units under test stand on: of the machine's own services none
system=$root/etc/systemd/system
rm -rf "$system"
mkdir -p "$system/multi-user.target.wants"
for unit in /lib/systemd/system/*.service /lib/systemd/system/*.socket /lib/systemd/system/*.timer \
    /lib/systemd/system/*.mount /lib/systemd/system/*.automount; do
    name=$(basename "$unit")
    case $name in
        systemd-journald*.s* | systemd-tmpfiles-setup.service | getty@.service) ;;
        *@.*) ;;
        *) ln -sf /dev/null "$system/$name" ;;
    esac
done
ln -s /lib/systemd/system/multi-user.target "$system/default.target"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
cat > "$system/box.service" <<'UNIT'
[Unit]
DefaultDependencies=no
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c '/bin/bash /box/inside.sh; echo "END OF BOX"; kill -9 -1; kill -RTMIN+14 1'
StandardOutput=append:/box/log
StandardError=append:/box/log
UNIT
ln -s ../box.service "$system/multi-user.target.wants/box.service"

umount -l /sys/fs/cgroup || true
cd "$root"
mkdir -p old
pivot_root . old
umount -l /old
exec env -i container=edgecam-box PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=console --show-status=no < /dev/null > /box/console 2>&1
