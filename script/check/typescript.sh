#!/usr/bin/env bash
# The page's TypeScript has no type errors (strict; web/tsconfig.json). Skipped, loudly, where node or tsc is missing.
set -uo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
tsc=$here/web/node_modules/typescript/lib/tsc.js
command -v node > /dev/null || { echo "there is no node (script/setup page)"; exit 77; }
[ -f "$tsc" ] || { echo "tsc is not installed (script/web --test)"; exit 77; }
cd "${CHECK_ROOT:-$here}/web" && node "$tsc" --noEmit --pretty false -p . || exit 1
