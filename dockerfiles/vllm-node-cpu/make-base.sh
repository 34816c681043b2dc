#!/usr/bin/env bash
# make-base.sh OUT.tar: a small Debian with Python, for `docker import`, so that no registry is needed:
#   docker import OUT.tar sparkconsole-base:bookworm
# Needs root and debootstrap. An existing OUT.tar is kept.
set -euo pipefail
out=${1:?usage: make-base.sh OUT.tar}
[ -s "$out" ] && exit 0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase \
  --include=python3,python3-venv,python3-dev,libgomp1,libnuma1,iproute2,procps,ca-certificates \
  bookworm "$root" >"$out.log" 2>&1 || { tail -5 "$out.log" >&2; exit 1; }
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
tar -C "$root" --numeric-owner -cf "$out.part" .
mv "$out.part" "$out"
rm -f "$out.log"
