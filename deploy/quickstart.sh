#!/usr/bin/env bash
# The main job on one machine: a backup becomes a VM that runs, with proof. Everything lies under .ascend/.
#   deploy/quickstart.sh           install, start, make the sample backup, restore it, report
#   deploy/quickstart.sh start     only start the services (after a reboot)
#   deploy/quickstart.sh status    what runs, and where the API is
#   deploy/quickstart.sh stop      stop the restored VMs and the services; nothing is deleted
#   deploy/quickstart.sh clean     stop, then delete .ascend/ with all that was restored
# Options of the first form: --backup full|inc1|inc2 (default inc2), --name NAME (default ascend-demo).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
state="$root/.ascend"
export ASCEND_URL_DEFAULT=http://127.0.0.1:8082

usage() { sed -n '2,9p' "$0"; }

action=run point=inc2 name=ascend-demo
while [ $# -gt 0 ]; do
  case "$1" in
    start | status | stop | clean) action=$1 ;;
    --backup) point=${2:?--backup wants full, inc1 or inc2}; shift ;;
    --name) name=${2:?--name wants a VM name}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart: unknown word $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '%s\n' "$*" >&2; }
phase() { printf '\n[%4ss] %s\n' "$SECONDS" "$*" >&2; }
ascend() { "$root/apps/cli/bin/ascend" --token-file "$state/token" "$@"; }
# Reads one field of a JSON document on standard input: a JavaScript expression over `it`.
field() { node -e 'const it = JSON.parse(require("node:fs").readFileSync(0, "utf8")); console.log(eval(process.argv[1]) ?? "")' "$1"; }

# --- services: a pid file holds pid and start time, so that a reused pid is never taken for ours
started_at() { awk '{ print $22 }' "/proc/$1/stat" 2>/dev/null || true; }
alive() {
  local pid since
  [ -e "$state/run/$1.pid" ] || return 1
  read -r pid since <"$state/run/$1.pid"
  [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ]
}
start_service() {
  local service=$1
  shift
  if alive "$service"; then return 0; fi
  setsid nohup "$@" >>"$state/logs/$service.log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid $(started_at "$pid")" >"$state/run/$service.pid"
}
stop_service() {
  local pid since
  alive "$1" || { rm -f "$state/run/$1.pid"; return 0; }
  read -r pid since <"$state/run/$1.pid"
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 1 150); do
    [ "$(started_at "$pid")" = "$since" ] || break
    sleep 0.1
  done
  [ "$(started_at "$pid")" != "$since" ] || kill -KILL "$pid" 2>/dev/null || true
  rm -f "$state/run/$1.pid"
}
# Waits until a command succeeds; names the service and shows its log when it does not.
await() {
  local service=$1 seconds=$2
  shift 2
  for _ in $(seq 1 $((seconds * 5))); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    if ! alive "$service"; then break; fi
    sleep 0.2
  done
  say "The $service did not come up; the end of its log:"
  tail -n 20 "$state/logs/$service.log" >&2
  return 1
}
free_port() { node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'; }

settings() {
  umask 077
  mkdir -p "$state"/{logs,run,control-plane,nats,agent,vms/disks,vms/state,repository}
  if [ ! -e "$state/ports" ]; then
    local api=8082
    if node -e 'const s = require("node:net").createServer().on("error", () => process.exit(0)).listen(8082, "127.0.0.1", () => { s.close(); process.exit(1); });'; then
      api=$(free_port)
      say "Port 8082 is taken; the API will be on $api."
    fi
    printf 'api_port=%s\nnats_port=%s\n' "$api" "$(free_port)" >"$state/ports"
  fi
  # shellcheck disable=SC1091
  . "$state/ports"
  export ASCEND_URL="http://127.0.0.1:$api_port"
  [ -e "$state/control-plane/database" ] || printf 'mysql://ascend@localhost/ascend?socketPath=%s\n' "$state/run/mariadb.sock" >"$state/control-plane/database"
}

start_all() {
  local user=()
  [ "$(id -u)" -ne 0 ] || user=(--user=root)
  # A server deletes the temporary tables of all others in the same folder when it starts.
  mkdir -p "$state/run/mariadb-tmp"
  if [ ! -d "$state/mariadb/mysql" ]; then
    phase 'Making a private MariaDB'
    rm -rf "$state/mariadb" && mkdir -p "$state/mariadb"
    mariadb-install-db --no-defaults --datadir="$state/mariadb" --tmpdir="$state/run/mariadb-tmp" --auth-root-authentication-method=normal \
      --skip-test-db --innodb-use-native-aio=0 "${user[@]}" >"$state/logs/mariadb-install.log" 2>&1
  fi
  start_service mariadb mariadbd --no-defaults --datadir="$state/mariadb" --tmpdir="$state/run/mariadb-tmp" --socket="$state/run/mariadb.sock" \
    --pid-file="$state/run/mariadbd.pid" --skip-networking --innodb-buffer-pool-size=64M --innodb-use-native-aio=0 --performance-schema=OFF "${user[@]}"
  await mariadb 60 mariadb-admin --no-defaults --socket="$state/run/mariadb.sock" ping
  mariadb --no-defaults --socket="$state/run/mariadb.sock" -e \
    "CREATE DATABASE IF NOT EXISTS ascend CHARACTER SET utf8mb4; CREATE USER IF NOT EXISTS ascend@localhost; GRANT ALL ON ascend.* TO ascend@localhost;"

  if [ ! -e "$state/nats/server.conf" ]; then
    node deploy/natsConfig.ts --trust "$state/control-plane/trust" --port "$nats_port" --store "$state/nats/store" >"$state/nats/server.conf"
  fi
  start_service nats nats-server -c "$state/nats/server.conf"
  await nats 30 node -e "require('node:net').connect($nats_port, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"

  control_plane_environment
  start_service control-plane node --disable-warning=ExperimentalWarning apps/control-plane/src/main.ts
  await control-plane 60 node -e "fetch('$ASCEND_URL/api/v1/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
  [ -e "$state/token" ] || node apps/control-plane/src/main.ts token create --name quickstart --role admin --out "$state/token" >/dev/null
}

control_plane_environment() {
  export ASCEND_API_LISTEN="127.0.0.1:$api_port" ASCEND_API_DATABASE="file:$state/control-plane/database" \
    ASCEND_API_NATS_URLS="nats://127.0.0.1:$nats_port" ASCEND_API_TRUST_DIR="$state/control-plane/trust" \
    ASCEND_API_KEY_FILE="$state/control-plane/key"
}

start_agent() {
  if [ ! -e "$state/agent/credentials.json" ]; then
    ascend site add local >/dev/null 2>&1 || true
    (umask 077 && ascend --json agent enroll local | field it.token >"$state/agent/enrolment-token")
    node apps/agent/src/main.ts enrol --api "$ASCEND_URL" --agent-id local-agent --token-file "$state/agent/enrolment-token" --dir "$state/agent"
    rm -f "$state/agent/enrolment-token"
  fi
  export ASCEND_AGENT_DIR="$state/agent" ASCEND_AGENT_REPOSITORIES="local=$state/repository"
  start_service agent node --disable-warning=ExperimentalWarning apps/agent/src/main.ts
  local online=no
  for _ in $(seq 1 300); do
    online=$(ascend --json agent list | field 'it.agents.some((one) => one.agent_id === "local-agent" && one.online) ? "yes" : "no"' || echo no)
    [ "$online" = no ] || return 0
    alive agent || break
    sleep 0.2
  done
  say 'The agent did not come online; the end of its log:'
  tail -n 20 "$state/logs/agent.log" >&2
  return 1
}

register() {
  ascend --json repository list | field 'it.repositories.some((one) => one.id === "local") ? "" : "missing"' | grep -q missing &&
    ascend repository add local --site local --root "local-agent=$state/repository" >/dev/null
  ascend --json target list | field 'it.targets.some((one) => one.target_id === "local-kvm") ? "" : "missing"' | grep -q missing &&
    ascend target add local-kvm --platform kvm --agent local-agent \
      --connection "{\"storages\":{\"disks\":\"$state/vms/disks\"},\"state_dir\":\"$state/vms/state\"}" >/dev/null
  return 0
}

stop_all() {
  [ -d "$state/run" ] || { say 'Nothing was started here.'; return 0; }
  if [ -d "$state/vms/state" ]; then node deploy/localVms.ts stop "$state/vms/state" || true; fi
  for service in agent control-plane nats mariadb; do stop_service "$service"; done
}

show_status() {
  [ -e "$state/ports" ] || { say 'Nothing was set up here yet; run deploy/quickstart.sh'; return 0; }
  settings
  for service in mariadb nats control-plane agent; do
    if alive "$service"; then echo "$service: running (pid $(cut -d' ' -f1 "$state/run/$service.pid"))"; else echo "$service: stopped"; fi
  done
  node deploy/localVms.ts list "$state/vms/state"
  echo "API: $ASCEND_URL   token: $state/token   logs: $state/logs"
}

case "$action" in
  stop) . deploy/setup.sh; stop_all; exit 0 ;;
  clean) . deploy/setup.sh; stop_all; rm -rf "$state"; exit 0 ;;
  status) . deploy/setup.sh; show_status; exit 0 ;;
esac

phase 'Checking what this machine has'
# shellcheck source=deploy/setup.sh
. deploy/setup.sh
settings
if [ "$action" = run ]; then
  phase 'Making the sample VM and its backups (cached after the first run)'
  node test/guests/buildSample.ts --cache "$state/cache" --out "$state/repository" >&2
fi
phase 'Starting MariaDB, NATS, control plane and agent'
start_all
start_agent
register
[ "$action" = run ] || { show_status; exit 0; }

phase 'Reading the catalogue from the repository folder'
ascend catalog scan local >&2
backup=$(ascend --json backups list --status completed | field "
  (() => { const all = it.backups.toSorted((a, b) => a.created_at.localeCompare(b.created_at)); return all[{ full: 0, inc1: 1, inc2: 2 }['$point']]?.backup_id; })()")
[ -n "$backup" ] || { say "There is no restore point for --backup $point"; exit 4; }

# A VM of an earlier run keeps its name; the next one gets a number.
taken=$(ascend --json target inventory local-kvm | field 'it.vm_names.join("\n")')
base=$name number=2
while grep -qxF -- "$name" <<<"$taken"; do name="$base-$number"; number=$((number + 1)); done

phase "Restoring $backup as $name"
ascend restore start --backup "$backup" --target local-kvm --name "$name" --memory 1G --cpus 2 \
  --evidence serial-marker --marker ASCEND-READY --boot-timeout 600 --watch >"$state/restore.txt" || {
  cat "$state/restore.txt" >&2
  exit 1
}
job=$(ascend --json restore list | field "it.restores.find((one) => one.target_vm_name === '$name').id")
ascend --json restore report "$job" >"$state/report.json"
phase 'Done'
node deploy/report.ts "$state/report.json"
echo "API: $ASCEND_URL   token: $state/token   stop: ./deploy/quickstart.sh stop"
