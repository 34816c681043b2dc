#!/usr/bin/env bash
# make-wheels.sh DIR: every wheel of the CPU image in DIR/simple, laid out as a package index, for nodes without
# internet: serve DIR with `python3 -m http.server` and build with
#   --build-arg PIP_INDEX_URL=http://HOST:PORT/simple --build-arg PIP_TRUSTED_HOST=HOST
# PYTHON must be of the base's version and platform (bookworm: 3.11). A finished DIR is kept.
set -euo pipefail
dir=${1:?usage: make-wheels.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
[ -e "$dir/complete" ] && cmp -s "$dir/complete" "$here/requirements.txt" && exit 0
mkdir -p "$dir/files"
${PYTHON:-python3} -m pip download --quiet --disable-pip-version-check --dest "$dir/files" \
  --requirement "$here/requirements.txt" pip setuptools wheel
rm -rf "$dir/simple"
for wheel in "$dir"/files/*; do
  name=${wheel##*/}
  project=$(sed -E 's/-[0-9].*//; s/[-_.]+/-/g' <<<"$name" | tr '[:upper:]' '[:lower:]')
  mkdir -p "$dir/simple/$project"
  ln -f "$wheel" "$dir/simple/$project/$name"
done
cp "$here/requirements.txt" "$dir/complete"
