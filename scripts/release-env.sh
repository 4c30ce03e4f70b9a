#!/bin/sh
# Settings for release builds of functions that Cargo's profile cannot express. Source it, and build with an explicit target, so that the settings
# do not apply to build scripts.

# Otherwise the TLS library collects entropy from jitter, which slows down each cold start.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
# The small variant of the TLS library: no AVX-512, and smaller tables for its curves.
export AWS_LC_SYS_SMALL=1
# The time zones that the bundled policy may name, as a regular expression. All zones would add more than a megabyte to each function.
export CHRONO_TZ_TIMEZONE_FILTER="${CHRONO_TZ_TIMEZONE_FILTER:-^(UTC|Etc/UTC)\$}"
# A program at a fixed address needs no relocations at start and no relocation table. Libraries, heap and stacks are still randomised.
RUSTFLAGS="-C relocation-model=static ${RUSTFLAGS:-}"
# Panic messages omit the folders of the build machine. Flags are separated by spaces, so a folder with a space is not remapped.
for folder in "${CARGO_HOME:-$HOME/.cargo}/registry/src/" "$PWD/"; do
    case $folder in
    *" "*) ;;
    *) RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$folder=" ;;
    esac
done
export RUSTFLAGS
