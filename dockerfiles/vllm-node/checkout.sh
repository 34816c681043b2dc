#!/bin/sh
# checkout.sh URL REF DIR [COMMIT]: DIR becomes a clean checkout of REF (branch, tag or commit) of URL, whatever DIR
# held before: a cold cache is checked out too, and a branch moves on. With COMMIT the result has to be that one.
# Prints the commit.
set -eu
url=$1 ref=$2 dir=$3 wanted=${4:-}
[ -d "$dir/.git" ] || git init -q "$dir"
cd "$dir"
git remote remove origin 2>/dev/null || true
git remote add origin "$url"
git fetch -q --force --tags origin '+refs/heads/*:refs/remotes/origin/*' >&2
commit=$(git rev-parse -q --verify "refs/remotes/origin/$ref^{commit}" ||
  git rev-parse -q --verify "refs/tags/$ref^{commit}" || git rev-parse -q --verify "$ref^{commit}") || {
  echo "checkout: $url has no branch, tag or commit $ref" >&2
  exit 1
}
if [ -n "$wanted" ] && [ "$commit" != "$wanted" ]; then
  echo "checkout: $ref is $commit, and $wanted was asked for" >&2
  exit 1
fi
git checkout -q --force --detach "$commit"
git clean -qffdx
git submodule update -q --init --recursive --force >&2
echo "$commit"
