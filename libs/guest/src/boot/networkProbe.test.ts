import { expect, test } from 'vitest';
import { endConsoleLog } from './consoleLog.ts';
import { readMachineFacts } from './machineFacts.ts';
import { forwardedPort, watchNetwork } from './networkProbe.ts';
import { withQmp } from './qmpClient.ts';
import { startEmptyMachine, withMachineFolder } from './testing/emptyMachine.ts';

const table = [
  'Hub -1 (net0):',
  '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
  '  TCP[SYN_SENT]      24       127.0.0.1 41733       10.0.2.77     9     0     0',
  '  TCP[HOST_FORWARD]  20       127.0.0.1 41234       10.0.2.77     9     0     0',
].join('\r\n');

test('the port that leads to an address is read from the table of QEMU', () => {
  expect(forwardedPort(table, '10.0.2.77')).toBe(41234);
  expect(forwardedPort(table, '10.0.2.7')).toBeNull();
  expect(forwardedPort('', '10.0.2.77')).toBeNull();
});

test('knocking opens a way to the address, closing ends it and the capture', async () => {
  await withMachineFolder(async (folder) => {
    const { stateDir } = await startEmptyMachine(folder);
    const facts = await readMachineFacts(stateDir);
    if (facts === null) throw new Error('a started machine has facts');
    const probe = watchNetwork({ stateDir, facts, expected: ['10.0.2.77', '192.168.9.9'] });
    const inside = async (command: string, args?: Record<string, unknown>): Promise<string> =>
      JSON.stringify(await withQmp({ stateDir }, async (client) => client.execute(command, args)));
    const forwards = async (): Promise<string> =>
      inside('human-monitor-command', { 'command-line': 'info usernet' });
    await probe.knock(new AbortController().signal);
    expect(await forwards()).toMatch(/HOST_FORWARD\S+\s+\d+\s+127\.0\.0\.1\s+\d+\s+10\.0\.2\.77/);
    expect(await forwards()).not.toContain('192.168.9.9');
    expect(await probe.addresses()).toEqual([]);
    expect(probe.bytesRead()).toBeGreaterThan(24);
    await probe.close();
    expect(await forwards()).not.toContain('HOST_FORWARD');
    expect(await inside('qom-list', { path: '/objects' })).not.toContain('dump0');
    await probe.close();
  });
});

test('a console log that has ended goes to memory, and ending it twice is no error', async () => {
  await withMachineFolder(async (folder) => {
    const { stateDir } = await startEmptyMachine(folder);
    await endConsoleLog(stateDir);
    await endConsoleLog(stateDir);
    const channels = await withQmp({ stateDir }, async (client) => client.execute('query-chardev'));
    expect(channels).toContainEqual(expect.objectContaining({ label: 'serial0', filename: 'ringbuf' }));
  });
});
