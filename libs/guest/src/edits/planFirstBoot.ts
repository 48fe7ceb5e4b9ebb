import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

const folder = 'etc/ascend/first-boot';
const unit = 'ascend-first-boot.service';
const reason = "the operator's script runs once at the first boot";

// Bounded in attempts (three boots) and time (30 minutes each); never keeps the boot waiting, never fails it.
const runner = `#!/bin/sh
# Written by Ascend: runs ./script until it succeeds, at most at three boots.
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
if $limit "$here/script" >> "$log" 2>&1 < /dev/null; then
  : > "$here/done"
  echo "$(date) done" >> "$log"
else
  code=$?
  echo "$(date) failed with code $code" >> "$log"
fi
exit 0
`;

const unitText = `# Written by Ascend.
[Unit]
Description=Script of the restore, once
ConditionPathExists=!/${folder}/done
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/${folder}/run
TimeoutStartSec=1900

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

/**
 * Plans that a script of the operator runs once after the restore: as a service of systemd, else from rc.local. It runs
 * as root, at most at three boots and 30 minutes each, and writes to /var/log/ascend-first-boot.log.
 */
export function planFirstBoot(guest: GuestFacts, needs: GuestNeeds, script: string | null): PlannedEdits {
  if (script === null) return nothingPlanned;
  const allowed = needs.firstBootSlot !== false;
  const edits: readonly GuestEdit[] = [
    { kind: 'write-file', path: `${folder}/script`, content: script, mode: 0o700, reason },
    { kind: 'write-file', path: `${folder}/run`, content: runner, mode: 0o755, reason },
    ...startEdits(guest),
  ];
  const finding = guestFinding({
    code: 'GUEST_FIRST_BOOT_SCRIPT',
    severity: allowed ? 'fixed' : 'warning',
    message: allowed
      ? 'a script of the operator runs at the first boot'
      : 'the target does not let a script run at the first boot; it is left out',
    evidence: `${Buffer.byteLength(script)} bytes`,
    action: allowed ? `it is put into ${folder} on the overlay` : 'run it after the restore',
  });
  return { edits: allowed ? edits : [], findings: [finding] };
}
