import type { BootReport, Evidence, EvidenceRung } from '@ascend/domain';

/** Everything a watch has seen so far. */
export interface BootSigns {
  readonly agent: { readonly atMs: number; readonly addresses: readonly string[] } | null;
  /** The line that held the marker or the login prompt. */
  readonly marker: { readonly atMs: number; readonly line: string } | null;
  /** Addresses seen on the wire. */
  readonly wire: { readonly atMs: number; readonly addresses: readonly string[] };
  /** Why the guest will not come up. */
  readonly failure: string | null;
  /** The picture was the same twice and not of one colour. */
  readonly settledScreen: boolean;
  readonly expired: boolean;
}

/** What must be proven. */
export interface BootDemand {
  /** The least rung that counts; a better one counts as well. */
  readonly evidence: EvidenceRung;
  /** Bare IPv4 addresses. */
  readonly expected: readonly string[];
  /** The operator asked for a line of the console: no other proof stands for it. Default: false. */
  readonly onlyMarker?: boolean;
}

function networkSeen(signs: BootSigns, demand: BootDemand): boolean {
  const { addresses } = signs.wire;
  return addresses.length > 0 && demand.expected.every((address) => addresses.includes(address));
}

/** Has the demanded rung, or a better one, been reached? */
export function isProven(signs: BootSigns, demand: BootDemand): boolean {
  if (demand.evidence === 'none') return false;
  if (demand.onlyMarker === true) return signs.marker !== null;
  if (signs.agent !== null) return true;
  if (demand.evidence === 'guest-agent') return false;
  return signs.marker !== null || (demand.evidence === 'network' && networkSeen(signs, demand));
}

/**
 * The verdict so far; null = go on watching. Proof beats a failure sign (a panic after the marker is another story); lower
 * rungs than the demanded one, or a settled screen alone, are never more than inconclusive (D21).
 */
export function judgeBoot(signs: BootSigns, demand: BootDemand): BootReport['verdict'] | null {
  if (isProven(signs, demand)) return 'passed';
  if (signs.failure !== null) return 'failed';
  if (!signs.expired) return null;
  const isHalfProven =
    signs.agent !== null || signs.marker !== null || signs.wire.addresses.length > 0 || signs.settledScreen;
  return demand.evidence === 'none' || isHalfProven ? 'inconclusive' : 'failed';
}

/** Only the wire is network evidence; what the agent says is on its own rung. */
function networkEvidence(signs: BootSigns, demand: BootDemand): Evidence | null {
  const { addresses, atMs } = signs.wire;
  const missing = demand.expected.filter((address) => !addresses.includes(address));
  if (addresses.length === 0 && demand.expected.length === 0) return null;
  const seen = addresses.length === 0 ? 'no address' : addresses.join(', ');
  const summary =
    missing.length === 0 ? `${seen} seen on the wire` : `${missing.join(', ')} not seen; ${seen}`;
  return { rung: 'network', passed: addresses.length > 0 && missing.length === 0, summary, atMs };
}

/** The signs as a list of evidence, best rung first. `nowMs` stands for what has no time of its own. */
export function listEvidence(signs: BootSigns, demand: BootDemand, nowMs: number): readonly Evidence[] {
  const list: Evidence[] = [];
  if (signs.agent !== null) {
    const summary = `guest agent answered, addresses: ${signs.agent.addresses.join(', ') || 'none'}`;
    list.push({ rung: 'guest-agent', passed: true, summary, atMs: signs.agent.atMs });
  }
  if (signs.marker !== null) {
    list.push({ rung: 'serial-marker', passed: true, summary: signs.marker.line, atMs: signs.marker.atMs });
  } else if (signs.failure !== null) {
    list.push({ rung: 'serial-marker', passed: false, summary: signs.failure, atMs: nowMs });
  }
  const network = networkEvidence(signs, demand);
  if (network !== null) list.push(network);
  const summary = signs.settledScreen ? 'the picture has settled' : 'no settled picture';
  list.push({ rung: 'screenshot', passed: signs.settledScreen, summary, atMs: nowMs });
  return list;
}
