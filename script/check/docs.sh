#!/usr/bin/env bash
# docs.sh: the pages of docs/ made from the executable's tables are as it would make them now.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x "${BUILD:-build}/leat" ] || { echo "no executable built"; exit 77; }
exec script/docs --check
