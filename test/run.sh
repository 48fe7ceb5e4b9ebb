#!/usr/bin/env bash
# Installs what the tests need and runs them. Ends with one line: N passed, N failed.
#   test/run.sh             core: format, lint, types, boundaries, unused code, unit, contract, e2e, kill
#   test/run.sh --peers     also third-party software of other versions than Debian's (needs Go)
#   test/run.sh --disks     also the long groups of the disk engine: every source in every format, kill points, broken images
#   test/run.sh --matrix    also eight cells of the boot matrix: real guests converted and booted on other hardware
#   test/run.sh --appliance also what is done in a libguestfs appliance (minutes without KVM)
#   test/run.sh --nightly   also the long groups; they write their RESULTS.md themselves
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

peers=no nightly=no disks=no matrix=no appliance=no
for argument in "$@"; do
  case "$argument" in
    --peers) peers=yes ;;
    --matrix) matrix=yes ;;
    --appliance) appliance=yes ;;
    --nightly) nightly=yes ;;
    --disks) disks=yes ;;
    -h | --help) sed -n '2,8p' "$0"; exit 0 ;;
    *) echo "test/run.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done

setup=(--tests)
[ "$peers" = no ] || setup+=(--peers)
[ "$appliance$nightly" = nono ] || setup+=(--appliance)
# shellcheck source=deploy/setup.sh
. deploy/setup.sh "${setup[@]}" || exit 1
set +e

passed=0 failed=0 skipped=0
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

# One static check counts as one test, so that none can vanish unnoticed.
check() {
  local name=$1 log="$reports/check.log"
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name"
    tail -n 60 "$log"
  fi
}

# Compiled code is kept between the processes that tests start, as agent and CLI keep theirs.
export NODE_COMPILE_CACHE="$PWD/.ascend/cache/compiled"
mkdir -p "$NODE_COMPILE_CACHE"
# Before any thread needs it: see compileOnce in libs/disk/src/worker/copyInWorker.ts.
node libs/disk/src/worker/copyWorker.ts

# Runs vitest projects and adds their counts; a run that leaves no report or fails outside its tests counts as one failure.
suite() {
  local name=$1 report="$reports/$1.json"
  shift
  echo "== $name"
  local counts status=0
  npx vitest run --config test/vitest.config.ts --reporter=default --reporter=json --outputFile.json="$report" "$@" || status=$?
  if counts=$(node -e '
    const report = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const brokenFiles = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.every((one) => one.status !== "failed")).length;
    console.log(report.numPassedTests, report.numFailedTests + brokenFiles, report.numPendingTests + report.numTodoTests);
  ' "$report" 2>/dev/null); then
    local p f s
    read -r p f s <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    # A group that cannot be prepared, or a coverage below its threshold, fails no single test.
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
      failed=$((failed + 1))
      echo "FAIL $name ended with status $status"
    fi
  else
    failed=$((failed + 1))
    echo "FAIL $name left no report"
  fi
}

check 'format (prettier)' npm run --silent check:format
check 'lint (oxlint, type-aware)' npm run --silent check:lint
check 'types (tsc)' npm run --silent check:types
check 'unused code (knip)' npm run --silent check:unused
check 'boundaries (turbo)' npm run --silent check:boundaries
suite core --project core
# The pure libs again with coverage and its thresholds; the whole run is not measured, as that changes what processes weigh.
NODE_DISABLE_COMPILE_CACHE=1 suite coverage --project core --coverage libs/planner libs/engine
suite system --project system
if [ "$disks" = yes ]; then
  suite disks --project disks
  suite fuzz --project fuzz
fi
if [ "$peers" = yes ]; then
  suite peers --project peers
  suite peers-nats --project 'peers-nats-*'
fi
if [ "$matrix" = yes ]; then suite boot-matrix --project boot-matrix; fi
if [ "$appliance" = yes ]; then suite appliance --project appliance; fi
if [ "$nightly" = yes ]; then suite nightly --project nightly; fi

[ "$skipped" -eq 0 ] || echo "skipped, each with its reason above: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
