#!/usr/bin/env bash
# What the tests of the journal in PostgreSQL need. For continuous integration on Debian, as root;
# everywhere else it says what to install and changes nothing. NATS comes with a Python package.
set -euo pipefail

packages=(postgresql)

if command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests/journal needs: ${packages[*]} (Debian's names)" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ ! -e /usr/sbin/policy-rc.d ]; then # no services: the tests start their own
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
