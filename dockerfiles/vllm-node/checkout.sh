#!/bin/sh
# checkout.sh URL REF DIR [COMMIT]: DIR becomes a clean checkout of REF of URL, whatever DIR held before: a cold cache
# is checked out too, a branch moves on, and what is gone at URL is gone here. REF is a tag, a branch, a commit (also
# abbreviated) or any other name that URL has (refs/pull/123/head); a tag goes before a branch of the same name.
# With COMMIT (also abbreviated) the result has to be that one. Prints the commit.
set -eu
url=$1 ref=$2 dir=$3 wanted=${4:-}
export GIT_TERMINAL_PROMPT=0

fail() { echo "checkout: $*" >&2; exit 1; }

named() {
  git rev-parse -q --verify "refs/tags/$ref^{commit}" || git rev-parse -q --verify "refs/remotes/origin/$ref^{commit}"
}

fetched() {
  git fetch -q --force origin "$ref" 2>/dev/null && git rev-parse -q --verify 'FETCH_HEAD^{commit}'
}

abbreviated() {
  case $ref in *[!0-9a-f]*) return 1 ;; esac
  git rev-parse -q --verify "$ref^{commit}"
}

[ -d "$dir/.git" ] || git init -q "$dir"
cd "$dir"
# A build that was killed leaves its locks in the cache; the cache mount has one user at a time.
find .git -name '*.lock' -type f -delete
git remote remove origin 2>/dev/null || true
git remote add origin "$url"
git fetch -q --force --prune origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*' >&2 ||
  fail "$url cannot be fetched"
commit=$(named || abbreviated || fetched) || fail "$url has no branch, tag or commit $ref"
case $commit in
  "$wanted"*) ;;
  *) fail "$ref is $commit, and $wanted was asked for" ;;
esac
git checkout -q --force --detach "$commit"
git clean -qffdx
git submodule sync -q --recursive >&2
git submodule update -q --init --recursive --force >&2
echo "$commit"
