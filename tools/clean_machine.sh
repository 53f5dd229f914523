#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves the two README commands on a Debian 12 that has nothing prepared: a folder made by debootstrap, a fresh clone.
#   tools/clean_machine.sh FOLDER [TARGET...]        default targets: demo test
# Needs root and debootstrap. The folder is made if it is not there; the clone in it is always new.
set -eu
folder=$1
shift
[ $# -gt 0 ] || set -- demo test
root=$(cd "$(dirname "$0")/.." && pwd)
command -v debootstrap >/dev/null || { echo "clean_machine: install debootstrap first" >&2; exit 3; }
[ -x "$folder/usr/bin/apt-get" ] || debootstrap --variant=minbase bookworm "$folder"
# The network of this machine, as any container would get it.
cp /etc/resolv.conf "$folder/etc/" 2>/dev/null || true
cp /etc/apt/apt.conf.d/* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || true
# What every installed machine has, and a bare folder lacks.
[ -e "$folder/etc/hosts" ] || echo "127.0.0.1 localhost" >"$folder/etc/hosts"
# A network whose proxy signs with an authority of its own.
authority=""
if [ -f "${NODE_EXTRA_CA_CERTS:-}" ]; then
  cp "$NODE_EXTRA_CA_CERTS" "$folder/etc/network-authority.pem"
  authority=NODE_EXTRA_CA_CERTS=/etc/network-authority.pem
fi
for mount in proc dev sys; do mountpoint -q "$folder/$mount" || mount --bind "/$mount" "$folder/$mount"; done
rm -rf "$folder/root/millwright"
git clone -q "$root" "$folder/root/millwright"
[ -f "$folder/usr/bin/make" ] || chroot "$folder" sh -c 'apt-get -q update >/dev/null && apt-get -q -y install --no-install-recommends make >/dev/null'
for target in "$@"; do
  start=$(date +%s)
  chroot "$folder" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin $authority make -C /root/millwright "$target"
  echo "clean_machine: make $target took $(($(date +%s) - start)) s"
done
