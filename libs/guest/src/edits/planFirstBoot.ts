import type { Finding, GuestFacts, GuestNeeds } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, type PlannedEdits } from './planFinding.ts';

const folder = 'etc/ascend/first-boot';
const unit = 'ascend-first-boot.service';
const reason = 'what the restore left to do runs once at the first boot';

// Bounded in attempts (three boots) and time (30 minutes for each part); never keeps the boot waiting, never fails it.
const runner = `#!/bin/sh
# Written by Ascend: runs ./agents and ./script until both succeed, at most at three boots.
here=/etc/ascend/first-boot
log=/var/log/ascend-first-boot.log
[ -e "$here/done" ] && exit 0
tries=$(cat "$here/tries" 2>/dev/null || echo 0)
case "$tries" in *[!0-9]*|'') tries=0 ;; esac
if [ "$tries" -ge 3 ]; then
  echo "$(date) given up after $tries attempts" >> "$log"
  : > "$here/done"
  exit 0
fi
tries=$((tries + 1))
echo "$tries" > "$here/tries"
echo "$(date) attempt $tries" >> "$log"
if command -v timeout > /dev/null 2>&1; then limit='timeout 1800'; else limit=''; fi
failed=0
for part in agents script; do
  [ -e "$here/$part" ] || continue
  [ -e "$here/$part.done" ] && continue
  if $limit "$here/$part" >> "$log" 2>&1 < /dev/null; then
    : > "$here/$part.done"
  else
    code=$?
    echo "$(date) $part failed with code $code" >> "$log"
    failed=1
  fi
done
if [ "$failed" = 0 ]; then
  : > "$here/done"
  echo "$(date) done" >> "$log"
fi
exit 0
`;

const unitText = `# Written by Ascend.
[Unit]
Description=What the restore left to do, once
ConditionPathExists=!/${folder}/done
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/${folder}/run
TimeoutStartSec=3700

[Install]
WantedBy=multi-user.target
`;

function startEdits(guest: GuestFacts): readonly GuestEdit[] {
  if (guest.linux?.init !== 'sysv') {
    return [
      {
        kind: 'make-link',
        path: `etc/systemd/system/multi-user.target.wants/${unit}`,
        target: `/etc/systemd/system/${unit}`,
        reason,
      },
      { kind: 'write-file', path: `etc/systemd/system/${unit}`, content: unitText, mode: 0o644, reason },
    ];
  }
  const line = `/${folder}/run &`;
  const path = guest.linux.rcLocal;
  return path === null
    ? [
        {
          kind: 'write-file',
          path: 'etc/rc.local',
          content: `#!/bin/sh\n${line}\nexit 0\n`,
          mode: 0o755,
          reason,
        },
      ]
    : [{ kind: 'add-lines', path, lines: [line], place: 'after-shebang', reason }];
}

/** What runs at the first boot; null = nothing of that kind. */
interface FirstBootParts {
  /** Script that installs agents; made only where the target lets scripts run. */
  readonly agents: string | null;
  /** Of the operator. */
  readonly script: string | null;
}

function scriptFinding(script: string, allowed: boolean): Finding {
  return guestFinding({
    code: 'GUEST_FIRST_BOOT_SCRIPT',
    severity: allowed ? 'fixed' : 'warning',
    message: allowed
      ? 'a script of the operator runs at the first boot'
      : 'the target does not let a script run at the first boot; it is left out',
    evidence: `${Buffer.byteLength(script)} bytes`,
    action: allowed ? `it is put into ${folder} on the overlay` : 'run it after the restore',
  });
}

/**
 * Plans what runs once after the restore: as a service of systemd, else from rc.local. It runs as root, agents before the
 * operator's script, at most at three boots and 30 minutes each, and writes to /var/log/ascend-first-boot.log.
 */
export function planFirstBoot(guest: GuestFacts, needs: GuestNeeds, parts: FirstBootParts): PlannedEdits {
  const { agents, script } = parts;
  const allowed = needs.firstBootSlot !== false;
  const findings = script === null ? [] : [scriptFinding(script, allowed)];
  const runs = Object.entries({ agents, script }).flatMap(([name, content]): readonly GuestEdit[] =>
    content === null ? [] : [{ kind: 'write-file', path: `${folder}/${name}`, content, mode: 0o700, reason }],
  );
  if (!allowed || runs.length === 0) return { edits: [], findings };
  const run: GuestEdit = { kind: 'write-file', path: `${folder}/run`, content: runner, mode: 0o755, reason };
  return { edits: [...runs, run, ...startEdits(guest)], findings };
}
