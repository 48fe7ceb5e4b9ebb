import { openSource } from '../source.ts';
import type { StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import type { AnalyzeSourceOutput } from './output.ts';

/** Opens every chain and compares it with the plan; the full analysis was made before the plan (D1). */
export const analyzeSource: StepHandler = {
  kind: 'analyze-source',
  run: (context) =>
    timed(context, async (): Promise<Omit<AnalyzeSourceOutput, 'startedAtMs' | 'endedAtMs'>> => {
      const { plan } = context.operation;
      const source = await openSource(plan);
      const chains = [...source.chains];
      return {
        fingerprint: plan.source.fingerprint,
        disks: chains.map(([diskIndex, chain]) => ({
          diskIndex,
          virtualSizeBytes: chain.virtualSizeBytes,
          layerCount: chain.layers.length,
        })),
        remarks: chains.flatMap(([diskIndex, chain]) =>
          chain.remarks.map((remark) => `disk ${diskIndex}: ${remark}`),
        ),
      };
    }),
};
