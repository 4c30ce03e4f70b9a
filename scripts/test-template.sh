#!/bin/sh
# Holds the template to its rules: linters, and tests/template. Compiles nothing. Fails with 3 where there is no Python to run them with.
set -eu

cd "$(dirname "$0")/.."
scripts/install-aws-tools.sh sam
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1
.venv-sam/bin/cfn-lint template.yaml
# It complains of any template without a region, and asks no account for anything.
.venv-sam/bin/sam validate --lint --config-env local
exec .venv-sam/bin/python -m unittest discover --start-directory tests/template
