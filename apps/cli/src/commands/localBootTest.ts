import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { platformIds } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { createLogger } from '@ascend/runtime';
import type { Command } from 'commander';
import type { RehearseRequest } from '../local/rehearse.ts';
import { collect, parseSize, parseWhole, type CommandContext } from './context.ts';
import { withWorkDir } from './localExport.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

interface BootTestOptions {
  as: string;
  firmware?: string;
  diskBus?: string;
  expect?: string;
  screenshot?: string;
  mac: string[];
  cpus?: string;
  memory?: string;
  timeout: string;
  repositoryRoot?: string;
  verbose?: boolean;
}

const maxTimeoutSeconds = 86_400;
const maxExpression = 1024;

function readExpression(text: string | undefined): RegExp | null {
  if (text === undefined) return null;
  try {
    if (text === '' || text.length > maxExpression) throw new Error(`1 to ${maxExpression} characters`);
    return new RegExp(text, 'u');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({ code: 'INPUT_INVALID', message: `read --expect: ${reason}`, cause });
  }
}

async function readRequest(disks: readonly string[], options: BootTestOptions): Promise<RehearseRequest> {
  const { platformOf } = await import('../registry.ts');
  const { firmwareOption } = await import('../local/hardware.ts');
  const { readMacs } = await import('../local/convertRequest.ts');
  const seconds = parseWhole('timeout', options.timeout);
  if (seconds < 1 || seconds > maxTimeoutSeconds) {
    const message = `read --timeout: ${seconds} is not from 1 to ${maxTimeoutSeconds} seconds`;
    throw new AppError({ code: 'INPUT_INVALID', message });
  }
  return {
    disks,
    platform: platformOf('as', options.as),
    repositoryRoot: options.repositoryRoot === undefined ? null : resolve(options.repositoryRoot),
    firmware: firmwareOption(options.firmware),
    diskBus: options.diskBus ?? null,
    macs: readMacs(options.mac),
    expect: readExpression(options.expect),
    cpuCount: options.cpus === undefined ? null : Math.max(1, parseWhole('cpus', options.cpus)),
    memoryBytes: options.memory === undefined ? null : parseSize('memory', options.memory),
    timeoutMs: seconds * 1000,
  };
}

/** Makes the file before the boot, so that a place that cannot be written is told at once. @throws {AppError} INPUT_INVALID */
async function openScreenshot(path: string) {
  return await open(path, 'wx', 0o644).catch((cause: unknown) => {
    const message = `read --screenshot: ${path} is there already or cannot be made`;
    throw new AppError({ code: 'INPUT_INVALID', message, details: { path }, cause });
  });
}

async function test(
  context: CommandContext,
  disks: readonly string[],
  options: BootTestOptions,
): Promise<void> {
  const { rehearse } = await import('../local/rehearse.ts');
  const view = await import('../output/localBootTest.ts');
  const { notProven } = await import('@ascend/steps');
  const request = await readRequest(disks, options);
  const picture = options.screenshot === undefined ? null : resolve(options.screenshot);
  const file = picture === null ? null : await openScreenshot(picture);
  try {
    await withWorkDir(async (workDir) => {
      const { output, signal } = context;
      let told = '';
      const rehearsed = await rehearse(request, {
        workDir,
        signal,
        logger: createLogger({ name: 'ascend', level: options.verbose === true ? 'debug' : 'error' }),
        report: (phase) => {
          if (phase !== told) output.note(`${phase} …`);
          told = phase;
        },
      });
      const { report } = rehearsed;
      await file?.writeFile(Buffer.from(report.screenshotPng ?? '', 'base64'));
      const shown = report.screenshotPng === null ? null : picture;
      output.result(view.bootTestJson(rehearsed, shown), view.formatBootTest(rehearsed, shown));
      if (report.verdict !== 'passed') throw notProven(report, `boot test as ${rehearsed.platform}`);
    });
  } finally {
    await file?.close();
  }
}

const bootTestHelp = `
Platforms: ${platformIds.join(', ')}.

The disks are booted in an emulator on hardware that stands for the platform's, on throw-away overlays, without a way to any network. Give the
folder that local convert wrote, or disks as they are (each named by the top file of its chain). What counts is, best first: the guest
agent, a login prompt on the serial console, the guest's address on the wire; with --expect that line and nothing else. Devices that no
emulator has (ena, the VMBus, Xen, LSI) are replaced by others the guest knows and named; their drivers are looked up in the guest's files.

The exit code is 0 only when the boot is proven, 10 when it is not; the result is printed all the same.

Examples:
  ascend local boot-test /srv/web1 --as PLATFORM --expect 'web1 login:' --screenshot web1.png
  ascend local boot-test inc3-disk0.qcow2 inc3-disk1.qcow2 --as PLATFORM --disk-bus nvme --json`;

/** Adds `ascend local boot-test`. */
export function addLocalBootTest(local: Command, run: Run): void {
  local
    .command('boot-test <disk...>')
    .description("boot disks on a platform's hardware model and show the evidence; nothing is changed")
    .requiredOption('--as <platform>', 'whose hardware, see below')
    .option('--firmware <bios|uefi>', 'default: as converted, else as the disks are laid out')
    .option(
      '--disk-bus <bus>',
      "bus of the disks in the platform's words; default: as converted, else its usual one",
    )
    .option('--expect <regex>', 'a line of the serial console that must appear; default: any proof')
    .option('--screenshot <file>', 'write the last picture of the screen as PNG')
    .option('--mac <nic=mac>', 'MAC address of a NIC (repeatable)', collect, [])
    .option('--cpus <n>', 'number of CPUs; default: of the conversion, else 2')
    .option(
      '--memory <size>',
      'memory, e.g. 2G; default: of the conversion, else 2G, at most half of what is free',
    )
    .option('--timeout <seconds>', 'wall limit of the boot', '600')
    .option(
      '--repository-root <dir>',
      'folder that all files of the chains must lie in; default: the folder of each disk',
    )
    .option('--verbose', 'log to standard error')
    .addHelpText('after', bootTestHelp)
    .action((disks: string[], options: BootTestOptions) => run((context) => test(context, disks, options)));
}
