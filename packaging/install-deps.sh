#!/bin/sh
# install-deps.sh PART…: installs the Debian packages of these parts of build-deps.txt that are missing.
set -eu
list=$(dirname "$0")/build-deps.txt
missing=

# By its own name, or by a package that provides it.
installed() {
    dpkg-query -W -f='${Status}' "$1" 2> /dev/null | grep -q '^install ok installed$' ||
        dpkg-query -W -f='${Status} ${Provides}, \n' | grep -Eq "^install ok installed (.*, )?$1( \(.*\))?,"
}

for part in "$@"; do
    for package in $(awk -v part="[$part]" '/^#/ { next } /^\[/ { on = $0 == part; next } on' "$list"); do
        installed "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0
echo "installing:$missing" >&2
if [ "$(id -u)" -ne 0 ]; then
    echo "these packages are missing; as root: apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing >&2
