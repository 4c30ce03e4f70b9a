#!/bin/sh
# Checks the dashboard against Grafana's own schema (tests/dashboard). Needs Go.
set -eu

cd "$(dirname "$0")/.."
exec go run -C tests/dashboard . "$PWD/dashboards/self-healing-integration.json"
