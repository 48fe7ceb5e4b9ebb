import { isAbsolute, join, normalize, sep } from 'node:path';
import type { ScannedImage, SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import { connectors, loadSpecReaders } from './registry.ts';
import type { Toolbox } from './toolbox.ts';

const formats: readonly SourceFormat[] = ['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw', 'ebs-snapshot'];

function formatOf(text: string): SourceFormat {
  const format = formats.find((one) => one === text);
  if (format !== undefined) return format;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `analyze: format ${JSON.stringify(text)} is not known`,
  });
}

function insideRoot(rootPath: string, path: string): string {
  const absolute = normalize(isAbsolute(path) ? path : join(rootPath, path));
  if (absolute.startsWith(`${rootPath}${sep}`)) return absolute;
  throw new AppError({
    code: 'AGENT_REPOSITORY_UNKNOWN',
    message: `look at ${path}: lies outside of ${rootPath}`,
  });
}

async function probeImages(rootPath: string, paths: readonly string[], signal: AbortSignal) {
  const { openChain, probeImage } = await import('@ascend/disk');
  const images: ScannedImage[] = [];
  for (const path of paths) {
    signal.throwIfAborted();
    const absolute = insideRoot(rootPath, path);
    const facts = await probeImage(absolute);
    // Opening the whole chain is what refuses links and backing files that lead out of the repository.
    const { layers } = await openChain({ rootPath, path: absolute, format: facts.format });
    const [top, backing] = layers;
    if (top === undefined) throw new AppError({ code: 'INTERNAL_BUG', message: `look at ${path}: no layer` });
    images.push({
      relPath: top.relPath,
      format: top.format,
      fileSizeBytes: top.fileSizeBytes,
      mtimeMs: top.mtimeMs,
      virtualSizeBytes: top.virtualSizeBytes,
      backingRelPath: backing?.relPath ?? null,
    });
  }
  return images;
}

/** The real toolbox: every part is imported by the first call that needs it. */
export const tools: Toolbox = {
  connectors,
  handlers: async () => (await import('@ascend/steps')).handlers,
  probeHost: async ({ scratchDir, applianceDir, guestSources: sources }) => {
    const { describeSources, probeHost, workingAcceleration } = await import('@ascend/guest');
    const acceleration = await workingAcceleration({ workDir: scratchDir });
    const tried = applianceDir === null ? {} : { applianceCacheDir: applianceDir };
    const capabilities = await probeHost({ scratchDir, acceleration, ...tried });
    return { ...capabilities, guestSources: await describeSources({ sources, workDir: scratchDir }) };
  },
  analyze: async (params) => {
    const { analyzeIfChanged } = await import('@ascend/steps');
    const disks = params.disks.map((disk) => ({ ...disk, format: formatOf(disk.format) }));
    return await analyzeIfChanged({ ...params, disks, clock: systemClock });
  },
  scan: async (params) => {
    const { scanCatalogue } = await import('@ascend/steps');
    return await scanCatalogue({ ...params, readers: await loadSpecReaders() });
  },
  probeImages: async ({ rootPath, paths, signal }) => await probeImages(rootPath, paths, signal),
};
