"""The structures and numbers of v4l2_abi.py, against the kernel's own header and a C compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecam.capture.v4l2 import abi

STRUCTS = {
    "v4l2_capability": abi.Capability,
    "v4l2_fmtdesc": abi.FmtDesc,
    "v4l2_format": abi.Format,
    "v4l2_frmsizeenum": abi.FrmSizeEnum,
    "v4l2_frmivalenum": abi.FrmIvalEnum,
    "v4l2_streamparm": abi.StreamParm,
    "v4l2_requestbuffers": abi.RequestBuffers,
    "v4l2_buffer": abi.Buffer,
    "v4l2_queryctrl": abi.QueryCtrl,
    "v4l2_querymenu": abi.QueryMenu,
    "v4l2_control": abi.Control,
}
OFFSETS = {
    "v4l2_format, fmt.pix.width": abi.Format.width.offset,
    "v4l2_format, fmt.pix.bytesperline": abi.Format.bytesperline.offset,
    "v4l2_format, fmt.pix.sizeimage": abi.Format.sizeimage.offset,
    "v4l2_frmsizeenum, discrete.width": abi.FrmSizeEnum.v.offset,
    "v4l2_frmsizeenum, stepwise.min_width": abi.FrmSizeEnum.v.offset,
    "v4l2_frmivalenum, discrete": abi.FrmIvalEnum.v.offset,
    "v4l2_streamparm, parm.capture.timeperframe": abi.StreamParm.numerator.offset,
    "v4l2_streamparm, parm.capture.capability": abi.StreamParm.capability.offset,
    "v4l2_buffer, bytesused": abi.Buffer.bytesused.offset,
    "v4l2_buffer, timestamp": abi.Buffer.tv_sec.offset,
    "v4l2_buffer, sequence": abi.Buffer.sequence.offset,
    "v4l2_buffer, m.offset": abi.Buffer.offset.offset,
    "v4l2_buffer, length": abi.Buffer.length.offset,
    "v4l2_queryctrl, default_value": abi.QueryCtrl.default_value.offset,
    "v4l2_queryctrl, flags": abi.QueryCtrl.flags.offset,
    "v4l2_querymenu, name": abi.QueryMenu.name.offset,
}
NUMBERS = (
    {
        f"VIDIOC_{name}": getattr(abi, name)
        for name in [
            "QUERYCAP",
            "ENUM_FMT",
            "G_FMT",
            "S_FMT",
            "REQBUFS",
            "QUERYBUF",
            "QBUF",
            "DQBUF",
            "STREAMON",
            "STREAMOFF",
            "G_PARM",
            "S_PARM",
            "G_CTRL",
            "S_CTRL",
            "QUERYCTRL",
            "QUERYMENU",
            "ENUM_FRAMESIZES",
            "ENUM_FRAMEINTERVALS",
        ]
    }
    | {
        f"V4L2_{name}": getattr(abi, name)
        for name in [
            "CAP_VIDEO_CAPTURE",
            "CAP_VIDEO_CAPTURE_MPLANE",
            "CAP_META_CAPTURE",
            "CAP_STREAMING",
            "CAP_DEVICE_CAPS",
            "BUF_TYPE_VIDEO_CAPTURE",
            "MEMORY_MMAP",
            "FIELD_NONE",
            "BUF_FLAG_ERROR",
            "BUF_FLAG_TIMESTAMP_MASK",
            "BUF_FLAG_TIMESTAMP_MONOTONIC",
            "CAP_TIMEPERFRAME",
            "CTRL_FLAG_DISABLED",
            "CTRL_FLAG_READ_ONLY",
            "CTRL_FLAG_INACTIVE",
        ]
    }
    | {
        "V4L2_CTRL_FLAG_NEXT_CTRL": abi.CTRL_FLAG_NEXT,
        "V4L2_FRMSIZE_TYPE_DISCRETE": abi.FRMSIZE_DISCRETE,
        "V4L2_FRMIVAL_TYPE_DISCRETE": abi.FRMIVAL_DISCRETE,
        "V4L2_CTRL_TYPE_INTEGER": abi.CTRL_INTEGER,
        "V4L2_CTRL_TYPE_BOOLEAN": abi.CTRL_BOOLEAN,
        "V4L2_CTRL_TYPE_MENU": abi.CTRL_MENU,
        "V4L2_CTRL_TYPE_BUTTON": abi.CTRL_BUTTON,
        "V4L2_CTRL_TYPE_INTEGER_MENU": abi.CTRL_INTEGER_MENU,
        "V4L2_PIX_FMT_YUYV": abi.fourcc_code("YUYV"),
        "V4L2_PIX_FMT_MJPEG": abi.fourcc_code("MJPG"),
        "V4L2_PIX_FMT_GREY": abi.fourcc_code("GREY"),
    }
)


@pytest.mark.skipif(
    shutil.which("gcc") is None or not Path("/usr/include/linux/videodev2.h").exists(),
    reason="needs gcc and linux-libc-dev",
)
def test_layouts_and_numbers_are_the_kernels(tmp_path: Path) -> None:
    lines = [f'printf("%zu\\n", sizeof(struct {name}));' for name in STRUCTS]
    lines += [f'printf("%zu\\n", offsetof(struct {place}));' for place in OFFSETS]
    lines += [f'printf("%lu\\n", (unsigned long)(unsigned int){name});' for name in NUMBERS]
    source = tmp_path / "abi.c"
    source.write_text(
        "#include <linux/videodev2.h>\n#include <stdio.h>\n#include <stddef.h>\nint main(){"
        + "".join(lines)
        + "}"
    )
    subprocess.run(["gcc", "-o", tmp_path / "abi", source], check=True)
    told = subprocess.run([tmp_path / "abi"], capture_output=True, text=True, check=True).stdout.split()
    wanted = {name: ctypes.sizeof(struct) for name, struct in STRUCTS.items()} | OFFSETS | NUMBERS
    assert dict(zip(wanted, map(int, told), strict=True)) == wanted


@pytest.mark.parametrize("text", ["YUYV", "MJPG", "GREY", "Y16"])
def test_fourcc_round_trip(text: str) -> None:
    assert abi.fourcc_text(abi.fourcc_code(text)) == text
