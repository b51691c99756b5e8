#!/usr/bin/env bash
# Proves on a bare Debian 12 that the README's commands work and that packages.txt is complete:
#   tests/container.sh DIR [COMMAND...]
# makes a minimal system in DIR (kept, and used again, if it is there), puts the committed tree into it
# and runs COMMAND in it, by default `./run test` and a one-epoch `./run train`. Needs root and
# debootstrap. MIRROR is debootstrap's archive; APT, a folder laid over the container's /etc/apt.
set -euo pipefail
source=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
dir=${1:?usage: tests/container.sh DIR [COMMAND...]}
shift

if [ ! -e "$dir/etc/debian_version" ]; then
  debootstrap --variant=minbase bookworm "$dir" ${MIRROR:+"$MIRROR"}
fi
[ -z "${APT:-}" ] || cp -r "$APT"/. "$dir/etc/apt/"
cp /etc/resolv.conf /etc/hosts "$dir/etc/"

rm -rf "$dir/root/gradus"
git clone --quiet --no-local "$source" "$dir/root/gradus"

mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
trap 'umount "$dir/proc"' EXIT

inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    chroot "$dir" bash -c 'cd /root/gradus && exec "$@"' -- "$@"
}

if [ $# -gt 0 ]; then
  inside "$@"
else
  inside ./run test
  inside ./run train --set trainer.max_epochs=1
fi
