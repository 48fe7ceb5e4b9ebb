import type { DiskFacts, GuestFacts, SourceClueKind, VmSpec } from '@ascend/domain';
import type { SourceClue } from './detectSource.ts';
import type { RecognisedReading } from './readDocument.ts';

/** What is known of a backup; leave out what is not. */
export interface SourceEvidence {
  /** Documents beside the backup, as they were read. */
  readonly documents?: readonly Pick<RecognisedReading, 'format' | 'platform' | 'evidence'>[];
  /** A specification whose format tells no platform (OVF), or one that was stored. */
  readonly spec?: VmSpec | null;
  readonly guest?: GuestFacts | null;
  readonly disks?: readonly DiskFacts[];
  /** Texts of the firmware's tables that were kept somewhere: vendor, product, asset tag. */
  readonly dmi?: readonly string[];
}

function clue(kind: SourceClueKind, value: string | null, where: string): readonly SourceClue[] {
  return value === null || value === '' ? [] : [{ kind, value, where }];
}

function ofSpec(spec: VmSpec): readonly SourceClue[] {
  return [
    ...spec.nics.flatMap(({ nicIndex, mac, model }) => [
      ...clue('mac', mac, `network interface ${nicIndex} of the specification`),
      ...clue('nic-model', model, `network interface ${nicIndex} of the specification`),
    ]),
    ...spec.disks.flatMap(({ diskIndex, bus, sourceName, vmwareDiskKey }) => [
      ...clue('disk-bus', bus, `disk ${diskIndex} of the specification`),
      ...clue('file-name', sourceName ?? null, `disk ${diskIndex} of the specification`),
      ...clue('disk-key', vmwareDiskKey === null ? null : String(vmwareDiskKey), `disk ${diskIndex}`),
    ]),
  ];
}

/** What starts with a Linux guest. An agent that is off was of another platform, or is our own work. */
function ofLinux(guest: GuestFacts): readonly SourceClue[] {
  const { agents = [], cloudInit = null } = guest.linux ?? {};
  const running = agents.flatMap(({ id, services }) => {
    const on = services.find(({ state }) => state === 'enabled' || state === 'static');
    return on === undefined ? [] : clue('agent', id, on.path);
  });
  // A list of several is the distribution's default and tells nothing.
  const pinned = (cloudInit?.datasources ?? []).filter((source) => source !== 'None');
  const [source = null] = pinned.length === 1 && cloudInit?.disabled === false ? pinned : [];
  return [...running, ...clue('data-source', source, 'configuration of cloud-init')];
}

/** Services of the control set in use that start by themselves. */
function ofWindows({ windows }: GuestFacts): readonly SourceClue[] {
  if (windows === undefined) return [];
  const name = `ControlSet${String(windows.select.current ?? 1).padStart(3, '0')}`;
  const set = windows.controlSets.find((candidate) => candidate.name === name) ?? windows.controlSets[0];
  const services = (set?.services ?? []).filter(({ start }) => start !== null && start <= 2);
  return [
    ...services.flatMap((service) => clue('service', service.name, `registry, ${set?.name ?? name}`)),
    ...windows.interfaces.flatMap(({ mac, id }) => clue('guest-mac', mac, `registry, interface ${id}`)),
  ];
}

function ofGuest(guest: GuestFacts): readonly SourceClue[] {
  return [
    ...ofLinux(guest),
    ...ofWindows(guest),
    ...guest.nics.flatMap(({ mac, configPath }) => clue('guest-mac', mac, configPath)),
    ...(guest.linux?.persistentNames ?? []).flatMap(({ mac, path }) => clue('guest-mac', mac, path)),
  ];
}

function ofDisks(disks: readonly DiskFacts[]): readonly SourceClue[] {
  return disks.flatMap(({ diskIndex, layers }) =>
    layers.flatMap(({ format, relPath }) => [
      ...clue('disk-format', format, `disk ${diskIndex}, ${relPath}`),
      ...clue('file-name', relPath, `disk ${diskIndex}`),
    ]),
  );
}

/** Everything in metadata, guest and disks that may tell where a backup was taken. Pure. */
export function sourceClues(evidence: SourceEvidence): readonly SourceClue[] {
  const { documents = [], spec = null, guest = null, disks = [], dmi = [] } = evidence;
  return [
    ...documents.flatMap(({ platform, format, evidence: why }) =>
      clue('document', platform, `${format ?? 'document'}: ${why}`),
    ),
    ...(spec === null ? [] : ofSpec(spec)),
    ...(guest === null ? [] : ofGuest(guest)),
    ...ofDisks(disks),
    ...dmi.flatMap((text) => clue('dmi', text, 'tables of the firmware')),
  ];
}
