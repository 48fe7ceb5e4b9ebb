import {
  platformIds,
  type BootReport,
  type GuestNeeds,
  type GuestNeedsVariant,
  type LedgerEntry,
  type PlatformCapabilities,
  type TargetFacts,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { systemClock, type Clock } from '@ascend/runtime';
import { checkFit } from '../checkFit.ts';
import type { Connector, CreateVmParams, OpenSinkParams, TargetSession, VmRef } from '../connector.ts';
import { createFaultScript, type FaultScript } from './faultScript.ts';
import { createMemoryDisk, createMemorySink, digestOf, type MemoryDisk } from './memoryDisk.ts';

const limit = (value: number) => ({ value, source: 'in-memory platform', readOn: '2026-11-21' });
const gib = 1024 ** 3;

/** What the in-memory platform allows: small numbers, so that tests reach them. */
export const memoryCapabilities: PlatformCapabilities = {
  platform: platformIds[0],
  firmware: ['bios', 'uefi'],
  maxDisks: limit(4),
  maxDiskBytes: limit(64 * gib),
  diskRoundingBytes: 512,
  maxNics: limit(2),
  diskBuses: ['virtio-blk'],
  nicModels: ['virtio-net-pci'],
  importShape: 'disks-then-vm',
  resumableTransfer: true,
  maxNameLength: 40,
  namePattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
  ownsMac: false,
  secureBoot: false,
  tpm: false,
  architectures: ['x86_64', 'i386', 'i686'],
  rehearsal: false,
};

const memoryGuestNeeds: GuestNeeds = {
  linuxStorageModules: ['virtio_blk'],
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: [],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
};

/** One kind of hardware for every bus. */
const memoryHardware: readonly GuestNeedsVariant[] = [
  { id: 'memory', diskBuses: memoryCapabilities.diskBuses, needs: memoryGuestNeeds },
];

/** A VM on the in-memory platform; the same object for its whole life. */
export interface MemoryVm {
  readonly id: string;
  readonly name: string;
  /** null for a VM of somebody else. */
  readonly ownedName: string | null;
  readonly jobId: string | null;
  readonly diskNames: readonly string[];
  running: boolean;
  notes: string | null;
}

/** The in-memory platform: state that outlives sessions, and the faults its calls act out. */
export interface MemoryPlatform {
  readonly connector: Connector;
  readonly script: FaultScript;
  readonly disks: Map<string, MemoryDisk>;
  readonly vms: Map<string, MemoryVm>;
  /** Total bytes by storage name; free = total less what the disks hold. */
  readonly storages: Map<string, number>;
  /** What verifyBoot answers for a running VM. */
  bootReport: BootReport;
}

interface Ownership extends Pick<LedgerEntry, 'kind' | 'name' | 'token'> {
  readonly jobId: string;
}

interface World extends MemoryPlatform {
  /** Everything owned, before the last change: what a stale listing shows. */
  before: readonly Ownership[];
}

const passedReport: BootReport = {
  verdict: 'passed',
  evidence: [{ rung: 'serial-marker', passed: true, summary: 'READY', atMs: 0 }],
  addresses: ['10.0.2.77'],
  readyAfterMs: 10,
  acceleration: 'tcg',
  serialTail: 'READY\n',
  screenshotPng: null,
};

function owned(world: World): readonly Ownership[] {
  const disks = [...world.disks.values()].map((disk) => ({
    jobId: disk.jobId,
    kind: 'disk' as const,
    name: disk.name,
    token: { diskIndex: disk.diskIndex, name: disk.name, token: null },
  }));
  const vms = [...world.vms.values()].flatMap((vm) =>
    vm.ownedName === null || vm.jobId === null
      ? []
      : [{ jobId: vm.jobId, kind: 'vm' as const, name: vm.ownedName, token: vmRef(vm) }],
  );
  return [...disks, ...vms];
}

function change<T>(world: World, body: () => T): T {
  const before = owned(world);
  const result = body();
  world.before = before;
  return result;
}

function vmRef(vm: MemoryVm): VmRef {
  return { id: vm.id, name: vm.name, token: null };
}

function freeBytes(world: World, storage: string): number {
  const used = [...world.disks.values()]
    .filter((disk) => disk.storage === storage)
    .reduce((sum, disk) => sum + disk.allocatedBytes(), 0);
  return (world.storages.get(storage) ?? 0) - used;
}

function factsOf(world: World, clock: Clock): TargetFacts {
  return {
    targetId: '',
    apiVersion: '1',
    storages: [...world.storages].map(([name, totalBytes]) => ({
      name,
      totalBytes,
      freeBytes: freeBytes(world, name),
    })),
    networks: [{ name: 'lan', about: 'the only one' }],
    vmNames: [...world.vms.values()].map((vm) => vm.name),
    cpuCount: 8,
    memoryBytes: 16 * gib,
    acceleration: 'none',
    fetchedAt: new Date(clock.now()).toISOString(),
  };
}

function createVm(world: World, params: CreateVmParams): VmRef {
  const all = [...world.vms.values()];
  const mine = all.find((vm) => vm.ownedName === params.ownedName);
  if (mine !== undefined) return vmRef(mine);
  if (all.some((vm) => vm.name === params.vm.name)) {
    throw new AppError({
      code: 'TARGET_NAME_TAKEN',
      message: `create VM ${params.vm.name}: the name is taken`,
    });
  }
  const missing = params.disks.find((disk) => world.disks.get(disk.ref.name)?.state !== 'finished');
  if (missing !== undefined) {
    const message = `create VM ${params.vm.name}: disk ${missing.ref.name} is not there or not finished`;
    throw new AppError({ code: 'TARGET_DISK_MISSING', message });
  }
  const vm: MemoryVm = {
    id: `vm-${world.script.count('createVm')}`,
    name: params.vm.name,
    ownedName: params.ownedName,
    jobId: params.jobId,
    diskNames: params.disks.map((disk) => disk.ref.name),
    running: false,
    notes: null,
  };
  return change(world, () => {
    world.vms.set(vm.id, vm);
    return vmRef(vm);
  });
}

function openDisk(world: World, params: OpenSinkParams): { disk: MemoryDisk; kept: boolean } {
  const existing = world.disks.get(params.name);
  if (existing !== undefined && params.resume) return { disk: existing, kept: true };
  if (params.disk.bytesToMove > freeBytes(world, params.disk.storage)) {
    const message = `open disk ${params.name}: storage ${params.disk.storage} has ${freeBytes(world, params.disk.storage)} bytes free`;
    throw new AppError({ code: 'TARGET_STORAGE_FULL', message });
  }
  const disk = createMemoryDisk({
    name: params.name,
    jobId: params.jobId,
    diskIndex: params.disk.diskIndex,
    storage: params.disk.storage,
    sizeBytes: params.disk.targetSizeBytes,
  });
  change(world, () => world.disks.set(params.name, disk));
  return { disk, kept: false };
}

function destroy(world: World, resource: Pick<LedgerEntry, 'kind' | 'name'>): void {
  change(world, () => {
    if (resource.kind === 'disk') world.disks.delete(resource.name);
    for (const vm of world.vms.values()) {
      if (resource.kind === 'vm' && vm.ownedName === resource.name) world.vms.delete(vm.id);
    }
  });
}

function requireVm(world: World, ref: VmRef): MemoryVm {
  const vm = world.vms.get(ref.id);
  if (vm === undefined) {
    throw new AppError({ code: 'TARGET_VM_MISSING', message: `find VM ${ref.name}: it is not there` });
  }
  return vm;
}

function createSession(world: World, clock: Clock): TargetSession {
  const { script } = world;
  return {
    inventory: (signal) => script.perform('inventory', signal, () => factsOf(world, clock)),
    check: (params) =>
      script.perform('check', params.signal, () => {
        const foreign = [...world.vms.values()].filter(
          (vm) => vm.ownedName === null || !params.ownNames.includes(vm.ownedName),
        );
        return checkFit({
          wish: params,
          capabilities: memoryCapabilities,
          facts: factsOf(world, clock),
          foreignVmNames: foreign.map((vm) => vm.name),
        });
      }),
    openSink: (params) =>
      script.perform('openSink', params.signal, () => {
        const { disk, kept } = openDisk(world, params);
        const remove = (): void => destroy(world, { kind: 'disk', name: params.name });
        return {
          sink: createMemorySink({ disk, script, signal: params.signal, remove }),
          ref: { diskIndex: disk.diskIndex, name: disk.name, token: null },
          alreadyFinished: disk.state === 'finished',
          kept,
        };
      }),
    digest: (ref, signal) =>
      script.perform('digest', signal, () => {
        const disk = world.disks.get(ref.name);
        if (disk?.state === 'finished') return digestOf(disk);
        const message = `read disk ${ref.name}: it is not there or not finished`;
        throw new AppError({ code: 'TARGET_DISK_MISSING', message });
      }),
    createVm: (params) => script.perform('createVm', params.signal, () => createVm(world, params)),
    powerOn: (ref, signal) =>
      script.perform('powerOn', signal, () => {
        requireVm(world, ref).running = true;
      }),
    powerOff: (ref, signal) =>
      script.perform('powerOff', signal, () => {
        const vm = world.vms.get(ref.id);
        if (vm !== undefined) vm.running = false;
      }),
    verifyBoot: (params) =>
      script.perform('verifyBoot', params.signal, () => {
        if (requireVm(world, params.vm).running) return world.bootReport;
        throw new AppError({ code: 'TARGET_VM_STOPPED', message: `watch VM ${params.vm.name}: it is off` });
      }),
    configureVm: (params) =>
      script.perform('configureVm', params.signal, () => {
        requireVm(world, params.vm).notes = params.spec.notes ?? `restored by job ${params.jobId}`;
        return [];
      }),
    findOwned: (jobId, signal) =>
      script.perform('findOwned', signal, (fault) => {
        const all = fault === 'stale' ? world.before : owned(world);
        return all
          .filter((entry) => entry.jobId === jobId)
          .map(({ kind, name, token }) => ({ kind, name, token }));
      }),
    destroy: (resource, signal) => script.perform('destroy', signal, () => destroy(world, resource)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * A whole platform in memory: keeps the bytes it is given, refuses what a strict platform refuses, and acts out the
 * faults of its script. Two sessions see the same world, so a "crash" is: drop the session, open another.
 */
export function createMemoryPlatform(params: { readonly clock?: Clock } = {}): MemoryPlatform {
  const clock = params.clock ?? systemClock;
  const script = createFaultScript(clock);
  const connector: Connector = {
    platform: memoryCapabilities.platform,
    capabilities: memoryCapabilities,
    guestNeeds: memoryHardware,
    parseConnection: (input) => {
      const entries = typeof input === 'object' && input !== null ? Object.entries(input) : [];
      const region: unknown = new Map<string, unknown>(entries).get('region');
      if (typeof region === 'string' && region !== '' && entries.length === 1) return { region };
      throw new AppError({
        code: 'TARGET_CONNECTION_INVALID',
        message: 'parse connection: region must be a text that is not empty, and the only field',
      });
    },
    open: (_connection, deps) => script.perform('open', null, () => createSession(world, deps.clock)),
  };
  const world: World = {
    connector,
    script,
    disks: new Map(),
    vms: new Map(),
    storages: new Map([
      ['fast', 8 * gib],
      ['tiny', 1024],
    ]),
    bootReport: passedReport,
    before: [],
  };
  return world;
}
