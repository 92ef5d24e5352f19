#!/bin/sh
# The walls between the rooms cannot be climbed by a relative include.
cd "$(dirname "$0")/.." || exit 1
if grep -rnE '#include +"(\.\.|.*/\.\.)/' --include='*.c' --include='*.h' core api sandbox plugins; then
    echo "the includes above leave their room; include \"room/header.h\"" >&2
    exit 1
fi
