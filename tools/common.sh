#!/usr/bin/env bash
# Shared by the check scripts: a build folder of its own per kind, and a run of the tests in it.
# usage: build_in DIR [meson options...] with CC in the environment.

build_in() {
	local dir=$1
	shift
	if [ -f "$dir/build.ninja" ]; then
		meson configure "$dir" "$@" >/dev/null
	else
		meson setup "$dir" "$@" >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
		rm -f "$dir.log"
	fi
	ninja -C "$dir" --quiet
}
