# Sourced by scripts/bundle and scripts/deb: the wheels that another system would install.
# shellcheck shell=bash disable=SC2154 # python, root and work are their callers'

# The glibc of the system that has this Python: Ubuntu 22.04, Debian 12, Ubuntu 24.04, Debian 13.
declare -A glibc_of=([3.10]=35 [3.11]=36 [3.12]=39 [3.13]=41)

# packaging_python: PYTHON, or that of .venv, which is made as scripts/demo makes it where there is none: it has pip, and
# edgecam runs in it.
packaging_python() {
  python=${PYTHON:-$root/.venv/bin/python}
  if [ -z "${PYTHON:-}" ] && [ ! -x "$python" ]; then
    command -v python3 >/dev/null || system_packages python3
    virtual_environment "$root/.venv" python3 ui,web,mqtt,metrics
  fi
}

# edgecam_wheel DIR: builds it there from the checkout, and prints its path.
edgecam_wheel() {
  "$python" -m pip wheel --disable-pip-version-check -q --no-deps -w "$1" "$root"
  find "$1" -maxdepth 1 -name 'edgecam-*.whl'
}

# download_wheels MACHINE PYTHON DIR WHEEL[extras] [words for pip...]: it and all it needs, with OpenCV's build without a window.
download_wheels() {
  local machine=$1 version=$2 target=$3 wanted=$4 n words=()
  shift 4
  words=("$@" --platform "manylinux2014_$machine")
  [ "$machine" = x86_64 ] && words+=(--platform manylinux2010_x86_64 --platform manylinux1_x86_64)
  for ((n = glibc_of[$version]; n >= 17; n--)); do words+=(--platform "manylinux_2_${n}_$machine"); done
  words+=(--python-version "$version" --implementation cp --abi "cp${version/./}" --abi abi3 --abi none)
  words+=(-c "$root/scripts/slim.constraints")
  # Raspberry Pi OS 12
  if [ "$machine" = aarch64 ] && [ "$version" = 3.11 ]; then words+=(-c "$root/constraints/bookworm.txt"); fi
  "$python" "$root/scripts/headless_opencv.py" "$work/opencv-$version" "${words[@]}"
  "$python" "$root/scripts/pip_for.py" "$version" "$machine" \
    download --disable-pip-version-check -q --only-binary=:all: --dest "$target" "${words[@]}" \
    -c "$work/opencv-$version/opencv.txt" --find-links "$work/opencv-$version" "$wanted" \
    2> >(grep -v 'is ignored: it is neither' >&2)
}
