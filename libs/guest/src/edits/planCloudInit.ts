import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

/**
 * The target's data sources first, then the guest's own for a way back; `None` ends the search and so comes last.
 * null: nothing is pinned, or all is in the list already.
 */
function widenedSources(guest: GuestFacts, needs: GuestNeeds): readonly string[] | null {
  const pinned = guest.linux?.cloudInit?.datasources ?? null;
  const wanted = needs.cloudInitDatasources ?? [];
  if (pinned === null || wanted.every((name) => pinned.includes(name))) return null;
  return [...new Set([...wanted, ...pinned])].filter((name) => name !== 'None').concat('None');
}

function planSources(guest: GuestFacts, needs: GuestNeeds): readonly GuestEdit[] {
  const sources = widenedSources(guest, needs);
  const lines = [
    '# Written by Ascend: this is a restored machine, not a new one.',
    'preserve_hostname: true',
    'ssh_deletekeys: false',
    ...(sources === null ? [] : [`datasource_list: [${sources.join(', ')}]`]),
    '',
  ];
  return [
    {
      kind: 'write-file',
      // cloud-init lets the last name win.
      path: 'etc/cloud/cloud.cfg.d/zz-ascend.cfg',
      content: lines.join('\n'),
      mode: 0o644,
      reason:
        sources === null
          ? 'cloud-init sees a new machine and would give it a new host name and new host keys'
          : 'cloud-init is pinned to data sources that the target does not have, and would renew name and keys',
    },
  ];
}

function isOff(guest: GuestFacts): boolean {
  return guest.linux?.cloudInit?.disabled ?? guest.boot?.cloudInit !== true;
}

/** Plans that cloud-init does not undo the restore: network, host name and host keys stay, and it finds its data source. */
export function planCloudInit(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  if (isOff(guest)) return nothingPlanned;
  const path = 'etc/cloud/cloud.cfg.d/99-ascend-network.cfg';
  const identity = guest.linux === undefined ? [] : planSources(guest, needs);
  if (guest.linux?.cloudInit?.networkDisabled === true) return { edits: identity, findings: [] };
  const network: GuestEdit = {
    kind: 'write-file',
    path,
    content: '# Written by Ascend: the restored network configuration stays.\nnetwork: {config: disabled}\n',
    mode: 0o644,
    reason: 'cloud-init sees a new machine and would write the network configuration anew',
  };
  const finding = guestFinding({
    code: 'GUEST_NETWORK_RESET',
    severity: 'fixed',
    message: 'cloud-init would write the network configuration anew on the target',
    evidence: 'usr/bin/cloud-init is installed and not disabled',
    action: `its network part is switched off in ${path}`,
  });
  return { edits: [network, ...identity], findings: [finding] };
}
