# Sourced by scripts/demo and scripts/test: system packages, a virtual environment, edgecam in it.
# Re-runnable; each step is skipped when it is already done.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

# What the wheels of OpenCV and PyQt6 load but do not carry (Debian's names; see FIELD-NOTES on Qt 6.5+ and xcb-cursor).
# shellcheck disable=SC2034
window_packages=(libgl1 libegl1 libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxkbcommon0
  libxkbcommon-x11-0 libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libxcb-randr0 libxcb-sync1
  libxcb-xfixes0 libxcb-shm0 libx11-xcb1 libfontconfig1 libdbus-1-3 libfreetype6 fonts-dejavu-core)

# What opencv-python's wheel loads even where no window is shown (opencv-python-headless, which scripts/install takes, does not).
# shellcheck disable=SC2034
opencv_packages=(libgl1 libglib2.0-0)

# What the virtual board of tests/system needs (tests/system/board_image.py names the same).
# shellcheck disable=SC2034
board_packages=(qemu-system-x86 qemu-system-common qemu-utils mmdebstrap e2fsprogs arch-test kmod acpica-tools)

# What scripts/install needs beside it, in a bundle and in an installation.
# shellcheck disable=SC2034
installer_files=(install setup.sh slim slim.constraints stand_in.py headless_opencv.py repack_wheel.py)

# Names of what system_packages has installed.
installed_packages=()

# missing_packages NAME...: those that are not installed, one a line.
missing_packages() {
  local name there
  there=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" "${@/%/t64}" 2>/dev/null | sed -n 's/^installed //p' || true)
  for name in $(printf '%s\n' "$@" | sort -u); do
    # Debian 13 and Ubuntu 24.04 renamed some libraries (…t64); they provide the old name.
    grep -qxF -e "$name" -e "${name}t64" <<<"$there" || echo "$name"
  done
}

# system_packages NAME...: install those that are missing.
system_packages() {
  command -v dpkg-query >/dev/null || { say "not a Debian-like system: install the equivalents of: $*"; return 0; }
  local missing=() before
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "please have root install: ${missing[*]}"; return 1; }
    sudo=(sudo)
  fi
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  before=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sort)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  # with all that came along; scripts/install reads it
  # shellcheck disable=SC2034
  mapfile -t installed_packages < <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sort | comm -13 <(echo "$before") - | sed -n 's/^installed //p')
}

# os_release NAME: what the system says of itself. EDGECAM_OS_RELEASE and EDGECAM_MACHINE stand for another board's.
os_release() { sed -n "s/^$1=//p" "${EDGECAM_OS_RELEASE:-/etc/os-release}" 2>/dev/null | tr -d \"; }
machine() { echo "${EDGECAM_MACHINE:-$(uname -m)}"; }

# A board's pinned versions, where its system demands them (see constraints/).
constraints() {
  local codename folder
  codename=$(os_release VERSION_CODENAME)
  # of a checkout, or beside this file in a bundle
  for folder in "$root/constraints" "$(dirname "${BASH_SOURCE[0]}")/constraints"; do
    if [ "$(machine)" = aarch64 ] && [ -f "$folder/$codename.txt" ]; then
      echo "-c $folder/$codename.txt"
      return
    fi
  done
}

# virtual_environment FOLDER PYTHON EXTRAS [pip arguments...]
virtual_environment() {
  local folder=$1 python=$2 extras=$3
  shift 3
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    system_packages python3-venv python3-pip
  fi
  local stamp
  stamp=$( (cat "$root/pyproject.toml"; echo "$python $extras $* $(constraints)"; "$python" -V) | sha256sum | cut -c1-16)
  if [ -f "$folder/.edgecam-$stamp" ]; then return 0; fi
  say "setting up $folder with $("$python" -V): downloads 250 MB or more, once; a few minutes"
  # A Raspberry Pi's camera library comes from apt only, so its environment must see the system's packages.
  local site=()
  if "$python" -c 'import picamera2' 2>/dev/null; then site=(--system-site-packages); fi
  [ -x "$folder/bin/python" ] || "$python" -m venv "${site[@]}" "$folder"
  # shellcheck disable=SC2046
  "$folder/bin/python" -m pip install --disable-pip-version-check -q $(constraints) "$@" -e "${root}[$extras]"
  rm -f "$folder"/.edgecam-*
  touch "$folder/.edgecam-$stamp"
}
