#!/usr/bin/env bash
# Makes, in the directory $1, a test authority (ca.pem) and a certificate of it (cert.pem, key.pem) for the names $2, or
# localhost and 127.0.0.1. Again in the same directory: another certificate of the same authority.
set -euo pipefail
cd "$1"
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
if [ ! -e ca.pem ]; then
  openssl req -x509 "${key[@]}" -days 2 -subj "/CN=Campanile test authority" -keyout ca.key -out ca.pem 2>/dev/null
fi
openssl req "${key[@]}" -subj "/CN=localhost" -keyout key.new -out request.pem 2>/dev/null
names="${2:-DNS:localhost,IP:127.0.0.1}"
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" >names
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 15)" -days 1 \
  -extfile names -out cert.new 2>/dev/null
mv cert.new cert.pem
mv key.new key.pem
