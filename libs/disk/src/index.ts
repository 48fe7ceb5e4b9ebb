export * from './blockdev.ts';
export { isInside, openRoot } from './chain/locate.ts';
export { openChain, type ChainLayer, type DiskChain, type OpenChainParams } from './chain/chain.ts';
export {
  assertChainUnchanged,
  assertFingerprint,
  fingerprintOf,
  type FingerprintDisk,
} from './chain/fingerprint.ts';
export {
  attachBandwidthLimiter,
  chainThrottles,
  createBandwidthLimiter,
  type BandwidthLimiter,
  type Throttle,
} from './copy/bandwidth.ts';
export { copyDisk, digestDisk, type CopyDiskParams, type CopyTuning } from './copy/copyDisk.ts';
export type { BlockDigestListener } from './copy/completion.ts';
export { monotonicClock } from './copy/monotonicClock.ts';
export type { ReadEngine } from './copy/openCopySource.ts';
export {
  defaultRetryPolicy,
  retryingSink,
  retryingSource,
  type RetryParams,
  type RetryPolicy,
} from './copy/retry.ts';
export type { CopyProgress } from './copy/pass.ts';
export type { Extent } from './extent.ts';
export { connectNbd, type ConnectNbdParams, type NbdClient } from './nbd/client.ts';
export {
  chooseEngine,
  fallBack,
  type EngineChoice,
  type EngineWish,
  type WriteEngine,
} from './qemu/chooseEngine.ts';
export { convertWithQemuImg, type ConvertParams } from './qemu/convert.ts';
export { convertFormats, type ConvertFormat } from './qemu/convertFormats.ts';
export { copyDelta, type CopyDeltaParams, type DeltaResult } from './delta/copyDelta.ts';
export { listChanges, olderImage } from './delta/olderPoint.ts';
export type { ExportEstimate } from './estimate/estimateExport.ts';
export { fileFacts, type WriteBound } from './estimate/fileFacts.ts';
export {
  exportAppliance,
  type ApplianceDisk,
  type ApplianceResult,
  type ExportApplianceParams,
} from './export/exportAppliance.ts';
export { planAppliance, type AppliancePlan, type PlanApplianceParams } from './export/planAppliance.ts';
export { exportDisk, type ExportResult } from './export/exportDisk.ts';
export type { ExportProgress, RunExportParams } from './export/copyToStaged.ts';
export {
  engineOf,
  exportEngines,
  fileFormatOf,
  knownFormats,
  type ExportEngine,
} from './export/exportFormat.ts';
export { openPoint, planExport, type ExportPlan, type PlanExportParams } from './export/planExport.ts';
export { inspectDisk, type InspectedDisk, type InspectedLayer } from './inspect/inspectDisk.ts';
export type { TcpAddress } from './nbd/socket.ts';
export type { TlsPsk } from './nbd/startTls.ts';
export { createOverlay, recordBacking, sealOverlay } from './overlay.ts';
export { exportFuse, removeStaleMounts, type ExportFuseParams, type FuseExport } from './qemu/fuseExport.ts';
export {
  serveNbd,
  serveNbdOnTcp,
  type NbdServer,
  type NbdTcpServer,
  type ServeNbdOnTcpParams,
  type ServeNbdParams,
} from './qemu/nbdServer.ts';
export {
  borrowDisk,
  measurePeer,
  openPeerSource,
  type BorrowDiskParams,
  type DiskBorrowing,
} from './peer/borrowDisk.ts';
export { lendDisk, type DiskLoan, type LendDiskParams, type OpenSession } from './peer/lendDisk.ts';
export type { ListenAt } from './peer/listener.ts';
export type { LoanEnd } from './peer/loanLife.ts';
export { choosePeerMode, type PeerMeasure } from './peer/measure.ts';
export type { ByteLimiter } from './peer/sendFrames.ts';
export type { PeerMode, PeerSide } from './peer/ticket.ts';
export * from './output.ts';
export * from './sink.ts';
export { surveyDisk, type DiskSurvey } from './survey.ts';
export type { DiskSource } from './source/diskSource.ts';
export { changedExtents, changedExtentsOf } from './source/changedExtents.ts';
export { openDirectSource, type DirectSource } from './source/directSource.ts';
export { openSource, type SourceEngine } from './source/openSource.ts';
export { readAll } from './source/readAll.ts';
export {
  fileFormats,
  openFileSink,
  type FileFormat,
  type OpenedFileSink,
  type OpenFileSinkParams,
} from './sinks/fileSink.ts';
export { createStreamOptimizedSink, type StreamOptimizedParams } from './vmdk/streamOptimizedSink.ts';
export type { VmdkAdapterType } from './vmdk/descriptor.ts';
export { analyzeChain, type DiskAnalysis } from './chain/analyzeChain.ts';
export { probeImage, type ImageFacts } from './repository/probeImage.ts';
export { scanRepository } from './repository/scanRepository.ts';
export { bundledModule } from './worker/bundledModule.ts';
export { copyInWorker, type CopyInWorkerParams, type WorkerCopyResult } from './worker/copyInWorker.ts';
export { fileSinkModule, type FileSinkModuleParams } from './worker/fileSinkModule.ts';
export type { OnFailure } from './worker/messages.ts';
export type { OpenedModuleSink, OpenModuleSink, SinkModule, SinkModuleIo } from './worker/sinkModule.ts';
export type { StructureReport } from './blocks/structureReport.ts';
export { checkVhd } from './vhd/checkVhd.ts';
export { buildVhdFooter, newVhdFooter, type VhdFooter } from './vhd/vhdFooter.ts';
export { maxVhdBytes, vhdSizeBytes } from './vhd/vhdSize.ts';
export { checkVhdx } from './vhdx/checkVhdx.ts';
export { maxVhdxBytes } from './vhdx/vhdxLayout.ts';
export { openVhdxSink, type VhdxOptions } from './vhdx/vhdxSink.ts';
export type { FileSinkParams, PartialFileSink } from './sinks/partialSink.ts';
export { openFileOutput, type OpenFileOutputParams } from './outputs/fileOutput.ts';
export { openHttpOutput, type OpenHttpOutputParams } from './outputs/httpOutput.ts';
export type { PatchableOutput } from './outputs/patchableOutput.ts';
export type { S3Credentials, S3Target } from './outputs/s3Client.ts';
export { openS3Output, type OpenS3OutputParams } from './outputs/s3Output.ts';
export {
  decodeExtentStream,
  frameDataBytes,
  frameHeadBytes,
  type StreamedExtent,
} from './network/extentStream.ts';
export type { StreamChecksum } from './network/extentStream.ts';
export type { HttpTimeouts } from './network/httpExchange.ts';
export {
  openHttpRangeSink,
  type HttpCall,
  type HttpRangeSinkParams,
  type OpenedNetworkSink,
} from './network/httpRangeSink.ts';
export { openNbdSink, type OpenNbdSinkParams } from './network/nbdSink.ts';
export { createStreamSink, type StreamSinkParams } from './network/streamSink.ts';
export type { HttpTls } from './network/tlsTrust.ts';
export { openOvaWriter, type OvaWriter, type OvaWriterParams } from './ova/ovaWriter.ts';
export { streamOptimizedFormat, type OvfDiskFormat } from './ova/ovfDescriptor.ts';
export type { VmDescription } from './ova/vmDescription.ts';
export { reserveSpace, type ReserveSpaceParams, type SpaceReservation } from './space/reserveSpace.ts';
export {
  verifyDisk,
  type SampleReport,
  type VerifyDiskParams,
  type VerifyReport,
} from './verify/verifyDisk.ts';
export { verifyModes, type VerifyMode } from './verify/verifyMode.ts';
