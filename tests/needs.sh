#!/usr/bin/env bash
# Looks whether the tools that `make test` starts are here. As root on Debian it installs what is missing, else it names it.
set -euo pipefail

missing=()
named=()

# need PACKAGE "what it is for" COMMAND...: PACKAGE is missing unless COMMAND succeeds.
need() {
    local package=$1 purpose=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
        named+=("  $package: $purpose")
    fi
}

need gcc "a C compiler and linker, for SQLite and the allocator" cc --version
need make "builds the allocator" make --version
need strace "shows that an acknowledgement waits for the disk" strace -V
need util-linux "fills a disk for a test" prlimit --version
need postgresql "starts servers for the tests" sh -c 'command -v initdb || ls /usr/lib/postgresql/*/bin/initdb'
need redis-server "starts servers for the tests" redis-server --version
need redis-tools "looks into them" redis-cli --version
need nginx "stands in front of nodes in tests" sh -c 'PATH=$PATH:/usr/sbin command -v nginx'
need openssl "makes certificates for tests" openssl version
need nodejs "Node 20 or later, runs the JavaScript scenarios" node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'
need npm "installs the JavaScript SDK" npm --version
need python3 "Python 3.11 or later, runs the Python scenarios" python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
need python3-venv "gives the Python SDK a folder of its own" python3 -c 'import venv, ensurepip'

if ((${#missing[@]})) && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    # The tests start their own servers: those that come with a package stay down.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
    named=()
fi

if ! cargo --version >/dev/null 2>&1; then
    named+=("  cargo: a Rust toolchain, see https://rustup.rs")
fi
if ((${#named[@]})); then
    printf 'The tests need what is not here:\n' >&2
    printf '%s\n' "${named[@]}" >&2
    exit 1
fi
