export * from './blockdev.ts';
export { isInside, openRoot } from './chain/locate.ts';
export { openChain, type ChainLayer, type DiskChain, type OpenChainParams } from './chain/chain.ts';
export {
  assertChainUnchanged,
  assertFingerprint,
  fingerprintOf,
  type FingerprintDisk,
} from './chain/fingerprint.ts';
export { copyDisk, digestDisk, type CopyDiskParams } from './copy/copyDisk.ts';
export type { CopyProgress } from './copy/runBlocks.ts';
export type { Extent } from './extent.ts';
export { connectNbd, type ConnectNbdParams, type NbdClient } from './nbd/client.ts';
export { createOverlay, sealOverlay } from './overlay.ts';
export { exportFuse, removeStaleMounts, type ExportFuseParams, type FuseExport } from './qemu/fuseExport.ts';
export { serveNbd, type NbdServer, type ServeNbdParams } from './qemu/nbdServer.ts';
export * from './output.ts';
export * from './sink.ts';
export type { DiskSurvey } from './survey.ts';
export type { DiskSource } from './source/diskSource.ts';
export {
  openFileSink,
  type FileFormat,
  type OpenedFileSink,
  type OpenFileSinkParams,
} from './sinks/fileSink.ts';
export { analyzeChain, type DiskAnalysis } from './chain/analyzeChain.ts';
export { probeImage, type ImageFacts } from './repository/probeImage.ts';
export { scanRepository } from './repository/scanRepository.ts';
