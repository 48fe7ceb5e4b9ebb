import type {
  HostCapabilities,
  RestorePointFacts,
  ScannedImage,
  ScannedRepository,
  StepKind,
} from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import type { ConnectorRegistry, StepContext, StepHandler } from '@ascend/steps';
import type { Config } from './config.ts';

/** The heavy parts of the agent, each loaded when first needed: an idle agent stays small. */
export interface Toolbox {
  readonly connectors: ConnectorRegistry;
  handlers(): Promise<Readonly<Partial<Record<StepKind, StepHandler>>>>;
  /** What this machine can do and what it has for guests; an `applianceDir` has the appliance tried. */
  probeHost(config: Pick<Config, 'scratchDir' | 'applianceDir' | 'guestSources'>): Promise<HostCapabilities>;
  analyze(params: {
    readonly knownFingerprint: string | null;
    readonly backupId: string;
    readonly rootPath: string;
    readonly disks: readonly { readonly diskIndex: number; readonly path: string; readonly format: string }[];
    readonly workDir: string;
    readonly appliance?: NonNullable<StepContext['appliance']>;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  }): Promise<RestorePointFacts | null>;
  scan(params: { readonly rootPath: string; readonly signal: AbortSignal }): Promise<ScannedRepository>;
  probeImages(params: {
    readonly rootPath: string;
    readonly paths: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<readonly ScannedImage[]>;
}
