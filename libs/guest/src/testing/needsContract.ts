import {
  chooseNeeds,
  type GuestFacts,
  type GuestHardware,
  type GuestNeedsVariant,
  type PlannedNic,
} from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { busModules, nicModules } from '../boot/emulatedDevices.ts';
import { isMachineBus } from '../boot/machineSpec.ts';
import { planEdits } from '../edits/planEdits.ts';
import { agentIds } from '../linux/agents.ts';

/** A guest whose one kernel ships `modules`, with nothing of them in its initramfs. */
function guestWith(modules: readonly string[], firmware: GuestFacts['firmware']): GuestFacts {
  return {
    family: 'linux',
    distribution: 'debian',
    version: '12',
    arch: 'x86_64',
    hostname: 'guest',
    root: { diskIndex: 0, offsetBytes: 1048576, sizeBytes: 1e9, fileSystem: 'ext4' },
    firmware,
    initramfsTool: 'initramfs-tools',
    kernels: [
      {
        version: '6.1.0-10',
        initramfsPath: '/boot/initrd.img-6.1.0-10',
        initramfsModules: ['ext4'],
        availableModules: ['ext4', ...modules],
        builtinModules: [],
      },
    ],
    nics: [{ name: 'ens192', mac: null, addresses: ['10.0.2.77/24'], configPath: 'etc/network/interfaces' }],
    deviceNames: [],
    boot: {
      configPaths: ['boot/grub/grub.cfg'],
      consoles: [],
      grubDefaults: true,
      separateMounts: [],
      systemdVersion: 252,
      cloudInit: false,
    },
    linux: {
      init: 'systemd',
      agents: [],
      selinux: 'absent',
      cloudInit: null,
      networkFiles: [{ path: 'etc/network/interfaces', stack: 'ifupdown', addresses: ['10.0.2.77'] }],
      persistentNames: [],
      dhcpClient: true,
      blockedModules: [],
      deviceCaches: [],
      systemDiskSwaps: [],
      rcLocal: null,
    },
    remarks: [],
  };
}

function nicOf(variant: GuestNeedsVariant): PlannedNic {
  const dhcp = variant.needs.networkIdentity === 'platform-dhcp';
  return {
    nicIndex: 0,
    mac: dhcp ? null : '00:50:56:aa:bb:01',
    model: 'card',
    network: 'default',
    guestName: null,
    addresses: ['10.0.2.77/24'],
    rule: dhcp ? 'platform-dhcp' : 'keep-mac-and-address',
  };
}

/** Declares the checks that the needs of every platform pass: well formed, complete, and enough to plan a guest by. */
export function declareNeedsContract(name: string, hardware: GuestHardware): void {
  const variants = hardware.needs;
  describe(`needs of ${name}`, () => {
    it('have ids of their own, and every firmware and bus leads to a variant that boots it', () => {
      expect(new Set(variants.map(({ id }) => id)).size).toBe(variants.length);
      for (const { diskBuses, needs } of variants) {
        for (const diskBus of diskBuses) {
          for (const firmware of needs.firmware ?? (['bios', 'uefi'] as const)) {
            expect(chooseNeeds(variants, { firmware, diskBus })?.diskBuses).toContain(diskBus);
          }
        }
      }
    });

    it.each(variants.map((variant) => [variant.id, variant] as const))(
      '%s is well formed',
      (_, { needs }) => {
        const modules = [
          ...needs.linuxStorageModules,
          ...needs.linuxNetworkModules,
          ...needs.linuxOptionalModules,
        ];
        expect(needs.linuxStorageModules.length).toBeGreaterThan(0);
        expect(needs.linuxNetworkModules.length).toBeGreaterThan(0);
        expect(modules.filter((module) => !/^[a-z0-9_]+$/.test(module))).toEqual([]);
        const { enable = [], disable = [], install = [] } = needs.agents ?? {};
        expect(install.filter(({ id }) => !enable.includes(id))).toEqual([]);
        const services = install.flatMap((agent) => agent.services ?? []);
        expect(services.filter((name) => !/^[\w-]+\.service$/.test(name))).toEqual([]);
        expect([...enable, ...disable].filter((id) => !agentIds.includes(id))).toEqual([]);
        expect(enable.filter((id) => disable.includes(id))).toEqual([]);
        expect(needs.cloudInitDatasources?.at(-1)).toBe('None');
        expect(needs.firmware ?? ['any']).not.toEqual([]);
      },
    );

    it.each(variants.map((variant) => [variant.id, variant] as const))(
      '%s tells of each required driver whether a rehearsal shows it or why not',
      (_, { id, needs }) => {
        const own = hardware.models.filter((model) => model.variant === id);
        expect(own).toHaveLength(1);
        for (const { diskBuses, nicModels, staticOnly } of own) {
          expect(diskBuses.filter((bus) => !isMachineBus(bus))).toEqual([]);
          expect(nicModels.filter((model) => nicModules[model] === undefined)).toEqual([]);
          const bus = diskBuses.find(isMachineBus);
          const shown = new Set([
            ...(bus === undefined ? [] : busModules[bus]),
            ...nicModels.slice(0, 1).flatMap((model) => nicModules[model] ?? []),
            // Every stand-in of a SCSI disk is a SCSI disk or needs no such driver.
            'sd_mod',
            'virtio_pci',
          ]);
          const named = new Set(staticOnly.flatMap(({ modules }) => modules));
          const required = new Set([...needs.linuxStorageModules, ...needs.linuxNetworkModules]);
          expect([...required].filter((module) => !shown.has(module) && !named.has(module))).toEqual([]);
          expect([...named].filter((module) => shown.has(module) || !required.has(module))).toEqual([]);
          expect(staticOnly.filter(({ reason }) => reason.length < 20)).toEqual([]);
        }
      },
    );

    it.each(variants.map((variant) => [variant.id, variant] as const))(
      '%s tells what a Windows guest needs to boot there',
      (_, { needs }) => {
        const { windows } = needs;
        const boots = [
          ...(windows?.bootServices ?? []).flat(),
          ...(windows?.drivers ?? []).filter((driver) => driver.bootCritical),
        ];
        expect(boots.length).toBeGreaterThan(0);
        const ids = (windows?.drivers ?? []).flatMap((driver) => driver.hardwareIds);
        expect(ids.filter((one) => !/^PCI\\VEN_[0-9A-F]{4}&DEV_[0-9A-F]{4}$/.test(one))).toEqual([]);
        const words = (windows?.agents ?? []).flatMap(({ packages }) =>
          packages.flatMap((one) => one.arguments ?? []),
        );
        expect(words.filter((word) => !/^[\w/=" -]+$/.test(word))).toEqual([]);
        const off = windows?.disabledServices ?? [];
        const inUse = new Set([
          ...(windows?.bootServices ?? []).flat(),
          ...(windows?.agents ?? []).flatMap(({ services }) => services),
        ]);
        expect(off.filter((service) => inUse.has(service))).toEqual([]);
      },
    );

    it.each(variants.map((variant) => [variant.id, variant] as const))(
      '%s plans a guest that ships the drivers, and blocks one that does not',
      (_, variant) => {
        const { needs } = variant;
        const modules = [...needs.linuxStorageModules, ...needs.linuxNetworkModules];
        const firmware = needs.firmware?.[0] ?? 'bios';
        const nics = [nicOf(variant)];
        const plan = planEdits({ guest: guestWith(modules, firmware), needs, nics });
        expect(plan.findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
        const rebuild = plan.edits.find((edit) => edit.kind === 'rebuild-initramfs');
        expect(rebuild?.modules).toEqual(modules);
        for (const missing of modules) {
          const rest = modules.filter((module) => module !== missing);
          const { findings } = planEdits({ guest: guestWith(rest, firmware), needs, nics });
          expect(findings).toContainEqual(
            expect.objectContaining({ code: 'GUEST_DRIVER_MISSING', severity: 'blocked' }),
          );
        }
      },
    );
  });
}
