export { assertNotBlocked } from './blocked.ts';
export { bootReportSchema, notProven } from './bootProof.ts';
export {
  analyzeIfChanged,
  analyzeRestorePoint,
  type AnalyzeRestorePointParams,
} from './analysis/analyzeRestorePoint.ts';
export { scanCatalogue } from './catalogue/scanCatalogue.ts';
export { readVmSpecFile, type SpecFile, type SpecFileParams } from './catalogue/specFile.ts';
export type { FinalizeOutput } from './finalize/handler.ts';
export type { ReportedDisk, RestoreReport } from './finalize/report.ts';
export { handlers } from './handlers.ts';
export { writeOverlays, type OverlayDisk } from './prepareGuest/writeOverlays.ts';
export * from './runner.ts';
export * from './stepHandler.ts';
