#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The certificates of a plant's broker, by openssl alone. NAME becomes the common name (CN), which is who somebody is to
# the broker: a box's is its device_id, the hub's is millwright-hub. Nothing that exists is made anew.
# usage: certificates.sh FOLDER ca                                     once; keep ca.key off the line
#        certificates.sh FOLDER broker DNS:broker.plant,IP:10.0.0.5    by which names and addresses it is reached
#        certificates.sh FOLDER client NAME                            one for each box, and one for the hub
set -eu
usage() { sed -n 's/^# usage: //p; s/^#        //p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
folder=$1 what=$2
umask 077 # keys: their owner's alone. Give each to the user of its program: chown, or chgrp and chmod 640
mkdir -p "$folder"
cd "$folder"
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'

# FILE CN EXTENSIONS: FILE.key, and FILE.crt signed by the CA for two years.
sign() {
  [ ! -e "$1.crt" ] || { echo "certificates: $folder/$1.crt is there already" >&2; exit 2; }
  [ -e ca.key ] || { echo "certificates: no CA in $folder; make one: $0 $folder ca" >&2; exit 2; }
  openssl req -new $key -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%s\n' "$3" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 730 -extfile "$1.ext" -out "$1.crt"
  rm "$1.csr" "$1.ext"
  chmod 644 "$1.crt"
}

case $what in
  ca)
    [ ! -e ca.key ] || { echo "certificates: $folder/ca.key is there already" >&2; exit 2; }
    openssl req -x509 $key -days 3650 -subj "/CN=plant CA" -keyout ca.key -out ca.crt \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    chmod 644 ca.crt ;;
  broker) [ $# -eq 3 ] || usage
    sign broker broker "extendedKeyUsage=serverAuth
subjectAltName=$3" ;;
  client) [ $# -eq 3 ] || usage
    case $3 in *[!A-Za-z0-9._-]* | '' | ca | broker) echo "certificates: '$3' is no name for a client" >&2; exit 2 ;; esac
    sign "$3" "$3" extendedKeyUsage=clientAuth ;;
  *) usage ;;
esac
