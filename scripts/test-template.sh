#!/bin/sh
# Checks the template with linters and tests/template. Compiles nothing. Exits with 3 if Python is missing.
set -eu

cd "$(dirname "$0")/.."
scripts/install-aws-tools.sh sam
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1
.venv-sam/bin/cfn-lint template.yaml
# `sam validate` requires a region but calls no account.
.venv-sam/bin/sam validate --lint --config-env local
exec .venv-sam/bin/python -m unittest discover --start-directory tests/template
