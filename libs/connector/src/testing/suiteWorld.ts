import type { PlannedDisk, PlannedNic } from '@ascend/domain';
import type { Connector, ConnectorDeps, CreateVmParams, DiskRef, TargetSession } from '../connector.ts';
import { sampleDisk, sampleNic, sampleVm } from './samples.ts';

/** What a platform gives the suite to work with: a real or simulated target, and ways to look at it from outside. */
export interface ConnectorHarness extends AsyncDisposable {
  readonly connector: Connector;
  /** As an operator would enter it. */
  readonly connection: unknown;
  readonly invalidConnections: readonly unknown[];
  readonly deps: ConnectorDeps;
  readonly storage: string;
  readonly network: string;
  /** Can an empty VM be started here? */
  readonly starts: boolean;
  /** Reads a finished disk without the connector's help. */
  readDisk(ref: DiskRef, offsetBytes: number, lengthBytes: number): Promise<Uint8Array>;
  /** Puts a VM there that is not ours. */
  putForeignVm(name: string): Promise<void>;
  /** VMs on the target, whoever made them. */
  countVms(): Promise<number>;
}

/** What the parts of the suite share. */
export interface SuiteWorld {
  /** Set before the first test. */
  harness(): ConnectorHarness;
  openSession(): Promise<TargetSession>;
  /** Runs with a session and closes it. */
  withSession<T>(body: (session: TargetSession) => Promise<T>): Promise<T>;
  disk(sizeBytes?: number): PlannedDisk;
  nic(): PlannedNic;
  /** Writes `sizeBytes` of a pattern, finishes, and returns the reference. */
  makeDisk(jobId: string, name: string): Promise<DiskRef>;
  vmParams(jobId: string, name: string, ref: DiskRef): CreateVmParams;
}

/** Size of the disks that the suite makes. */
export const suiteDiskBytes = 1024 * 1024;

/** Bytes that differ by position, so that a block in the wrong place is seen. */
export function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => ((index >> 8) * 31 + index + seed) & 0xff);
}

/** Binds the shared parts to a harness that is set up later. */
export function createWorld(harness: () => ConnectorHarness): SuiteWorld {
  const openSession = (): Promise<TargetSession> => {
    const { connector, connection, deps } = harness();
    return connector.open(connector.parseConnection(connection), deps);
  };
  const disk = (sizeBytes = suiteDiskBytes): PlannedDisk =>
    sampleDisk({
      diskIndex: 0,
      sizeBytes,
      storage: harness().storage,
      bus: harness().connector.capabilities.diskBuses[0] ?? '',
    });
  const nic = (): PlannedNic =>
    sampleNic({ network: harness().network, model: harness().connector.capabilities.nicModels[0] ?? '' });
  const withSession: SuiteWorld['withSession'] = async (body) => {
    await using session = await openSession();
    return body(session);
  };
  return {
    harness,
    openSession,
    withSession,
    disk,
    nic,
    makeDisk: (jobId, name) =>
      withSession(async (session) => {
        const signal = new AbortController().signal;
        const opened = await session.openSink({ name, jobId, disk: disk(), resume: false, signal });
        await opened.sink.write(0, pattern(1, 4096));
        await opened.sink.finish();
        return opened.ref;
      }),
    vmParams: (jobId, name, ref) => ({
      jobId,
      ownedName: `ascend-${jobId}-create-vm-vm`,
      vm: sampleVm({ name, disks: [disk()], nics: [nic()] }),
      firmware: 'bios',
      disks: [{ planned: disk(), ref }],
      nics: [nic()],
      signal: new AbortController().signal,
    }),
  };
}
