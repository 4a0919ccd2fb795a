"""The machine that QEMU is asked for."""

from __future__ import annotations

from pathlib import Path

MEMORY_MIB = 1536
#: QEMU 7.2 (Debian 12) was the first to emulate AVX, and does it wrongly now and then: docs/virtual-board.md.
PROCESSOR = "max,avx=off,avx2=off,fma=off,f16c=off"


def qemu_command(image: Path, folder: Path, disk: Path, host: Path) -> list[str]:
    """image: the built folder. folder: for sockets and logs. host: seen as ``/host``."""
    return [
        "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", "2", "-m", str(MEMORY_MIB)),
        # a guest that reboots ends QEMU, and is started again on the same disk
        *("-no-reboot", "-nodefaults", "-nic", "none", "-display", "none"),
        *("-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd"),
        *(
            "-append",
            "root=/dev/vda rw console=ttyS0 quiet mitigations=off audit=0 systemd.show_status=0",
        ),
        *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe"),
        *("-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off"),
        *(
            "-chardev",
            f"socket,id=tty,path={folder}/serial.sock,server=on,wait=off,logfile={folder}/serial.log",
        ),
        *("-serial", "chardev:tty", "-device", "virtio-rng-pci"),
        # a small screen: each of its pixels is painted, scaled and composed by emulation
        *("-device", "virtio-vga,xres=640,yres=480"),
        *("-virtfs", f"local,path={host},mount_tag=host,security_model=none,multidevs=remap"),
        # a USB port for usb_webcam.py, a hardware watchdog, a thermal zone
        *("-device", "qemu-xhci", "-chardev", f"socket,id=cam,path={folder}/cam.sock,server=on,wait=off"),
        *("-device", "usb-redir,chardev=cam", "-device", "i6300esb"),
        *("-acpitable", f"file={image}/thermal_zone.aml"),
    ]
