import type { GuestFacts, GuestNeeds, PlannedNic } from '@ascend/domain';
import type { GuestEdit } from '../edits/guestEdit.ts';
import { planEdits } from '../edits/planEdits.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import type { TinyGuest } from './tinyGuest.ts';

/** What a virtio target needs of a guest. */
export const tinyNeeds: GuestNeeds = {
  linuxStorageModules: ['virtio_pci', 'virtio_blk'],
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: ['nvme', 'vmw_pvscsi'],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
};

/** The one card of a tiny guest. */
export const tinyNic: PlannedNic = {
  nicIndex: 0,
  mac: '00:50:56:aa:bb:01',
  model: 'virtio-net-pci',
  network: 'default',
  guestName: null,
  addresses: ['10.0.2.77/24'],
  rule: 'keep-mac-and-address',
};

/** A tiny guest, probed and planned, with a fresh overlay. */
export interface PlannedTinyGuest {
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly edits: readonly GuestEdit[];
  readonly needs: GuestNeeds;
}

/** Probes a tiny guest and plans its edits for `tinyNeeds`. */
export async function planTinyGuest(tiny: TinyGuest): Promise<PlannedTinyGuest> {
  const guest = await probeGuest({ ...tiny.context, images: [{ diskIndex: 0, image: tiny.image }] });
  const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
  return { images: [{ diskIndex: 0, image: await tiny.withOverlay() }], guest, edits, needs: tinyNeeds };
}
