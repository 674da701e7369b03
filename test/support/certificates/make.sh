#!/usr/bin/env bash
# Makes the certificates of the tests anew, valid for a hundred years: keys of nobody, for tests only.
set -euo pipefail
cd "$(dirname "$0")"

authority() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj "/CN=$1" \
    -addext keyUsage=critical,keyCertSign -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

certificate() { # NAME AUTHORITY
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" 2>/dev/null |
    openssl x509 -req -days 36500 -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -out "$1.crt" \
      -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) 2>/dev/null
}

authority ca
authority other-ca
certificate node ca
certificate renewed ca
certificate client ca
certificate stranger other-ca
openssl pkey -in node.key -aes256 -passout pass:'only for tests' -out node-encrypted.key
rm -f ca.key other-ca.key ./*.srl
