#!/usr/bin/env bash
# build.sh FOLDER: makes the virtual board's Debian trixie (amd64) in FOLDER: disk.img, vmlinuz, initrd, thermal_zone.aml.
# Run by board.py, as root. Takes three to five minutes; needs the packages named in board.py.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$1
root=$out/root
mkdir -p "$out"
clear_root() {
    # A build that was killed leaves /proc, /sys and /dev mounted there: nothing is deleted through a mount.
    findmnt --raw --noheadings --output TARGET | awk -v under="$root/" 'index($0, under) == 1' | sort -r |
        xargs --no-run-if-empty umount --lazy
    rm -rf --one-file-system "$root"
}
clear_root

# the mirror as this machine is configured
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
packages=(
    linux-image-amd64 systemd systemd-sysv libpam-systemd udev kmod dbus iproute2 procps util-linux ca-certificates
    # cameras
    v4l-utils usbutils python3-libcamera libcamera-tools libcamera-ipa
    # what picamera2 imports; PiDNG comes as source with C
    python3-prctl python3-piexif python3-pil python3-jsonschema python3-libarchive-c python3-tqdm gcc libc6-dev python3-dev
    # Python as Raspberry Pi OS has it
    python3 python3-venv python3-pip python3-numpy
    # the screen
    seatd cage fonts-dejavu-core libegl1 libgl1 libgl1-mesa-dri libgbm1 libinput10 libmtdev1t64 libfontconfig1
    libxkbcommon0 libdbus-1-3 libglib2.0-0t64
)
include=$(IFS=,; echo "${packages[*]}")
mmdebstrap --mode=root --variant=minbase --components=main --include="$include" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    trixie "$root" "deb $mirror trixie main"

# Python packages: this machine's certificates and name servers, for the installation only
cp -L /etc/ssl/certs/ca-certificates.crt "$root/tmp/ca.crt"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
pip() {
    chroot "$root" env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null PIP_CERT=/tmp/ca.crt SSL_CERT_FILE=/tmp/ca.crt \
        REQUESTS_CA_BUNDLE=/tmp/ca.crt /opt/edgecam/bin/pip install -q --no-cache-dir --disable-pip-version-check "$@"
}
chroot "$root" python3 -m venv --system-site-packages /opt/edgecam
pip opencv-python onnxruntime 'av<19' msgspec rich PyQt6 'starlette>=1' 'uvicorn>=0.52.1' 'websockets>=14' 'segno>=1.6'
pip --no-deps picamera2 videodev2 simplejpeg pidng
pip --only-binary=:all: OpenEXR
cp "$here/kms.py" "$root"/opt/edgecam/lib/python3.*/site-packages/
rm -f "$root/tmp/ca.crt"

# a board: logs kept over a power cut, root on the serial console, one test camera on PCI, one port for USB cameras
echo virtualboard >"$root/etc/hostname"
echo '/dev/vda / ext4 rw,noatime 0 1' >"$root/etc/fstab"
mkdir -p "$root/var/log/journal" "$root/host"
chroot "$root" passwd -d root
etc=$root/etc/systemd/system
mkdir -p "$etc/serial-getty@ttyS0.service.d"
printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear %%I 115200 dumb\n' \
    >"$etc/serial-getty@ttyS0.service.d/autologin.conf"
printf 'vivid\nuvcvideo\n9p\n9pnet_virtio\n' >"$root/etc/modules-load.d/board.conf"
echo 'options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0' >"$root/etc/modprobe.d/vivid.conf"
# picamera2's allocator looks for a Raspberry Pi's name of the heap
echo 'L+ /dev/dma_heap/linux,cma - - - - system' >"$root/etc/tmpfiles.d/dma_heap.conf"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-networkd.service systemd-timesyncd.service keyboard-setup.service; do
    ln -sf /dev/null "$etc/$unit"
done
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u

cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp "$root"/boot/initrd.img-* "$out/initrd"
iasl -p "$out/thermal_zone" "$here/thermal_zone.asl"
truncate -s 6G "$out/disk.img"
mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$out/disk.img"
clear_root
