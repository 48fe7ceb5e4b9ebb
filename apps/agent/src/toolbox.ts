import type {
  HostCapabilities,
  RestorePointFacts,
  ScannedImage,
  ScannedRepository,
  StepKind,
} from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import type { ConnectorRegistry, StepHandler } from '@ascend/steps';

/** The heavy parts of the agent, each loaded when first needed: an idle agent stays small. */
export interface Toolbox {
  readonly connectors: ConnectorRegistry;
  handlers(): Promise<Readonly<Partial<Record<StepKind, StepHandler>>>>;
  probeHost(scratchDir: string): Promise<HostCapabilities>;
  analyze(params: {
    readonly knownFingerprint: string | null;
    readonly backupId: string;
    readonly rootPath: string;
    readonly disks: readonly { readonly diskIndex: number; readonly path: string; readonly format: string }[];
    readonly workDir: string;
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
