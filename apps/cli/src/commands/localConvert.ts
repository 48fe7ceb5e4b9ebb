import { resolve } from 'node:path';
import { platformIds } from '@ascend/domain';
import { createLogger } from '@ascend/runtime';
import type { Command } from 'commander';
import type { ConvertOptions } from '../local/convertRequest.ts';
import { collect, type CommandContext } from './context.ts';
import { addGuestOptions, addKeyOption, addSourceOptions } from './guestOptions.ts';
import { withWorkDir } from './localExport.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

async function convert(
  context: CommandContext,
  disks: readonly string[],
  options: ConvertOptions,
): Promise<void> {
  // Loaded only here: the other commands need neither disk nor guest code.
  const { readConvertRequest } = await import('../local/convertRequest.ts');
  const { planConversion, runConversion } = await import('../local/convertDisks.ts');
  const view = await import('../output/localConvert.ts');
  const request = await readConvertRequest(disks, options, (text) => context.output.note(text));
  await withWorkDir(async (workDir) => {
    const { output, signal } = context;
    const work = {
      workDir,
      signal,
      logger: createLogger({ name: 'ascend', level: options.verbose === true ? 'debug' : 'error' }),
      report: (phase: string) => output.note(`${phase} …`),
    };
    const plan = await planConversion(request, work);
    for (const remark of plan.source.remarks) output.note(remark);
    if (options.plan === true || options.out === undefined) {
      output.result(view.conversionPlanJson(plan), view.formatConversionPlan(plan));
      return;
    }
    const out = resolve(options.out);
    const done = await runConversion(plan, out, work);
    output.result(view.conversionJson(plan, done, out), view.formatConversion(plan, done, out));
  });
}

const convertHelp = `
Platforms: ${platformIds.join(', ')}.

The disks of one VM at one point in time, in their order, each named by the top file of its chain (qcow2, vhd, vhdx, vmdk, raw). They are opened
read-only. --out gets one sealed overlay per disk (disk-0.qcow2 …, which name the backup as their backing file) and conversion.json. What
was written is read back another way before it is sealed; on a failure nothing is left. --plan tells every edit with its reason and every
obstacle, and writes nothing.

A guest with volumes that this machine cannot mount (LVM of every kind, RAID, LUKS) is prepared through a libguestfs appliance, which is
built in ~/.cache/ascend/appliance when it is first needed; the findings say who did it and why.

Which hardware of the platform is prepared for follows from the firmware (given, of the specification, or as the disks are laid out) and
from --disk-bus; its usual one is the default. A Linux guest laid out for the other firmware gets GRUB for this one on the overlay (BIOS to
UEFI and back), where its disk has room and its menu is GRUB's; else the obstacle is told. Such a loader is not signed: leave Secure Boot off.

Examples:
  ascend local convert inc3-disk0.qcow2 inc3-disk1.qcow2 --for PLATFORM --plan
  ascend local convert /backups/web1/disk-0/inc3.qcow2 --for PLATFORM --disk-bus nvme --out /srv/web1
  ascend local convert luks.qcow2 --for PLATFORM --key 6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105=root.key --out db1
  ascend local convert inc3.qcow2 --for PLATFORM --out web1 --mac 0=00:50:56:aa:bb:01 --re-ip 10.0.2.0/24=10.9.2.0/24 --first-boot fix-dns.sh`;

/** Adds `ascend local convert`. */
export function addLocalConvert(local: Command, run: Run): void {
  const command = local
    .command('convert <disk...>')
    .description(
      'make a guest ready for the hardware of another platform, on overlays; a backup is never written',
    )
    .requiredOption('--for <platform>', 'where the guest shall run, see below')
    .option('--out <dir>', 'folder for the overlays; made when missing, else empty')
    .option('--plan', 'show what would be changed and what stands in the way, write nothing')
    .option('--spec <file>', 'description of the VM in any known format: firmware, MAC addresses, interfaces')
    .option('--spec-vm <name>', 'which VM, where the file describes several')
    .option(
      '--mac <nic=mac>',
      'MAC address of a NIC, where neither spec nor guest tells (repeatable)',
      collect,
      [],
    )
    .option(
      '--firmware <bios|uefi>',
      'of the new VM; default: of the specification, else as the disks are laid out, where the platform has that',
    )
    .option('--disk-bus <bus>', "bus of the boot disk in the platform's words, e.g. nvme, ide, lsilogic")
    .option(
      '--repository-root <dir>',
      'folder that all files of the chains must lie in; default: the folder of each disk',
    )
    .option('--verbose', 'log to standard error');
  addKeyOption(addGuestOptions(addSourceOptions(command)))
    .addHelpText('after', convertHelp)
    .action((disks: string[], options: ConvertOptions) => run((context) => convert(context, disks, options)));
}
