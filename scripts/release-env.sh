#!/bin/sh
# What the release profile cannot say of itself: sourced by whoever builds functions in it, always with an explicit target, since none of it is
# meant for the programs that run during a build.

# Without it, the TLS library gathers entropy from jitter, which costs each cold start time.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
# The TLS library's own small form: no AVX-512, and smaller tables for its curves.
export AWS_LC_SYS_SMALL=1
# The time zones that the policy in this process may name; a regular expression. All of them are more than a megabyte in each function.
export CHRONO_TZ_TIMEZONE_FILTER="${CHRONO_TZ_TIMEZONE_FILTER:-^(UTC|Etc/UTC)\$}"
# A program at a fixed address has nothing to relocate at each start, and is smaller by the list of what to relocate. Libraries, heap and stacks
# stay where chance puts them.
RUSTFLAGS="-C relocation-model=static ${RUSTFLAGS:-}"
# Panics name their places without the folders of the machine that built them; flags are parted by spaces, so not where a folder has one.
for folder in "${CARGO_HOME:-$HOME/.cargo}/registry/src/" "$PWD/"; do
    case $folder in
    *" "*) ;;
    *) RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$folder=" ;;
    esac
done
export RUSTFLAGS
