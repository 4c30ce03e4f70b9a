#!/bin/sh
# Installs what sets a process' clock, for the test of that: `faketime` from Debian's packages, which needs root. Does nothing if it is
# installed. Exits with 3 if it cannot be installed.
set -eu

if ls /usr/lib/*/faketime/libfaketime.so.1 /usr/lib64/faketime/libfaketime.so.1 2>/dev/null | grep -q .; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "libfaketime is missing: apt-get install faketime" >&2
    exit 3
fi
echo "installing faketime"
apt-get -qq update >&2
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends faketime >&2
