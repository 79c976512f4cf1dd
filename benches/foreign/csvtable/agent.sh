#!/usr/bin/env bash
# Stands in for a coding agent: first a real improvement, then one that improves nothing.
set -euo pipefail
test -s "$1" # the prompt
if grep -q "new Map" src/group.js; then
  sed -i 's/let start = 0/let begin = 0/; s/start < rows/begin < rows/; s/start += /begin += /; s/slice(start, start /slice(begin, begin /' src/group.js
else
  git apply ideas/group-in-a-map.patch
fi
