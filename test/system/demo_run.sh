#!/bin/sh
# timeout: 120
# The unattended demo: the page comes and moves, Ctrl-C ends leat, all results equal the topic (script/demo-run).
exec "$(dirname "$0")/../../script/demo-run" 6 0 --var rate=50 --broker "127.0.0.1:$PORT" --http "127.0.0.1:$PORT2"
