#!/bin/sh
# Installs real receivers of telemetry into .tools/bin, at fixed versions: Prometheus, which scrapes, with promtool, which checks rules, and
# Alertmanager, which sends its alerts; VictoriaMetrics, which receives metrics by OTLP; Jaeger, which receives traces by OTLP. Does nothing
# if they are installed.
#
#   scripts/install-receivers.sh [prometheus] [alertmanager] [victoria-metrics] [jaeger]        default: all four
#
# Prometheus and Alertmanager are unpacked from Debian's packages, or built if that version is not available. Exits with 3 if Go is needed and missing; the caller
# decides whether to continue.
set -eu

DEBIAN_PROMETHEUS=2.42.0
PROMETHEUS=v0.313.5
DEBIAN_ALERTMANAGER=0.25.0
ALERTMANAGER=v0.29.0
VICTORIA_METRICS=v1.151.0
JAEGER=v1.76.0

cd "$(dirname "$0")/.."
tools=$PWD/.tools
export GOBIN="$tools/bin" CGO_ENABLED=0

require_go() {
    command -v go >/dev/null 2>&1 && return
    echo "$1 cannot be built: Go is missing (https://go.dev/dl)" >&2
    exit 3
}

# apt-get with its own package lists, so that it writes only into this folder and does not need root.
apt() {
    APT_CONFIG=$tools/apt/apt.conf apt-get -qq "$@" >&2
}

# Unpacks a package of Debian's. Arguments: its name, its version, and the programs in it.
debian() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 1
    folder=$tools/apt
    rm -rf "$folder"
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    cat >"$folder/apt.conf" <<END
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
APT::Sandbox::User "";
END
    apt update && (cd "$folder" && apt download "$1=$2*") && dpkg-deb --extract "$folder/$1"_*.deb "$folder/unpacked" || return 1
    mkdir -p "$tools/bin"
    package=$1
    shift 2
    for program in "$@"; do
        mv "$folder/unpacked/usr/bin/$program" "$tools/bin/${program#"${package%-*}"-}"
    done
}

# Builds programs as dependencies of a temporary module: `go install` refuses modules with replacements or exclusions.
build() {
    module=$tools/module
    rm -rf "$module"
    mkdir -p "$module"
    echo 'module receivers' >"$module/go.mod"
    for program in "$@"; do
        go -C "$module" get -tool "$program"
    done
    go -C "$module" install tool
    rm -rf "$module"
}

prometheus() {
    debian prometheus "$DEBIAN_PROMETHEUS" prometheus promtool && return
    require_go prometheus
    build "github.com/prometheus/prometheus/cmd/prometheus@$PROMETHEUS" "github.com/prometheus/prometheus/cmd/promtool@$PROMETHEUS"
}

# Debian calls the program prometheus-alertmanager, and it reads a template at a fixed place, so it needs root.
alertmanager() {
    if [ "$(id -u)" = 0 ] && debian prometheus-alertmanager "$DEBIAN_ALERTMANAGER" prometheus-alertmanager; then
        mkdir -p /usr/share/prometheus
        cp -R "$tools/apt/unpacked/usr/share/prometheus/alertmanager" /usr/share/prometheus
        return
    fi
    require_go alertmanager
    build "github.com/prometheus/alertmanager/cmd/alertmanager@$ALERTMANAGER"
}

victoria_metrics() {
    require_go victoria-metrics
    build "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics@$VICTORIA_METRICS"
}

jaeger() {
    require_go jaeger
    build "github.com/jaegertracing/jaeger/cmd/all-in-one@$JAEGER"
    mv "$tools/bin/all-in-one" "$tools/bin/jaeger"
}

# Arguments: name, version, and the function that installs it. The marker is written last, so that an interrupted installation is repeated.
install() {
    mark=$tools/bin/.$1
    if [ -x "$tools/bin/$1" ] && [ "$(cat "$mark" 2>/dev/null)" = "$2" ]; then
        return
    fi
    echo "installing $1 $2 into .tools/bin (a few minutes for all receivers, once)"
    "$3"
    rm -rf "$tools/apt"
    echo "$2" >"$mark"
}

[ $# -gt 0 ] || set -- prometheus alertmanager victoria-metrics jaeger
for tool in "$@"; do
    case $tool in
    prometheus) install prometheus "$DEBIAN_PROMETHEUS or $PROMETHEUS" prometheus ;;
    alertmanager) install alertmanager "$DEBIAN_ALERTMANAGER or $ALERTMANAGER" alertmanager ;;
    victoria-metrics) install victoria-metrics "$VICTORIA_METRICS" victoria_metrics ;;
    jaeger) install jaeger "$JAEGER" jaeger ;;
    *)
        echo "unknown receiver '$tool': prometheus, alertmanager, victoria-metrics or jaeger" >&2
        exit 2
        ;;
    esac
done
